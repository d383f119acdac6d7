// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "dma_space.h"

#include <endian.h>
#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../control/counters.h"
#include "bus_error.h"

#define LOGGED_ACCESSES 64
#define REMEMBERED_UNMAPS 256

/* One mmap of a whole file serves all windows into it. */
struct backing {
	dev_t device;
	ino_t inode;
	uint8_t *data;
	uint64_t size;
	bool writable;
	unsigned int users;
};

struct window {
	uint64_t iova, size;
	uint8_t *data; /* NULL: the host moves the bytes */
	unsigned int permissions;
	struct backing *backing;
};

struct dma_space {
	GTree *windows; /* by iova */
	GList *backings;
	dma_host host;
	void *host_opaque;
	struct window *last; /* most accesses hit the window of the one before */
	bool bus_master;
	FILE *log;
	unsigned int logged;
	struct {
		uint64_t iova, size;
	} unmapped[REMEMBERED_UNMAPS];
	unsigned int next_unmapped;
	uint64_t *maps, *unmaps, *unmapped_accesses, *no_bus_master, *by_host;
};

static int compare_iova(const void *a, const void *b, void *unused)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	(void)unused;
	return x < y ? -1 : x > y;
}

struct dma_space *dma_space_new(struct counters *counters, FILE *log)
{
	struct dma_space *dma = g_new0(struct dma_space, 1);

	bus_error_catch();
	dma->windows = g_tree_new_full(compare_iova, NULL, NULL, NULL);
	dma->log = log;
	dma->maps = counter(counters, "dma.maps");
	dma->unmaps = counter(counters, "dma.unmaps");
	dma->unmapped_accesses = counter(counters, "dma.unmapped_accesses");
	dma->no_bus_master = counter(counters, "dma.no_bus_master");
	dma->by_host = counter(counters, "dma.by_host");
	return dma;
}

void dma_space_free(struct dma_space *dma)
{
	if (!dma)
		return;
	dma_space_unmap_all(dma);
	g_tree_destroy(dma->windows);
	g_free(dma);
}

void dma_space_set_log(struct dma_space *dma, FILE *log)
{
	dma->log = log;
}

void dma_space_set_host(struct dma_space *dma, dma_host host, void *opaque)
{
	dma->host = host;
	dma->host_opaque = opaque;
}

static void backing_put(struct dma_space *dma, struct backing *backing)
{
	if (!backing || --backing->users)
		return;
	munmap(backing->data, backing->size);
	dma->backings = g_list_remove(dma->backings, backing);
	g_free(backing);
}

static struct backing *backing_get(struct dma_space *dma, int fd, uint64_t end, bool write,
				   int *error)
{
	struct backing *backing;
	struct stat st;
	void *data;

	if (fstat(fd, &st)) {
		*error = -errno;
		return NULL;
	}
	if (st.st_size < 0 || (uint64_t)st.st_size < end) {
		*error = -EINVAL;
		return NULL;
	}
	for (GList *link = dma->backings; link; link = link->next) {
		backing = link->data;
		if (backing->device == st.st_dev && backing->inode == st.st_ino &&
		    backing->size >= end && (backing->writable || !write)) {
			backing->users++;
			return backing;
		}
	}
	data = mmap(NULL, st.st_size, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	if (data == MAP_FAILED) {
		*error = -errno;
		return NULL;
	}
	backing = g_new0(struct backing, 1);
	backing->device = st.st_dev;
	backing->inode = st.st_ino;
	backing->data = data;
	backing->size = st.st_size;
	backing->writable = write;
	backing->users = 1;
	dma->backings = g_list_prepend(dma->backings, backing);
	return backing;
}

/* First window that ends after iova. */
static struct window *window_at_or_after(const struct dma_space *dma, uint64_t iova)
{
	GTreeNode *node = g_tree_upper_bound(dma->windows, &iova);
	GTreeNode *before = node ? g_tree_node_previous(node) : g_tree_node_last(dma->windows);
	struct window *window;

	if (before) {
		window = g_tree_node_value(before);
		if (iova - window->iova < window->size)
			return window;
	}
	return node ? g_tree_node_value(node) : NULL;
}

int dma_space_map(struct dma_space *dma, uint64_t iova, uint64_t size, int fd, uint64_t offset,
		  unsigned int permissions)
{
	struct backing *backing = NULL;
	struct window *window;
	int error = 0;

	if (!size || iova + size - 1 < iova || offset + size < offset)
		return -EINVAL;
	window = window_at_or_after(dma, iova);
	if (window && window->iova <= iova + size - 1)
		return -EEXIST;
	if (fd >= 0) {
		backing = backing_get(dma, fd, offset + size, permissions & DMA_MAY_WRITE, &error);
		if (!backing)
			return error;
	}
	window = g_new0(struct window, 1);
	window->iova = iova;
	window->size = size;
	window->data = backing ? backing->data + offset : NULL;
	window->permissions = permissions;
	window->backing = backing;
	g_tree_insert(dma->windows, &window->iova, window);
	++*dma->maps;
	return 0;
}

static void window_remove(struct dma_space *dma, struct window *window)
{
	dma->unmapped[dma->next_unmapped].iova = window->iova;
	dma->unmapped[dma->next_unmapped].size = window->size;
	dma->next_unmapped = (dma->next_unmapped + 1) % REMEMBERED_UNMAPS;
	g_tree_remove(dma->windows, &window->iova);
	backing_put(dma, window->backing);
	if (dma->last == window)
		dma->last = NULL;
	g_free(window);
	++*dma->unmaps;
}

int dma_space_unmap(struct dma_space *dma, uint64_t iova, uint64_t size)
{
	uint64_t end = iova + size - 1;
	struct window *window, *last;

	if (!size || end < iova)
		return -EINVAL;
	window = window_at_or_after(dma, iova);
	if (!window || window->iova > end)
		return -ENOENT;
	if (window->iova < iova)
		return -EINVAL;
	last = window_at_or_after(dma, end);
	if (last && last->iova <= end && last->iova + last->size - 1 > end)
		return -EINVAL;
	while (window && window->iova <= end) {
		window_remove(dma, window);
		window = window_at_or_after(dma, iova);
	}
	return 0;
}

void dma_space_unmap_all(struct dma_space *dma)
{
	GTreeNode *node;

	while ((node = g_tree_node_first(dma->windows)))
		window_remove(dma, g_tree_node_value(node));
}

unsigned int dma_space_windows(const struct dma_space *dma)
{
	return g_tree_nnodes(dma->windows);
}

void dma_space_set_bus_master(struct dma_space *dma, bool enabled)
{
	dma->bus_master = enabled;
}

static struct window *window_of(struct dma_space *dma, uint64_t iova, unsigned int permission)
{
	struct window *window = dma->last;

	if (!window || iova - window->iova >= window->size)
		window = window_at_or_after(dma, iova);
	if (!window || iova - window->iova >= window->size || !(window->permissions & permission))
		return NULL;
	dma->last = window;
	return window;
}

static bool all_mapped(struct dma_space *dma, uint64_t iova, uint64_t len, unsigned int permission)
{
	if (len && iova + len - 1 < iova)
		return false;
	while (len) {
		struct window *window = window_of(dma, iova, permission);
		uint64_t step;

		if (!window)
			return false;
		step = window->size - (iova - window->iova);
		if (step >= len)
			return true;
		iova += step;
		len -= step;
	}
	return true;
}

static void log_unmapped(struct dma_space *dma, uint64_t iova, uint64_t len, bool write)
{
	if (!dma->log || dma->logged >= LOGGED_ACCESSES)
		return;
	dma->logged++;
	fprintf(dma->log, "dma: %s of %" PRIu64 " bytes at IOVA %#" PRIx64 ": not mapped; ",
		write ? "write" : "read", len, iova);
	for (unsigned int i = 1; i <= REMEMBERED_UNMAPS; i++) {
		unsigned int at = (dma->next_unmapped + REMEMBERED_UNMAPS - i) % REMEMBERED_UNMAPS;
		uint64_t start = dma->unmapped[at].iova, size = dma->unmapped[at].size;

		if (!size || iova - start >= size)
			continue;
		fprintf(dma->log, "[%#" PRIx64 ", %#" PRIx64 "] was taken away %u unmaps ago\n",
			start, start + size - 1, i);
		fflush(dma->log);
		return;
	}
	fprintf(dma->log, "none of the last %d unmaps was there\n", REMEMBERED_UNMAPS);
	fflush(dma->log);
}

static int unmapped_access(struct dma_space *dma, uint64_t iova, uint64_t len, bool write)
{
	++*dma->unmapped_accesses;
	log_unmapped(dma, iova, len, write);
	return -EFAULT;
}

static int check(struct dma_space *dma, uint64_t iova, uint64_t len, bool write)
{
	if (!dma->bus_master) {
		++*dma->no_bus_master;
		return -EPERM;
	}
	if (!all_mapped(dma, iova, len, write ? DMA_MAY_WRITE : DMA_MAY_READ))
		return unmapped_access(dma, iova, len, write);
	return 0;
}

static int move_by_host(struct dma_space *dma, uint64_t iova, uint8_t *data, size_t len, bool write)
{
	++*dma->by_host;
	return dma->host ? dma->host(dma->host_opaque, iova, data, len, write) : -EFAULT;
}

/* After check(). Fails only where the file behind a window has shrunk, or where the host does. */
static int copy(struct dma_space *dma, uint64_t iova, uint8_t *to, const uint8_t *from, size_t len)
{
	while (len) {
		struct window *window = window_of(dma, iova, to ? DMA_MAY_READ : DMA_MAY_WRITE);
		uint64_t offset;
		size_t step;
		int ret;

		/* It can have gone while the host moved the bytes before. */
		if (!window)
			return unmapped_access(dma, iova, len, !to);
		offset = iova - window->iova;
		step = MIN(len, window->size - offset);
		if (!window->data) {
			ret = move_by_host(dma, iova, to ? to : (uint8_t *)from, step, !to);
			if (ret)
				return ret;
			if (!dma->bus_master)
				return -EPERM;
		} else if (!guarded_copy(to ? to : window->data + offset,
					 to ? window->data + offset : from, step)) {
			return unmapped_access(dma, iova, step, !to);
		}
		if (to)
			to += step;
		else
			from += step;
		iova += step;
		len -= step;
	}
	return 0;
}

int dma_read(struct dma_space *dma, uint64_t iova, void *buf, size_t len)
{
	int ret = check(dma, iova, len, false);

	return ret ? ret : copy(dma, iova, buf, NULL, len);
}

int dma_write(struct dma_space *dma, uint64_t iova, const void *buf, size_t len)
{
	int ret = check(dma, iova, len, true);

	return ret ? ret : copy(dma, iova, NULL, buf, len);
}

/* The one window with all of [iova, iova + size), after check(), or NULL. */
static void *contiguous(struct dma_space *dma, uint64_t iova, size_t size)
{
	struct window *window = window_of(dma, iova, DMA_MAY_WRITE);

	if (!window->data || window->size - (iova - window->iova) < size)
		return NULL;
	return window->data + (iova - window->iova);
}

int dma_write_publish(struct dma_space *dma, uint64_t iova, const void *buf, size_t len,
		      size_t tail)
{
	const uint8_t *from = buf;
	uint64_t at = iova + (len - tail);
	void *target;
	int ret;

	if (tail > len || (tail != 1 && tail != 2 && tail != 4 && tail != 8) || at % tail)
		return -EINVAL;
	ret = check(dma, iova, len, true);
	if (ret)
		return ret;
	/* What the host moves becomes visible message by message. */
	if (!window_of(dma, at, DMA_MAY_WRITE)->data) {
		ret = copy(dma, iova, NULL, from, len - tail);
		return ret ? ret : copy(dma, at, NULL, from + (len - tail), tail);
	}
	/* Windows need not be whole pages, so a tail may lie across two of them. */
	target = contiguous(dma, at, tail);
	if (!target || (uintptr_t)target % tail)
		return -EINVAL;
	ret = copy(dma, iova, NULL, from, len - tail);
	if (!ret && !guarded_store(target, from + (len - tail), tail))
		ret = unmapped_access(dma, at, tail, true);
	return ret;
}

int dma_read_be32(struct dma_space *dma, uint64_t iova, uint32_t *value)
{
	int ret = dma_read(dma, iova, value, sizeof(*value));

	if (!ret)
		*value = be32toh(*value);
	return ret;
}

int dma_read_be64(struct dma_space *dma, uint64_t iova, uint64_t *value)
{
	int ret = dma_read(dma, iova, value, sizeof(*value));

	if (!ret)
		*value = be64toh(*value);
	return ret;
}

int dma_write_be32(struct dma_space *dma, uint64_t iova, uint32_t value)
{
	value = htobe32(value);
	return dma_write(dma, iova, &value, sizeof(value));
}

int dma_write_be64(struct dma_space *dma, uint64_t iova, uint64_t value)
{
	value = htobe64(value);
	return dma_write(dma, iova, &value, sizeof(value));
}

void *dma_atomic_target(struct dma_space *dma, uint64_t iova, size_t size)
{
	void *target;

	if ((size != 1 && size != 2 && size != 4 && size != 8) || iova % size ||
	    check(dma, iova, size, true))
		return NULL;
	target = contiguous(dma, iova, size);
	if (!target || (uintptr_t)target % size)
		return NULL;
	if (!guarded_touch(target)) {
		unmapped_access(dma, iova, size, true);
		return NULL;
	}
	return target;
}

bool dma_mapped(const struct dma_space *dma, uint64_t iova, uint64_t len)
{
	while (len) {
		struct window *window = window_at_or_after(dma, iova);
		uint64_t step;

		if (!window || iova - window->iova >= window->size)
			return false;
		step = window->size - (iova - window->iova);
		if (step >= len)
			return true;
		iova += step;
		len -= step;
	}
	return true;
}
