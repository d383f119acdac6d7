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
	uint8_t *data;
	unsigned int permissions;
	struct backing *backing;
};

struct dma_space {
	GTree *windows; /* by iova */
	GList *backings;
	struct window *last; /* most accesses hit the window of the one before */
	bool bus_master;
	FILE *log;
	unsigned int logged;
	struct {
		uint64_t iova, size;
	} unmapped[REMEMBERED_UNMAPS];
	unsigned int next_unmapped;
	uint64_t *maps, *unmaps, *unmapped_accesses, *no_bus_master;
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

	dma->windows = g_tree_new_full(compare_iova, NULL, NULL, NULL);
	dma->log = log;
	dma->maps = counter(counters, "dma.maps");
	dma->unmaps = counter(counters, "dma.unmaps");
	dma->unmapped_accesses = counter(counters, "dma.unmapped_accesses");
	dma->no_bus_master = counter(counters, "dma.no_bus_master");
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

static void backing_put(struct dma_space *dma, struct backing *backing)
{
	if (--backing->users)
		return;
	munmap(backing->data, backing->size);
	dma->backings = g_list_remove(dma->backings, backing);
	g_free(backing);
}

/*
 * Pages past the end of a file that shrank under the mapping would raise SIGBUS. The host's memory
 * files do not shrink; one that does is mapped only as far as it reached when it was first seen.
 */
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
	struct backing *backing;
	struct window *window;
	int error = 0;

	if (!size || iova + size - 1 < iova || offset + size < offset)
		return -EINVAL;
	window = window_at_or_after(dma, iova);
	if (window && window->iova <= iova + size - 1)
		return -EEXIST;
	backing = backing_get(dma, fd, offset + size, permissions & DMA_MAY_WRITE, &error);
	if (!backing)
		return error;
	window = g_new0(struct window, 1);
	window->iova = iova;
	window->size = size;
	window->data = backing->data + offset;
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
	const char *advice = "no window was ever seen there";

	if (!dma->log || dma->logged >= LOGGED_ACCESSES)
		return;
	dma->logged++;
	for (unsigned int i = 0; i < REMEMBERED_UNMAPS; i++)
		if (dma->unmapped[i].size && iova - dma->unmapped[i].iova < dma->unmapped[i].size)
			advice = "the host took that window away before";
	fprintf(dma->log, "dma: %s of %" PRIu64 " bytes at IOVA %#" PRIx64 ": not mapped; %s\n",
		write ? "write" : "read", len, iova, advice);
	fflush(dma->log);
}

static int check(struct dma_space *dma, uint64_t iova, uint64_t len, bool write)
{
	if (!dma->bus_master) {
		++*dma->no_bus_master;
		return -EPERM;
	}
	if (!all_mapped(dma, iova, len, write ? DMA_MAY_WRITE : DMA_MAY_READ)) {
		++*dma->unmapped_accesses;
		log_unmapped(dma, iova, len, write);
		return -EFAULT;
	}
	return 0;
}

int dma_read(struct dma_space *dma, uint64_t iova, void *buf, size_t len)
{
	uint8_t *to = buf;
	int ret = check(dma, iova, len, false);

	if (ret)
		return ret;
	while (len) {
		struct window *window = window_of(dma, iova, DMA_MAY_READ);
		size_t step = MIN(len, window->size - (iova - window->iova));

		memcpy(to, window->data + (iova - window->iova), step);
		to += step;
		iova += step;
		len -= step;
	}
	return 0;
}

static void copy_out(struct dma_space *dma, uint64_t iova, const uint8_t *from, size_t len)
{
	while (len) {
		struct window *window = window_of(dma, iova, DMA_MAY_WRITE);
		size_t step = MIN(len, window->size - (iova - window->iova));

		memcpy(window->data + (iova - window->iova), from, step);
		from += step;
		iova += step;
		len -= step;
	}
}

int dma_write(struct dma_space *dma, uint64_t iova, const void *buf, size_t len)
{
	int ret = check(dma, iova, len, true);

	if (!ret)
		copy_out(dma, iova, buf, len);
	return ret;
}

static void store(void *target, const void *value, size_t size)
{
	switch (size) {
	case 1:
		__atomic_store_n((uint8_t *)target, *(const uint8_t *)value, __ATOMIC_RELEASE);
		return;
	case 2: {
		uint16_t word;

		memcpy(&word, value, sizeof(word));
		__atomic_store_n((uint16_t *)target, word, __ATOMIC_RELEASE);
		return;
	}
	case 4: {
		uint32_t dword;

		memcpy(&dword, value, sizeof(dword));
		__atomic_store_n((uint32_t *)target, dword, __ATOMIC_RELEASE);
		return;
	}
	default: {
		uint64_t qword;

		memcpy(&qword, value, sizeof(qword));
		__atomic_store_n((uint64_t *)target, qword, __ATOMIC_RELEASE);
	}
	}
}

int dma_write_publish(struct dma_space *dma, uint64_t iova, const void *buf, size_t len,
		      size_t tail)
{
	const uint8_t *from = buf;
	uint64_t at = iova + (len - tail);
	struct window *window;
	int ret;

	if (tail > len || (tail != 1 && tail != 2 && tail != 4 && tail != 8) || at % tail)
		return -EINVAL;
	ret = check(dma, iova, len, true);
	if (ret)
		return ret;
	copy_out(dma, iova, from, len - tail);
	window = window_of(dma, at, DMA_MAY_WRITE);
	if (window->size - (at - window->iova) < tail)
		return -EFAULT;
	store(window->data + (at - window->iova), from + (len - tail), tail);
	return 0;
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
	struct window *window;

	if (!size || iova % size || check(dma, iova, size, true))
		return NULL;
	window = window_of(dma, iova, DMA_MAY_WRITE);
	if (window->size - (iova - window->iova) < size)
		return NULL;
	return window->data + (iova - window->iova);
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
