// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "pci_device.h"

#include <errno.h>
#include <glib.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../control/counters.h"
#include "../control/unix_listener.h"
#include "pci_device_internal.h"

#define PATIENCE_MS 20000

static void on_work(struct ev_loop *loop, ev_idle *watcher, int revents)
{
	struct pci_device *pci = watcher->data;

	(void)revents;
	if (!pci->ops->work || !pci->ops->work(pci->opaque))
		ev_idle_stop(loop, watcher);
}

void pci_device_kick(struct pci_device *pci)
{
	ev_idle_start(pci->loop, &pci->work);
}

static uint64_t pba_size(const struct pci_device_config *config)
{
	return (config->msix_vectors + 63) / 64 * 8ull;
}

static bool msix_valid(const struct pci_device_config *config)
{
	if (!config->msix_vectors)
		return true;
	if (config->msix_vectors > PCI_DEVICE_MAX_VECTORS || config->msix_bar >= PCI_DEVICE_BARS)
		return false;
	return config->msix_table_offset % 8 == 0 && config->msix_pba_offset % 8 == 0 &&
	       config->msix_table_offset + 16ull * config->msix_vectors <=
		       config->bar[config->msix_bar].size &&
	       config->msix_pba_offset + pba_size(config) <= config->bar[config->msix_bar].size;
}

static bool config_valid(const struct pci_device_config *config)
{
	for (unsigned int i = 0; i < PCI_DEVICE_BARS; i++) {
		const struct pci_bar *bar = &config->bar[i];

		if (!bar->size)
			continue;
		if (bar->size & (bar->size - 1) || bar->size < 4096 ||
		    bar->mmap_offset % 4096 || bar->mmap_size % 4096 ||
		    bar->mmap_offset > bar->size || bar->mmap_size > bar->size - bar->mmap_offset)
			return false;
		if (bar->is_64bit && (i + 1 == PCI_DEVICE_BARS || config->bar[i + 1].size))
			return false;
		if (!bar->is_64bit && bar->size > 1ull << 31)
			return false;
	}
	return msix_valid(config);
}

static int create_bar_memory(struct pci_device *pci)
{
	for (unsigned int i = 0; i < PCI_DEVICE_BARS; i++) {
		const struct pci_bar *bar = &pci->config.bar[i];

		if (!bar->mmap_size)
			continue;
		pci->bar_fd[i] = memfd_create("bar", MFD_CLOEXEC);
		if (pci->bar_fd[i] < 0 || ftruncate(pci->bar_fd[i], bar->size))
			return -errno;
		pci->bar_memory[i] = mmap(NULL, bar->size, PROT_READ | PROT_WRITE, MAP_SHARED,
					  pci->bar_fd[i], 0);
		if (pci->bar_memory[i] == MAP_FAILED) {
			pci->bar_memory[i] = NULL;
			return -errno;
		}
	}
	return 0;
}

static int host_moves(void *opaque, uint64_t iova, uint8_t *data, size_t len, bool write)
{
	return vfu_server_dma(opaque, iova, data, len, write);
}

struct pci_device *pci_device_new(const struct pci_device_config *config,
				  const struct pci_device_ops *ops, void *opaque,
				  struct counters *counters, struct ev_loop *loop)
{
	struct pci_device *pci;

	if (!config_valid(config)) {
		errno = EINVAL;
		return NULL;
	}
	pci = g_new0(struct pci_device, 1);
	pci->config = *config;
	pci->ops = ops;
	pci->opaque = opaque;
	pci->loop = loop;
	pci->dma = dma_space_new(counters, NULL);
	pci->interrupts = counter(counters, "interrupts");
	pci->resets = counter(counters, "resets");
	pci->mmio_reads = counter(counters, "mmio.reads");
	pci->mmio_writes = counter(counters, "mmio.writes");
	pci->patience = PATIENCE_MS;
	dma_space_set_host(pci->dma, host_moves, pci);
	config_space_init(&pci->registers, config);
	for (unsigned int i = 0; i < PCI_DEVICE_MAX_VECTORS; i++)
		pci->vectors[i] = -1;
	for (unsigned int i = 0; i < PCI_DEVICE_BARS; i++)
		pci->bar_fd[i] = -1;
	ev_idle_init(&pci->work, on_work);
	/* Above the sockets: one slice a turn of the loop, however busy the host is. */
	ev_set_priority(&pci->work, 1);
	pci->work.data = pci;
	if (create_bar_memory(pci)) {
		pci_device_free(pci);
		return NULL;
	}
	return pci;
}

void pci_device_free(struct pci_device *pci)
{
	if (!pci)
		return;
	vfu_server_disconnect(pci);
	ev_idle_stop(pci->loop, &pci->work);
	unix_listener_free(pci->listener);
	pci_device_release_vectors(pci, 0, PCI_DEVICE_MAX_VECTORS);
	for (unsigned int i = 0; i < PCI_DEVICE_BARS; i++) {
		if (pci->bar_memory[i])
			munmap(pci->bar_memory[i], pci->config.bar[i].size);
		if (pci->bar_fd[i] >= 0)
			close(pci->bar_fd[i]);
	}
	dma_space_free(pci->dma);
	g_free(pci);
}

void pci_device_set_log(struct pci_device *pci, FILE *log)
{
	pci->log = log;
	dma_space_set_log(pci->dma, log);
}

void *pci_device_bar_memory(struct pci_device *pci, unsigned int bar)
{
	return bar < PCI_DEVICE_BARS ? pci->bar_memory[bar] : NULL;
}

void pci_device_set_patience(struct pci_device *pci, int milliseconds)
{
	pci->patience = milliseconds;
}

struct dma_space *pci_device_dma(struct pci_device *pci)
{
	return pci->dma;
}

struct ev_loop *pci_device_loop(struct pci_device *pci)
{
	return pci->loop;
}

void pci_device_interrupt(struct pci_device *pci, unsigned int vector)
{
	const uint64_t one = 1;

	if (vector >= pci->config.msix_vectors || pci->vectors[vector] < 0)
		return;
	/* The message would be a memory write of this function. */
	if (pci->absent || !config_space_bus_master(&pci->registers))
		return;
	++*pci->interrupts;
	/* Fails only when the count is full, and then the interrupt is pending anyway. */
	if (write(pci->vectors[vector], &one, sizeof(one)) != sizeof(one))
		return;
}

void pci_device_release_vectors(struct pci_device *pci, unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++) {
		if (pci->vectors[i] >= 0)
			close(pci->vectors[i]);
		pci->vectors[i] = -1;
	}
}

void pci_device_do_reset(struct pci_device *pci)
{
	if (pci->waits) {
		pci->reset_pending = true;
		dma_space_set_bus_master(pci->dma, false);
		return;
	}
	pci->reset_pending = false;
	++*pci->resets;
	config_space_reset(&pci->registers, &pci->config);
	dma_space_set_bus_master(pci->dma, false);
	if (pci->ops->reset)
		pci->ops->reset(pci->opaque);
}

void pci_device_finish_reset(struct pci_device *pci)
{
	if (pci->reset_pending)
		pci_device_do_reset(pci);
}

void pci_device_set_present(struct pci_device *pci, bool present)
{
	if (pci->absent == !present)
		return;
	pci->absent = !present;
	pci_device_do_reset(pci);
}

static bool in_msix_structures(const struct pci_device *pci, unsigned int bar, uint64_t offset)
{
	uint64_t table = pci->config.msix_table_offset, pba = pci->config.msix_pba_offset;

	return pci->config.msix_vectors && bar == pci->config.msix_bar &&
	       (offset - table < 16ull * pci->config.msix_vectors ||
		offset - pba < pba_size(&pci->config));
}

/* Largest naturally aligned access that starts at offset and is at most len long. */
static unsigned int access_size(uint64_t offset, uint64_t len)
{
	unsigned int size = 8;

	while (size > len || offset % size)
		size /= 2;
	return size;
}

bool pci_device_region_size(const struct pci_device *pci, uint32_t region, uint64_t *size)
{
	*size = 0;
	if (region < PCI_DEVICE_BARS)
		*size = pci->config.bar[region].size;
	else if (region == VFIO_PCI_CONFIG_REGION_INDEX)
		*size = CONFIG_SPACE_SIZE;
	return region < VFIO_PCI_NUM_REGIONS;
}

int pci_device_region_read(struct pci_device *pci, uint32_t region, uint64_t offset, uint8_t *data,
			   uint64_t len)
{
	uint64_t size;

	if (!pci_device_region_size(pci, region, &size) || offset > size || len > size - offset)
		return -EINVAL;
	if (pci->absent) {
		memset(data, 0xff, len);
		return 0;
	}
	if (region == VFIO_PCI_CONFIG_REGION_INDEX) {
		config_space_read(&pci->registers, offset, data, len);
		return 0;
	}
	memset(data, 0, len);
	while (len) {
		unsigned int step = access_size(offset, len);
		const struct pci_bar *bar = &pci->config.bar[region];

		++*pci->mmio_reads;
		/* The host keeps the vector table itself and no vector is ever left pending. */
		if (in_msix_structures(pci, region, offset))
			memset(data, 0, step);
		else if (offset - bar->mmap_offset < bar->mmap_size)
			memcpy(data, pci->bar_memory[region] + offset, step);
		else if (pci->ops->mmio_read)
			pci->ops->mmio_read(pci->opaque, region, offset, data, step);
		data += step;
		offset += step;
		len -= step;
	}
	return 0;
}

int pci_device_region_write(struct pci_device *pci, uint32_t region, uint64_t offset,
			    const uint8_t *data, uint64_t len)
{
	uint64_t size;

	if (!pci_device_region_size(pci, region, &size) || offset > size || len > size - offset)
		return -EINVAL;
	if (pci->absent)
		return 0;
	if (region == VFIO_PCI_CONFIG_REGION_INDEX) {
		if (config_space_write(&pci->registers, offset, data, len) == CONFIG_EFFECT_FLR)
			pci_device_do_reset(pci);
		dma_space_set_bus_master(pci->dma, !pci->reset_pending &&
						   config_space_bus_master(&pci->registers));
		return 0;
	}
	while (len) {
		unsigned int step = access_size(offset, len);
		const struct pci_bar *bar = &pci->config.bar[region];

		++*pci->mmio_writes;
		if (in_msix_structures(pci, region, offset))
			; /* the host's own copy is the one that counts */
		else if (offset - bar->mmap_offset < bar->mmap_size)
			memcpy(pci->bar_memory[region] + offset, data, step);
		else if (pci->ops->mmio_write)
			pci->ops->mmio_write(pci->opaque, region, offset, data, step);
		data += step;
		offset += step;
		len -= step;
	}
	return 0;
}

static void on_host(void *opaque, int fd)
{
	struct pci_device *pci = opaque;

	/* One host at a time: the function cannot be in two machines. */
	if (pci->server)
		close(fd);
	else
		vfu_server_connect(pci, fd);
}

int pci_device_listen(struct pci_device *pci, const char *socket_path)
{
	int error = 0;

	pci->listener = unix_listener_new(pci->loop, socket_path, on_host, pci, &error);
	return error;
}

int pci_device_serve(struct pci_device *pci, int fd)
{
	if (pci->server)
		return -EBUSY;
	return vfu_server_connect(pci, fd);
}

void pci_device_host_gone(struct pci_device *pci)
{
	dma_space_unmap_all(pci->dma);
	pci_device_release_vectors(pci, 0, pci->config.msix_vectors);
	pci_device_do_reset(pci);
	if (pci->gone)
		pci->gone(pci->gone_opaque);
	else if (!pci->keep)
		ev_break(pci->loop, EVBREAK_ALL);
}

bool pci_device_has_host(const struct pci_device *pci)
{
	return pci->server;
}

void pci_device_on_host_gone(struct pci_device *pci, void (*gone)(void *opaque), void *opaque)
{
	pci->gone = gone;
	pci->gone_opaque = opaque;
}

void pci_device_run(struct pci_device *pci, bool keep)
{
	pci->keep = keep;
	ev_run(pci->loop, 0);
}
