/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* BAR 0: registers, and the page of doorbells that user space maps. All have 32 bits. */
#include "irdma.h"

#define ENGINE_READY 0x80u /* what GLPE_CPUSTATUS* show once the firmware runs */
#define VECTOR_REGISTERS (2048u * 4)
/* The port's MAC address, where the X710 and its kin have it: low 32 bits, high 16. */
#define PRTGL_SAL 0x001e2120u
#define PRTGL_SAH 0x001e2140u

struct registers {
	struct irdma_device *dev;
	u32 context_high;
};

struct registers *registers_new(struct irdma_device *dev)
{
	struct registers *registers = g_new0(struct registers, 1);

	registers->dev = dev;
	return registers;
}

void registers_free(struct registers *registers)
{
	g_free(registers);
}

void registers_reset(struct registers *registers)
{
	registers->context_high = 0;
}

u32 registers_read(struct registers *registers, u64 offset)
{
	struct irdma_device *dev = registers->dev;

	switch (offset) {
	case GLPE_CPUSTATUS0:
	case GLPE_CPUSTATUS1:
	case GLPE_CPUSTATUS2:
		return ENGINE_READY;
	case GLPCI_LBARCTRL:
		return FIELD_PREP(IRDMA_GLPCI_LBARCTRL_PE_DB_SIZE, IRDMA_PE_DB_SIZE_8M);
	case PFPE_CCQPSTATUS:
		return control_queue_status(dev->control);
	case PFPE_CQPTAIL:
		return control_queue_tail(dev->control);
	case PFPE_CQPERRCODES:
		return control_queue_error(dev->control);
	case PRTGL_SAL:
		return dev->mac[0] | dev->mac[1] << 8 | dev->mac[2] << 16 | (u32)dev->mac[3] << 24;
	case PRTGL_SAH:
		return dev->mac[4] | dev->mac[5] << 8;
	case ADMIN_QUEUE_LENGTH:
	case ADMIN_QUEUE_HEAD:
		return admin_queue_read(dev->admin, offset);
	default:
		return 0;
	}
}

static void send_doorbell(struct irdma_device *dev, u32 value)
{
	++*dev->count.doorbells;
	/* Above the number is where a pushed WQE lies; nothing can be pushed here. */
	qp_doorbell(dev, value & (BIT_ULL(18) - 1));
}

static bool write_array(struct irdma_device *dev, u64 offset, u32 value)
{
	if (offset - GLINT_DYN_CTL(0) < VECTOR_REGISTERS) {
		event_set_vector(dev->events, (offset - GLINT_DYN_CTL(0)) / 4, value);
		return true;
	}
	if (offset - GLINT_CEQCTL(0) < VECTOR_REGISTERS) {
		event_set_ceq_cause(dev->events, (offset - GLINT_CEQCTL(0)) / 4, value);
		return true;
	}
	if (offset < ICRDMA_DB_ADDR_OFFSET)
		return false;
	if (offset % HOST_PAGE_BYTES == DOORBELL_SEND)
		send_doorbell(dev, value);
	else if (offset % HOST_PAGE_BYTES == DOORBELL_CQ)
		cq_arm(dev, value);
	return true;
}

void registers_write(struct registers *registers, u64 offset, u32 value)
{
	struct irdma_device *dev = registers->dev;

	if (write_array(dev, offset, value))
		return;
	switch (offset) {
	case PFPE_CCQPHIGH:
		registers->context_high = value;
		break;
	case PFPE_CCQPLOW:
		control_queue_create(dev->control, (u64)registers->context_high << 32 | value);
		break;
	case PFPE_CQPTAIL:
		control_queue_clear_tail(dev->control);
		break;
	case PFPE_CQPDB:
		control_queue_doorbell(dev->control, value);
		break;
	case PFPE_CQARM:
		cq_arm(dev, value);
		break;
	case PFPE_WQEALLOC:
		send_doorbell(dev, value);
		break;
	case PFPE_AEQALLOC:
		event_async_consumed(dev->events, value);
		break;
	case PFINT_AEQCTL:
		event_set_aeq_cause(dev->events, value);
		break;
	case ADMIN_QUEUE_BASE_LOW:
	case ADMIN_QUEUE_BASE_HIGH:
	case ADMIN_QUEUE_LENGTH:
	case ADMIN_QUEUE_HEAD:
	case ADMIN_QUEUE_TAIL:
		admin_queue_write(dev->admin, offset, value);
		break;
	default:
		/* Acknowledgements, cache invalidations and interrupt rates change nothing here. */
		break;
	}
}
