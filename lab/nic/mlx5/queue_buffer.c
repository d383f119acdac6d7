/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Queues in host memory, given by the host as lists of equally large pages. */
#include <errno.h>

#include "mlx5.h"

#define PAGE_ADDRESS_MASK (~0xfffull)

bool queue_buffer_init(struct queue_buffer *buffer, const void *pas, u32 count, u32 page_shift,
		       u64 start)
{
	memset(buffer, 0, sizeof(*buffer));
	if (!count || page_shift < MLX5_PAGE_SHIFT || page_shift > 40)
		return false;
	buffer->pages = g_try_new(u64, count);
	if (!buffer->pages)
		return false;
	for (u32 i = 0; i < count; i++)
		buffer->pages[i] = ifc_get64(pas, i * 64ull) & PAGE_ADDRESS_MASK;
	buffer->page_count = count;
	buffer->page_shift = page_shift;
	buffer->start = start;
	return true;
}

void queue_buffer_destroy(struct queue_buffer *buffer)
{
	g_free(buffer->pages);
	memset(buffer, 0, sizeof(*buffer));
}

/* Bus address of a byte of the queue and how many follow it in the same page. */
static int locate(const struct queue_buffer *buffer, u64 offset, u64 *address, size_t *room)
{
	u64 page_size = 1ull << buffer->page_shift, in_page, index;

	if (offset > ~0ull - buffer->start)
		return -EFAULT;
	offset += buffer->start;
	index = offset >> buffer->page_shift;
	if (index >= buffer->page_count)
		return -EFAULT;
	in_page = offset & (page_size - 1);
	*address = buffer->pages[index] + in_page;
	*room = page_size - in_page;
	return 0;
}

int queue_buffer_read(struct mlx5_device *dev, const struct queue_buffer *buffer, u64 offset,
		      void *data, size_t len)
{
	while (len) {
		size_t room, step;
		u64 address;

		if (locate(buffer, offset, &address, &room))
			return -EFAULT;
		step = MIN(room, len);
		if (dma_read(dev->dma, address, data, step))
			return -EFAULT;
		data = (u8 *)data + step;
		offset += step;
		len -= step;
	}
	return 0;
}

int queue_buffer_publish(struct mlx5_device *dev, const struct queue_buffer *buffer, u64 offset,
			 const void *data, size_t len, size_t tail)
{
	size_t room, step;
	u64 address;

	/* All but the last piece; the tail lies whole in that one. */
	while (!locate(buffer, offset, &address, &room)) {
		if (room >= len)
			return dma_write_publish(dev->dma, address, data, len, tail) ? -EFAULT : 0;
		step = MIN(room, len - tail);
		if (!step || dma_write(dev->dma, address, data, step))
			return -EFAULT;
		data = (const u8 *)data + step;
		offset += step;
		len -= step;
	}
	return -EFAULT;
}
