// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory on the device (MEMIC): a part of BAR 0 that the host's programs map, that keys of a mode
 * of their own reach, and that other devices reach through the BAR. The host picks the pages.
 */
#include "device.h"
#include "memory_key.h"

#define PAGES (MLX5_DEVICE_MEMORY_BYTES / MLX5_PAGE_SIZE)
/* Alignment is asked for as 64 << n, and every allocation starts a page. */
#define LOG_UNIT 6

struct device_memory {
	u8 *bar;
	u16 owner[PAGES]; /* 0: free, else the allocation's first page, plus 1 */
	u32 sizes[PAGES]; /* of the allocation that starts there */
};

struct device_memory *device_memory_new(struct mlx5_device *dev)
{
	struct device_memory *memory = g_new0(struct device_memory, 1);

	memory->bar = pci_device_bar_memory(dev->pci, 0);
	return memory;
}

void device_memory_free(struct device_memory *memory)
{
	g_free(memory);
}

/* Nobody finds after a reset what somebody left before it. */
void device_memory_clear(struct device_memory *memory)
{
	for (u32 page = 0; page < PAGES; page++)
		if (memory->sizes[page])
			memset(memory->bar + MLX5_DEVICE_MEMORY + page * MLX5_PAGE_SIZE, 0,
			       memory->sizes[page]);
	memset(memory->owner, 0, sizeof(memory->owner));
	memset(memory->sizes, 0, sizeof(memory->sizes));
}

u32 device_memory_allocations(const struct device_memory *memory)
{
	u32 count = 0;

	for (u32 page = 0; page < PAGES; page++)
		count += memory->sizes[page] != 0;
	return count;
}

void device_memory_capabilities(void *caps)
{
#define CAP(field, value) IFC_SET(device_mem_cap, caps, field, value)
	CAP(memic, 1);
	CAP(log_min_memic_alloc_size, LOG_UNIT);
	CAP(log_max_memic_addr_alignment, MLX5_PAGE_SHIFT - LOG_UNIT);
	CAP(memic_bar_size, MLX5_DEVICE_MEMORY_BYTES);
	CAP(max_memic_size, MLX5_DEVICE_MEMORY_BYTES);
#undef CAP
	IFC_SET64(device_mem_cap, caps, memic_bar_start_addr, MLX5_DEVICE_MEMORY);
}

void *device_memory_at(const struct device_memory *memory, u64 offset, u64 length)
{
	u64 at = offset - MLX5_DEVICE_MEMORY, first;

	if (at >= MLX5_DEVICE_MEMORY_BYTES || !memory->owner[at / MLX5_PAGE_SIZE])
		return NULL;
	first = memory->owner[at / MLX5_PAGE_SIZE] - 1;
	at -= first * MLX5_PAGE_SIZE;
	if (at > memory->sizes[first] || length > memory->sizes[first] - at)
		return NULL;
	return memory->bar + offset;
}

static u32 pages_of(u32 bytes)
{
	return (bytes - 1) / MLX5_PAGE_SIZE + 1;
}

static bool is_free(const struct device_memory *memory, u64 first, u32 count)
{
	if (first > PAGES || count > PAGES - first)
		return false;
	for (u32 i = 0; i < count; i++)
		if (memory->owner[first + i])
			return false;
	return true;
}

static enum command_status alloc_memic(struct mlx5_device *dev, struct command *cmd)
{
	u64 start = IFC_GET64(alloc_memic_in, cmd->in, range_start_addr) - MLX5_DEVICE_MEMORY;
	u32 range = IFC_GET(alloc_memic_in, cmd->in, range_size);
	u32 size = IFC_GET(alloc_memic_in, cmd->in, memic_size), count;
	struct device_memory *memory = dev->memory;

	if (IFC_GET(alloc_memic_in, cmd->in, log_memic_addr_alignment) >
	    MLX5_PAGE_SHIFT - LOG_UNIT)
		return COMMAND_BAD_PARAM;
	if (!size || size > range || start % MLX5_PAGE_SIZE || range > MLX5_DEVICE_MEMORY_BYTES)
		return COMMAND_BAD_PARAM;
	count = pages_of(size);
	for (u64 first = start / MLX5_PAGE_SIZE, left = pages_of(range); left >= count;
	     first++, left--) {
		if (!is_free(memory, first, count))
			continue;
		for (u32 i = 0; i < count; i++)
			memory->owner[first + i] = first + 1;
		memory->sizes[first] = size;
		IFC_SET64(alloc_memic_out, cmd->out, memic_start_addr,
			  MLX5_DEVICE_MEMORY + first * MLX5_PAGE_SIZE);
		return COMMAND_OK;
	}
	return COMMAND_NO_RESOURCES;
}

static enum command_status dealloc_memic(struct mlx5_device *dev, struct command *cmd)
{
	u64 start = IFC_GET64(dealloc_memic_in, cmd->in, memic_start_addr) - MLX5_DEVICE_MEMORY;
	u32 size = IFC_GET(dealloc_memic_in, cmd->in, memic_size);
	struct device_memory *memory = dev->memory;
	u64 first = start / MLX5_PAGE_SIZE;

	if (start % MLX5_PAGE_SIZE || first >= PAGES || !size || memory->sizes[first] != size)
		return COMMAND_BAD_PARAM;
	for (u32 i = 0; i < pages_of(size); i++)
		memory->owner[first + i] = 0;
	memory->sizes[first] = 0;
	return COMMAND_OK;
}

const struct command_entry device_memory_commands[] = {
	{0x205, "ALLOC_MEMIC", IFC_BYTES(alloc_memic_in), IFC_BYTES(alloc_memic_out), alloc_memic},
	{0x206, "DEALLOC_MEMIC", IFC_BYTES(dealloc_memic_in), 8, dealloc_memic},
	{},
};
