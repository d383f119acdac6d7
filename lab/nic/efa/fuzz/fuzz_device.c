/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The whole EFA under a guest that does what it likes (testing/fuzz.h). */
#include "../../testing/fuzz.h"
#include "../tests/host.h"

#define MAX_STEPS 400
#define PAYLOAD 60u
#define RING 16u

struct world {
	struct fuzz fuzz;
	struct host *host;
	struct input *input;
	struct host_cq cq[2]; /* with and without events */
	struct host_qp qp[4]; /* SRD, SRD with long requests, UD, SRD of another PD */
	struct host_mr mr[4]; /* all rights, none, of another PD, of small windows */
	u16 other_pd;
	u8 *buffer, *rings;
	u32 ring_producer;
};

/* A number that names something, most of the time. */
static u32 take_number(struct world *world)
{
	u8 which = take8(world->input);

	switch (which % 8) {
	case 0:
		return world->qp[which / 8 % 4].number;
	case 1:
		return world->cq[which / 8 % 2].number;
	case 2:
		return world->mr[which / 8 % 4].lkey;
	case 3:
		return world->mr[which / 8 % 4].rkey;
	case 4:
		return which & 8 ? world->host->eqn : world->host->uar;
	case 5:
		return which & 8 ? world->host->pd : world->other_pd;
	case 6:
		return 1u << which / 8;
	default:
		return take32(world->input);
	}
}

static u64 take_address(struct world *world)
{
	return fuzz_take_address(&world->fuzz, world->buffer, HOST_PAGE);
}

/* Overwrites fields with numbers and addresses that make sense. */
static void patch(struct world *world, u8 *bytes, u32 len)
{
	for (u8 count = take8(world->input) % 6; count; count--) {
		u32 offset = take8(world->input) % (len / 2) * 2;
		u64 value;

		if (take8(world->input) & 1)
			value = take_number(world);
		else
			value = take_address(world);
		memcpy(bytes + offset, &value, MIN(sizeof(value), len - offset));
	}
}

static void make_payload(struct world *world, u8 payload[PAYLOAD])
{
	memset(payload, 0, PAYLOAD);
	take(world->input, payload, take8(world->input) % (PAYLOAD + 1));
	patch(world, payload, PAYLOAD);
}

static void step_command(struct world *world)
{
	u8 opcode = take8(world->input) % 32, flags = take8(world->input) & 7;
	u8 payload[PAYLOAD];

	make_payload(world, payload);
	host_command(world->host, opcode, flags, payload, sizeof(payload), NULL);
}

/* Registrations that mostly succeed, with lists in every form. */
static void step_register(struct world *world)
{
	struct efa_admin_reg_mr_cmd in = {
		.pd = take8(world->input) & 7 ? world->host->pd : world->other_pd,
		.mr_length = 1 + take16(world->input) * (u64)(take8(world->input) & 1 ? 512 : 1),
		.flags = 12 + (take8(world->input) & 1) * 9,
		.permissions = take8(world->input) & 7,
		.iova = take_address(world),
	};
	u8 flags = take8(world->input) % 8;
	u64 *list = (void *)world->buffer, where = host_iova(world->host, list);
	union {
		struct efa_admin_reg_mr_resp resp;
		u8 raw[64];
	} out;

	if (flags & 2) {
		for (u32 i = 0; i < 8; i++)
			list[i] = take_address(world) & ~4095ull;
		in.pbl.pbl.length = flags & 1 ? take16(world->input) : 20;
		in.pbl.pbl.address.mem_addr_low = where;
		in.pbl.pbl.address.mem_addr_high = where >> 32;
	} else {
		for (u32 i = 0; i < 4; i++)
			in.pbl.inline_pbl_array[i] = take_address(world) & ~4095ull;
	}
	if (!host_command(world->host, EFA_ADMIN_REG_MR, flags & 6, &in, sizeof(in), &out))
		world->mr[take8(world->input) % 4] =
			(struct host_mr){.lkey = out.resp.l_key, .rkey = out.resp.r_key};
}

static void write_register(struct world *world, u32 offset, u32 value)
{
	host_write32(world->host, EFA_REGISTER_BAR, offset, value);
}

static void step_register_write(struct world *world)
{
	write_register(world, take8(world->input) % 0x80, take_number(world));
}

/* A command through the ring, of which any byte may be wrong. */
static void step_ring(struct world *world)
{
	u8 flags = take8(world->input), *entry;
	u32 size = flags & 1 ? 128 : 64, depth = flags & 2 ? RING : take16(world->input);
	u64 where = host_iova(world->host, world->rings);

	if (!(flags & 0x1c)) {
		write_register(world, EFA_REGS_AQ_BASE_LO_OFF, where);
		write_register(world, EFA_REGS_AQ_BASE_HI_OFF, where >> 32);
		write_register(world, EFA_REGS_AQ_CAPS_OFF, size << 16 | depth);
		where += HOST_PAGE;
		write_register(world, EFA_REGS_ACQ_BASE_LO_OFF, where);
		write_register(world, EFA_REGS_ACQ_BASE_HI_OFF, where >> 32);
		write_register(world, EFA_REGS_ACQ_CAPS_OFF, 64u << 16 | depth);
		where += HOST_PAGE;
		write_register(world, EFA_REGS_AENQ_BASE_LO_OFF, where);
		write_register(world, EFA_REGS_AENQ_BASE_HI_OFF, where >> 32);
		write_register(world, EFA_REGS_AENQ_CAPS_OFF, 64u << 16 | depth);
		world->ring_producer = 0;
	}
	entry = world->rings + world->ring_producer++ % RING * size;
	take(world->input, entry, 4);
	make_payload(world, entry + 4);
	write_register(world, EFA_REGS_AQ_PROD_DB_OFF,
		       world->ring_producer + (flags & 0x20 ? take16(world->input) : 0));
}

static void step_event(struct world *world)
{
	admin_post_event(world->host->dev->admin, take8(world->input) % 8, take8(world->input));
}

static void step_modify(struct world *world)
{
	struct host_qp *qp = &world->qp[take8(world->input) % 4];
	u32 state = take8(world->input) % 8;

	if (state == 7) {
		host_set_rnr_retry(qp, take8(world->input) % 9);
		return;
	}
	host_set_state(qp, state);
	if (state == EFA_ADMIN_QP_STATE_RESET) {
		qp->sq_producer = 0;
		qp->rq_producer = 0;
	}
}

static void step_recycle(struct world *world)
{
	struct host_qp *qp = &world->qp[take8(world->input) % 4];

	for (u32 i = EFA_ADMIN_QP_STATE_RESET; i <= EFA_ADMIN_QP_STATE_RTS; i++)
		host_set_state(qp, i);
	qp->sq_producer = 0;
	qp->rq_producer = 0;
}

/* A send request as a provider would write it, between keys and addresses that mostly fit. */
static void step_proper_send(struct world *world)
{
	u8 which = take8(world->input), keys = take8(world->input);
	struct host_send send = {
		.operation = which % 3,
		.request = take8(world->input),
		.to = &world->qp[which >> 2 & 3],
		.address = world->buffer + take16(world->input),
		.length = take16(world->input) * (keys & 0x80 ? 16u : 1u),
		.lkey = world->mr[keys & 3].lkey,
		.remote = world->buffer + take16(world->input),
		.rkey = world->mr[keys >> 2 & 3].rkey,
		.has_immediate = which & 0x10,
	};

	if (which & 0x20) {
		send.inline_data = world->buffer;
		send.length %= 33;
	}
	host_post(&world->qp[which >> 6], &send);
}

static void step_raw_send(struct world *world)
{
	struct host_qp *qp = &world->qp[take8(world->input) % 4];
	struct efa_io_tx_wqe *wqe = host_wqe(qp, take8(world->input), take8(world->input));

	take(world->input, (u8 *)wqe + 4, take8(world->input) % (qp->stride - 3));
	patch(world, (u8 *)wqe, qp->stride);
	host_ring(qp);
}

static void step_receive(struct world *world)
{
	struct host_qp *qp = &world->qp[take8(world->input) % 4];
	u8 flags = take8(world->input);

	if (!(flags & 7)) {
		patch(world, (u8 *)&qp->rq[qp->rq_producer++ % HOST_QUEUE], sizeof(qp->rq[0]));
		host_ring_receive(qp);
		return;
	}
	host_post_receive(qp, take8(world->input), world->buffer + take16(world->input),
			  take16(world->input), world->mr[flags >> 3 & 3].lkey);
}

static void step_doorbell(struct world *world)
{
	u32 page = take8(world->input) & 1 ? world->qp[take8(world->input) % 4].number :
					     EFA_MAX_QPS + take8(world->input) % 4;

	host_write32(world->host, EFA_DOORBELL_BAR,
		     page % (2 * EFA_MAX_QPS) * EFA_DOORBELL_PAGE + take8(world->input) % 3 * 8,
		     take_number(world));
}

static void step_arm(struct world *world)
{
	struct host_cq *cq = &world->cq[0];
	u8 flags = take8(world->input);

	while (flags & 1 && host_poll(cq))
		;
	host_write32(world->host, EFA_DOORBELL_BAR,
		     (EFA_MAX_QPS + cq->number - 1) * EFA_DOORBELL_PAGE,
		     (cq->consumer & 0xffff) | (flags & 2 ? CQ_DOORBELL_ARM_MASK : 0));
	if (flags & 4)
		write_register(world, EFA_REGS_EQ_DB_OFF,
			       world->host->eqn | EFA_REGS_EQ_DB_ARM_MASK);
	host_event(world->host);
}

static void step_poke(struct world *world)
{
	world->buffer[take16(world->input) % BUFFER_BYTES] = take8(world->input);
}

static void step_window(struct world *world)
{
	fuzz_step_window(&world->fuzz);
}

static void step_knob(struct world *world)
{
	static const char *const operations[FUZZ_KNOBS] = {
		"send", "rdma_read", "rdma_write", "REG_MR", "CREATE_QP", "MODIFY_QP", "ALLOC_PD",
		"DESTROY_QP",
	};

	fuzz_step_knob(&world->fuzz, operations);
}

static void step_destroy(struct world *world)
{
	static const u8 opcodes[] = {EFA_ADMIN_DESTROY_QP, EFA_ADMIN_DESTROY_CQ, EFA_ADMIN_DEREG_MR,
				     EFA_ADMIN_DEALLOC_PD, EFA_ADMIN_DEALLOC_UAR,
				     EFA_ADMIN_DESTROY_EQ};
	u8 opcode = opcodes[take8(world->input) % G_N_ELEMENTS(opcodes)];
	u32 number = take_number(world);

	host_command(world->host, opcode, 0, &number, sizeof(number), NULL);
}

static void step_reset(struct world *world)
{
	switch (take8(world->input) % 16) {
	case 0:
		write_register(world, EFA_REGS_DEV_CTL_OFF, 1);
		break;
	case 1:
		efa_device_ops()->reset(world->host->dev);
		break;
	default:
		write_register(world, EFA_REGS_DEV_CTL_OFF, 0);
		break;
	}
}

static void step_run(struct world *world)
{
	fuzz_step_run(&world->fuzz);
}

static void (*const steps[])(struct world *world) = {
	step_command,	  step_register, step_register_write, step_ring,     step_modify,
	step_recycle,	  step_raw_send, step_proper_send,    step_receive,  step_doorbell,
	step_arm,	  step_poke,	 step_window,	      step_knob,     step_destroy,
	step_reset,	  step_run,	 step_proper_send,    step_receive,  step_run,
	step_proper_send, step_run,	 step_command,	      step_event,
};

static void build(struct world *world, u8 flags)
{
	struct host_qp_options options = {.cq = &world->cq[0], .wide = flags & 1,
					  .unsolicited_writes = flags & 2};
	struct host *host = world->host;
	struct host_mr *mr = world->mr;

	world->other_pd = host_new_pd(host);
	host_new_ah(host, world->other_pd, host->dev->gid);
	host_new_cq(host, &world->cq[0], &(struct host_cq_options){.events = true, .wide = true});
	host_new_cq(host, &world->cq[1], &(struct host_cq_options){.entry_size = 16, .wide = true});
	world->buffer = host_alloc(host, 2 * BUFFER_BYTES);
	world->rings = host_alloc(host, 3 * HOST_PAGE);
	host_new_qp(host, &world->qp[0], &options);
	options.long_wqe = true;
	options.cq = &world->cq[1];
	host_new_qp(host, &world->qp[1], &options);
	options.type = EFA_ADMIN_QP_TYPE_UD;
	host_new_qp(host, &world->qp[2], &options);
	options.type = EFA_ADMIN_QP_TYPE_SRD;
	options.long_wqe = false;
	options.pd = world->other_pd;
	host_new_qp(host, &world->qp[3], &options);
	mr[0] = host_new_mr(host, host->pd, world->buffer, 2 * BUFFER_BYTES, RIGHTS_ALL);
	mr[1] = host_new_mr(host, host->pd, world->buffer, BUFFER_BYTES, 0);
	mr[2] = host_new_mr(host, world->other_pd, world->buffer, BUFFER_BYTES, RIGHTS_ALL);
	mr[3] = mr[0];
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = {.data = data, .left = size};
	struct world world = {.host = host_new(), .input = &input};

	fuzz_begin(&world.fuzz, &input, &world.host->base);
	build(&world, take8(&input));
	for (int i = 0; i < MAX_STEPS && input.left; i++)
		steps[take8(&input) % G_N_ELEMENTS(steps)](&world);
	fuzz_end(&world.fuzz);
	host_free(world.host);
	return 0;
}
