// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "copy_device.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

struct copy_device {
	struct pci_device *pci;
	uint8_t registers[COPY_REGISTERS];
	uint64_t source, destination;
	uint32_t left, vector;
	bool running;
	uint64_t *slices, *resets, *unmapped;
};

static uint64_t get(const struct copy_device *copy, enum copy_register at, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, copy->registers + at, size);
	return GUINT64_FROM_LE(value);
}

static void put32(struct copy_device *copy, enum copy_register at, uint32_t value)
{
	value = GUINT32_TO_LE(value);
	memcpy(copy->registers + at, &value, sizeof(value));
}

/* What the transport promises of every access. */
static void check_access(unsigned int bar, uint64_t offset, unsigned int size)
{
	uint64_t bar_size = bar == COPY_BAR_MEMORY ? 65536 : bar == 0 || bar == 4 ? 4096 : 0;

	g_assert(size == 1 || size == 2 || size == 4 || size == 8);
	g_assert(offset % size == 0 && offset + size <= bar_size);
}

static void mmio_read(void *opaque, unsigned int bar, uint64_t offset, void *data,
		      unsigned int size)
{
	struct copy_device *copy = opaque;

	check_access(bar, offset, size);
	if (bar == 0)
		memcpy(data, copy->registers + offset, size);
	else
		memset(data, 0xee, size);
}

static void finish(struct copy_device *copy, uint32_t status)
{
	copy->running = false;
	put32(copy, COPY_STATUS, status);
	put32(copy, COPY_DONE, get(copy, COPY_DONE, 4) + 1);
	pci_device_interrupt(copy->pci, copy->vector);
}

static void mmio_write(void *opaque, unsigned int bar, uint64_t offset, const void *data,
		       unsigned int size)
{
	struct copy_device *copy = opaque;

	check_access(bar, offset, size);
	if (bar != 0)
		return;
	if (offset < COPY_DOORBELL || (offset >= COPY_SCRATCH && offset < COPY_SCRATCH + 256))
		memcpy(copy->registers + offset, data, size);
	if (offset != COPY_DOORBELL || copy->running)
		return;
	copy->source = get(copy, COPY_SOURCE, 8);
	copy->destination = get(copy, COPY_DESTINATION, 8);
	copy->left = get(copy, COPY_LENGTH, 4);
	copy->vector = get(copy, COPY_VECTOR, 4);
	if (copy->left > COPY_MAX_LENGTH) {
		finish(copy, EINVAL);
		return;
	}
	copy->running = true;
	put32(copy, COPY_STATUS, COPY_RUNNING);
	pci_device_kick(copy->pci);
}

static bool work(void *opaque)
{
	struct copy_device *copy = opaque;
	struct dma_space *dma = pci_device_dma(copy->pci);
	uint32_t step = MIN(copy->left, COPY_SLICE);
	uint8_t data[COPY_SLICE];
	int ret;

	if (!copy->running)
		return false;
	++*copy->slices;
	ret = dma_read(dma, copy->source, data, step);
	if (!ret)
		ret = dma_write(dma, copy->destination, data, step);
	copy->source += step;
	copy->destination += step;
	copy->left -= step;
	if (ret || !copy->left)
		finish(copy, ret ? (uint32_t)-ret : COPY_SUCCESS);
	return copy->running;
}

static void reset(void *opaque)
{
	struct copy_device *copy = opaque;

	++*copy->resets;
	copy->running = false;
	memset(copy->registers, 0, sizeof(copy->registers));
}

static void dma_unmapped(void *opaque, uint64_t iova, uint64_t size)
{
	struct copy_device *copy = opaque;

	g_assert(!size || !dma_mapped(pci_device_dma(copy->pci), iova, 1));
	++*copy->unmapped;
}

struct copy_device *copy_device_new(struct counters *counters, struct ev_loop *loop)
{
	static const struct pci_device_config config = {
		.vendor_id = COPY_VENDOR,
		.device_id = COPY_DEVICE,
		.subsystem_vendor_id = COPY_VENDOR,
		.subsystem_id = 1,
		.class_code = 0x088000,
		.bar = {
			[0] = { .size = COPY_REGISTERS },
			[COPY_BAR_MEMORY] = { .size = 65536, .is_64bit = true,
					      .prefetchable = true, .mmap_offset = COPY_MAPPABLE,
					      .mmap_size = 0x1000 },
			[COPY_BAR_MSIX] = { .size = 4096 },
		},
		.msix_vectors = COPY_VECTORS,
		.msix_bar = COPY_BAR_MSIX,
		.msix_table_offset = 0,
		.msix_pba_offset = 0x800,
	};
	static const struct pci_device_ops ops = {
		.mmio_read = mmio_read,
		.mmio_write = mmio_write,
		.work = work,
		.reset = reset,
		.dma_unmapped = dma_unmapped,
	};
	struct copy_device *copy = g_new0(struct copy_device, 1);

	copy->slices = counter(counters, "copy.slices");
	copy->resets = counter(counters, "copy.resets");
	copy->unmapped = counter(counters, "copy.unmapped");
	copy->pci = pci_device_new(&config, &ops, copy, counters, loop);
	g_assert(copy->pci);
	return copy;
}

void copy_device_free(struct copy_device *copy)
{
	pci_device_free(copy->pci);
	g_free(copy);
}

struct pci_device *copy_device_pci(struct copy_device *copy)
{
	return copy->pci;
}
