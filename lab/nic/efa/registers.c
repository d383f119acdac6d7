/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * BAR0. The driver never reads a register: it writes what it wants to know to MMIO_REG_READ, and
 * the device puts the answer into host memory. Plain reads give the same values.
 */
#include "efa.h"

#define CONTROLLER_VERSION 1u	 /* 0.0.1 */
#define RESET_TIMEOUT 50u	 /* in 100 ms */
#define DMA_ADDRESS_BITS 52u
#define ADMIN_ENTRY_V1 64u
#define ADMIN_ENTRY_V2 128u

struct registers {
	struct efa_device *dev;
	u32 low[0x80 / 4]; /* what the host wrote */
	u32 status;
};

struct registers *registers_new(struct efa_device *dev)
{
	struct registers *registers = g_new0(struct registers, 1);

	registers->dev = dev;
	registers_reset(registers);
	return registers;
}

void registers_free(struct registers *registers)
{
	g_free(registers);
}

void registers_reset(struct registers *registers)
{
	memset(registers->low, 0, sizeof(registers->low));
	registers->status = EFA_REGS_DEV_STS_READY_MASK;
}

static u32 capabilities(void)
{
	u32 value = 0;

	EFA_SET(&value, EFA_REGS_CAPS_RESET_TIMEOUT, RESET_TIMEOUT);
	EFA_SET(&value, EFA_REGS_CAPS_DMA_ADDR_WIDTH, DMA_ADDRESS_BITS);
	return value;
}

u32 registers_read(struct registers *registers, u64 offset)
{
	switch (offset) {
	case EFA_REGS_VERSION_OFF:
		return registers->dev->api_version;
	case EFA_REGS_CONTROLLER_VERSION_OFF:
		return CONTROLLER_VERSION;
	case EFA_REGS_CAPS_OFF:
		return capabilities();
	case EFA_REGS_DEV_STS_OFF:
		return registers->status;
	default:
		return offset < sizeof(registers->low) && offset % 4 == 0 ?
			       registers->low[offset / 4] : 0;
	}
}

static u64 address_at(const struct registers *registers, u32 low, u32 high)
{
	return (u64)registers->low[high / 4] << 32 | registers->low[low / 4];
}

static void answer_read(struct registers *registers, u32 request)
{
	u64 address = address_at(registers, EFA_REGS_MMIO_RESP_LO_OFF, EFA_REGS_MMIO_RESP_HI_OFF);
	struct efa_admin_mmio_req_read_less_resp answer = {
		.req_id = EFA_GET(&request, EFA_REGS_MMIO_REG_READ_REQ_ID),
		.reg_off = EFA_GET(&request, EFA_REGS_MMIO_REG_READ_REG_OFF),
	};

	answer.reg_val = registers_read(registers, answer.reg_off);
	if (efa_publish(registers->dev, address, &answer, sizeof(answer), sizeof(answer)))
		efa_log(registers->dev, "no answer about register 0x%x: 0x%llx is not mapped",
			answer.reg_off, (unsigned long long)address);
}

static void control(struct registers *registers, u32 value)
{
	struct efa_device *dev = registers->dev;

	if (EFA_GET(&value, EFA_REGS_DEV_CTL_DEV_RESET)) {
		efa_log(dev, "reset by the driver, reason %u",
			EFA_GET(&value, EFA_REGS_DEV_CTL_RESET_REASON));
		efa_device_reset(dev);
		registers->status |= EFA_REGS_DEV_STS_RESET_IN_PROGRESS_MASK;
	} else if (registers->status & EFA_REGS_DEV_STS_RESET_IN_PROGRESS_MASK) {
		registers->status &= ~EFA_REGS_DEV_STS_RESET_IN_PROGRESS_MASK;
		registers->status |= EFA_REGS_DEV_STS_RESET_FINISHED_MASK;
	}
}

static bool is_power_of_2(u32 value)
{
	return value && !(value & (value - 1));
}

static struct admin_ring ring(struct registers *registers, const char *name, u32 low, u32 high,
			      u32 depth, u32 entry_size)
{
	struct admin_ring ring = {
		.base = address_at(registers, low, high),
		.depth = depth,
		.entry_size = entry_size,
	};

	if (!depth)
		return ring;
	if (!is_power_of_2(depth) || ring.base % 8 ||
	    (entry_size != ADMIN_ENTRY_V1 && entry_size != ADMIN_ENTRY_V2)) {
		efa_log(registers->dev, "the %s of %u entries of %u bytes at 0x%llx is not usable",
			name, depth, entry_size, (unsigned long long)ring.base);
		ring.depth = 0;
	}
	return ring;
}

static void set_submission(struct registers *registers, u32 value)
{
	admin_queue_set_submission(registers->dev->admin,
				   ring(registers, "admin queue", EFA_REGS_AQ_BASE_LO_OFF,
					EFA_REGS_AQ_BASE_HI_OFF,
					EFA_GET(&value, EFA_REGS_AQ_CAPS_AQ_DEPTH),
					EFA_GET(&value, EFA_REGS_AQ_CAPS_AQ_ENTRY_SIZE)));
}

static void set_completion(struct registers *registers, u32 value)
{
	struct admin_ring set = ring(registers, "admin completion queue", EFA_REGS_ACQ_BASE_LO_OFF,
				     EFA_REGS_ACQ_BASE_HI_OFF,
				     EFA_GET(&value, EFA_REGS_ACQ_CAPS_ACQ_DEPTH),
				     EFA_GET(&value, EFA_REGS_ACQ_CAPS_ACQ_ENTRY_SIZE));

	set.vector = EFA_GET(&value, EFA_REGS_ACQ_CAPS_ACQ_MSIX_VECTOR);
	admin_queue_set_completion(registers->dev->admin, set);
}

static void set_events(struct registers *registers, u32 value)
{
	struct admin_ring set = ring(registers, "event notification queue",
				     EFA_REGS_AENQ_BASE_LO_OFF, EFA_REGS_AENQ_BASE_HI_OFF,
				     EFA_GET(&value, EFA_REGS_AENQ_CAPS_AENQ_DEPTH),
				     EFA_GET(&value, EFA_REGS_AENQ_CAPS_AENQ_ENTRY_SIZE));

	set.vector = EFA_GET(&value, EFA_REGS_AENQ_CAPS_AENQ_MSIX_VECTOR);
	admin_queue_set_events(registers->dev->admin, set);
}

void registers_write(struct registers *registers, u64 offset, u32 value)
{
	struct efa_device *dev = registers->dev;

	if (offset >= sizeof(registers->low) || offset % 4)
		return;
	registers->low[offset / 4] = value;
	switch (offset) {
	case EFA_REGS_MMIO_REG_READ_OFF:
		answer_read(registers, value);
		break;
	case EFA_REGS_DEV_CTL_OFF:
		control(registers, value);
		break;
	case EFA_REGS_AQ_CAPS_OFF:
		set_submission(registers, value);
		break;
	case EFA_REGS_ACQ_CAPS_OFF:
		set_completion(registers, value);
		break;
	case EFA_REGS_AENQ_CAPS_OFF:
		set_events(registers, value);
		break;
	case EFA_REGS_AQ_PROD_DB_OFF:
		admin_queue_doorbell(dev->admin, value);
		break;
	case EFA_REGS_AENQ_CONS_DB_OFF:
		admin_queue_events_consumed(dev->admin, value);
		break;
	case EFA_REGS_INTR_MASK_OFF:
		admin_queue_mask(dev->admin, EFA_GET(&value, EFA_REGS_INTR_MASK_EN));
		break;
	case EFA_REGS_EQ_DB_OFF:
		if (EFA_GET(&value, EFA_REGS_EQ_DB_ARM))
			eq_arm(dev, EFA_GET(&value, EFA_REGS_EQ_DB_EQN));
		break;
	default:
		break;
	}
}
