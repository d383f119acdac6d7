/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * BAR0. Two pages of init segment, then one page for each UAR with the doorbells of completion,
 * event and send queues. All registers are rows of big-endian dwords.
 */
#include <time.h>

#include "device.h"
#include "hca.h"

#define INIT_SEGMENT_BYTES (2 * MLX5_PAGE_SIZE)
#define COMMAND_INTERFACE_REVISION 5
#define FW_RESET_SUPPORTED (1u << 30)
#define REQUEST_FOR_RESET 0x80u

enum init_segment {
	INIT_FW_REVISION = 0x0,
	INIT_COMMAND_REVISION = 0x4,
	INIT_QUEUE_HIGH = 0x10,
	INIT_QUEUE_LOW = 0x14,
	INIT_COMMAND_DOORBELL = 0x18,
	INIT_INITIALIZING = 0x1fc,
	INIT_HEALTH_FW_VERSION = 0x230,
	INIT_HEALTH_SEVERITY = 0x238,
	INIT_HEALTH_SYNDROME = 0x23c,
	INIT_TIMER_HIGH = 0x1000,
	INIT_TIMER_LOW = 0x1004,
	INIT_HEALTH_COUNTER = 0x1010,
};

enum uar {
	UAR_CQ_ARM = 0x20,
	UAR_EQ_ARM = 0x40,
	UAR_EQ_CONSUMER = 0x48,
	UAR_SEND = 0x800,
};

/* Send doorbells. The rest of each is room for a work request, which is read from memory. */
#define UAR_SEND_STRIDE 0x100

u64 mlx5_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * MLX5_CLOCK_KHZ * 1000 +
	       (u64)now.tv_nsec * MLX5_CLOCK_KHZ / 1000000;
}

static u32 init_segment_read(struct mlx5_device *dev, u64 offset)
{
	switch (offset) {
	case INIT_FW_REVISION:
		return MLX5_FW_MINOR << 16 | MLX5_FW_MAJOR;
	case INIT_COMMAND_REVISION:
		return COMMAND_INTERFACE_REVISION << 16 | MLX5_FW_SUBMINOR;
	case INIT_QUEUE_HIGH:
		return command_interface_queue(dev->commands) >> 32;
	case INIT_QUEUE_LOW:
		return (u32)command_interface_queue(dev->commands) |
		       dev->hca->nic_interface << 8 | MLX5_LOG_COMMANDS << 4 |
		       MLX5_LOG_COMMAND_STRIDE;
	case INIT_INITIALIZING:
		return dev->hca->fatal_for_good ? 0 : FW_RESET_SUPPORTED;
	case INIT_HEALTH_FW_VERSION:
		return MLX5_FW_MAJOR << 24 | MLX5_FW_MINOR << 16 | MLX5_FW_SUBMINOR;
	case INIT_HEALTH_SEVERITY:
		return dev->hca->fatal_syndrome ? REQUEST_FOR_RESET << 24 : 0;
	case INIT_HEALTH_SYNDROME:
		return dev->hca->fatal_syndrome << 16;
	case INIT_TIMER_HIGH:
		return mlx5_clock() >> 32;
	case INIT_TIMER_LOW:
		return (u32)mlx5_clock();
	case INIT_HEALTH_COUNTER:
		if (!dev->hca->fatal_syndrome)
			dev->hca->health_counter++;
		return dev->hca->health_counter & 0xffffff;
	default:
		return 0;
	}
}

static void set_queue(struct mlx5_device *dev, u32 low)
{
	enum nic_interface state = low >> 8 & 7;
	u64 queue = (u64)dev->hca->queue_high << 32 | (low & ~0xfffu);

	switch (state) {
	case NIC_SW_RESET:
		/* "Reset, then tell me by the disabled state." */
		mlx5_device_reset(dev);
		dev->hca->nic_interface = NIC_DISABLED;
		break;
	case NIC_DISABLED:
		mlx5_device_teardown(dev);
		dev->hca->nic_interface = NIC_DISABLED;
		break;
	default:
		dev->hca->nic_interface = NIC_FULL_DRIVER;
		command_interface_set_queue(dev->commands, queue);
		break;
	}
}

static void init_segment_write(struct mlx5_device *dev, u64 offset, u32 value)
{
	switch (offset) {
	case INIT_QUEUE_HIGH:
		dev->hca->queue_high = value;
		break;
	case INIT_QUEUE_LOW:
		set_queue(dev, value);
		break;
	case INIT_COMMAND_DOORBELL:
		if (dev->hca->nic_interface == NIC_FULL_DRIVER && !dev->hca->fatal_syndrome)
			command_interface_doorbell(dev->commands, value);
		break;
	default:
		break;
	}
}

static u32 get32(const u8 *data)
{
	return ifc_get32(data, 0, 32);
}

/* A doorbell of eight bytes. Some hosts write it as two halves: the second one rings. */
static const u8 *whole_doorbell(struct mlx5_device *dev, u64 page, u64 offset, u64 base,
				const u8 *data, unsigned int size)
{
	u8 *half = dev->hca->half_doorbell[page][base == UAR_CQ_ARM];

	if (size == 8)
		return offset == base ? data : NULL;
	if (size != 4)
		return NULL;
	memcpy(half + (offset - base), data, size);
	return offset == base ? NULL : half;
}

static void uar_write(struct mlx5_device *dev, u64 page, u64 offset, const u8 *data,
		      unsigned int size)
{
	u64 base = offset & ~7ull;

	if (base == UAR_CQ_ARM) {
		data = whole_doorbell(dev, page, offset, base, data, size);
		if (data)
			cq_doorbell(dev, get32(data), get32(data + 4));
	} else if (offset == UAR_EQ_ARM || offset == UAR_EQ_CONSUMER) {
		if (size >= 4)
			event_queue_arm(dev, get32(data), offset == UAR_EQ_ARM);
	} else if (offset >= UAR_SEND && base % UAR_SEND_STRIDE == 0) {
		data = whole_doorbell(dev, page, offset, base, data, size);
		if (!data)
			return;
		(*dev->count.doorbells)++;
		qp_send_doorbell(dev, get32(data + 4) >> 8, data, 8);
	}
}

void mlx5_mmio_read(struct mlx5_device *dev, u64 offset, void *data, unsigned int size)
{
	u8 bytes[8] = {};

	if (offset < INIT_SEGMENT_BYTES) {
		u64 base = offset & ~7ull;
		u32 high = htobe32(init_segment_read(dev, base));
		u32 low = htobe32(init_segment_read(dev, base + 4));

		memcpy(bytes, &high, sizeof(high));
		memcpy(bytes + 4, &low, sizeof(low));
	}
	memcpy(data, bytes + (offset & 7), MIN(size, 8 - (offset & 7)));
}

void mlx5_mmio_write(struct mlx5_device *dev, u64 offset, const void *data, unsigned int size)
{
	const u8 *bytes = data;

	if (offset >= INIT_SEGMENT_BYTES) {
		uar_write(dev, offset / MLX5_PAGE_SIZE, offset % MLX5_PAGE_SIZE, bytes, size);
		return;
	}
	for (unsigned int i = 0; i + 4 <= size; i += 4)
		init_segment_write(dev, offset + i, get32(bytes + i));
}
