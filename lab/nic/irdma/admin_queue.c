/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The LAN side's admin queue, as far as a LAN driver can be made to wait for it: each command of the
 * ring is fetched, called done and written back by DMA. What it says does not matter here.
 */
#include "irdma.h"

#define DESCRIPTOR_BYTES 32u
#define FLAG_DONE 0x1u
#define FLAG_COMPLETED 0x2u
#define LENGTH_ENABLE 0x80000000u
#define LENGTH_MASK 0x3ffu

struct admin_queue {
	struct irdma_device *dev;
	u64 *commands, *unanswered;
	u64 base;
	u32 length; /* the register */
	u32 head;
};

/* The ring's; all of it is little-endian. */
struct descriptor {
	u16 flags, opcode, data_bytes, result;
	u32 cookie[2], parameters[4];
};

G_STATIC_ASSERT(sizeof(struct descriptor) == DESCRIPTOR_BYTES);

struct admin_queue *admin_queue_new(struct irdma_device *dev)
{
	struct admin_queue *admin = g_new0(struct admin_queue, 1);

	admin->dev = dev;
	admin->commands = counter(dev->counters, "admin_commands");
	admin->unanswered = counter(dev->counters, "admin_unanswered");
	return admin;
}

void admin_queue_free(struct admin_queue *admin)
{
	g_free(admin);
}

void admin_queue_reset(struct admin_queue *admin)
{
	admin->base = 0;
	admin->length = 0;
	admin->head = 0;
}

static u32 entries(const struct admin_queue *admin)
{
	return admin->length & LENGTH_ENABLE ? admin->length & LENGTH_MASK : 0;
}

static bool answer(struct admin_queue *admin)
{
	u64 address = admin->base + admin->head * (u64)DESCRIPTOR_BYTES;
	struct descriptor descriptor;

	if (dma_read(admin->dev->dma, address, &descriptor, sizeof(descriptor)))
		return false;
	descriptor.flags |= FLAG_DONE | FLAG_COMPLETED;
	descriptor.result = 0;
	return !dma_write(admin->dev->dma, address, &descriptor, sizeof(descriptor));
}

static void doorbell(struct admin_queue *admin, u32 tail)
{
	u32 count = entries(admin);

	if (tail >= count) {
		irdma_log(admin->dev, "an admin doorbell beyond the ring: %u of %u", tail, count);
		return;
	}
	/* The ring may have been made smaller. */
	admin->head %= count;
	while (admin->head != tail) {
		if (!answer(admin)) {
			++*admin->unanswered;
			irdma_log(admin->dev, "the admin queue cannot reach its ring");
			return;
		}
		++*admin->commands;
		admin->head = (admin->head + 1) % count;
	}
}

u32 admin_queue_read(const struct admin_queue *admin, u64 offset)
{
	switch (offset) {
	case ADMIN_QUEUE_HEAD:
		return admin->head;
	case ADMIN_QUEUE_LENGTH:
		return admin->length;
	default:
		return 0;
	}
}

void admin_queue_write(struct admin_queue *admin, u64 offset, u32 value)
{
	switch (offset) {
	case ADMIN_QUEUE_BASE_LOW:
		admin->base = (admin->base & ~(u64)UINT32_MAX) | value;
		break;
	case ADMIN_QUEUE_BASE_HIGH:
		admin->base = (u64)value << 32 | (u32)admin->base;
		break;
	case ADMIN_QUEUE_LENGTH:
		admin->length = value;
		break;
	case ADMIN_QUEUE_HEAD:
		admin->head = value & LENGTH_MASK;
		break;
	case ADMIN_QUEUE_TAIL:
		if (entries(admin))
			doorbell(admin, value & LENGTH_MASK);
		break;
	default:
		break;
	}
}
