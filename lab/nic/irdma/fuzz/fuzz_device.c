/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The whole irdma function under a guest that does what it likes (testing/fuzz.h). */
#include "../../testing/fuzz.h"
#include "../tests/host.h"

#define MAX_STEPS 200

struct world {
	struct fuzz fuzz;
	struct host *host;
	struct input *input;
	struct host_pair pair;
	u32 stag[4];
	u8 *buffer;
	u64 (*ring)[CONTROL_WQE_QWORDS];
	u32 ring_producer;
};

static u64 take_address(struct world *world)
{
	return fuzz_take_address(&world->fuzz, world->buffer, HOST_PAGE / 16);
}

static u32 take_stag(struct world *world)
{
	u8 which = take8(world->input);

	return which & 0x80 ? take32(world->input) : world->stag[which % 4];
}

/* Words of anything, addresses and small numbers. */
static void take_words(struct world *world, u64 *words, u32 count)
{
	u8 kinds = take8(world->input);

	for (u32 i = 0; i < count; i++) {
		switch (kinds >> (i % 4 * 2) & 3) {
		case 0:
			words[i] = 0;
			break;
		case 1:
			words[i] = take_address(world);
			break;
		case 2:
			words[i] = take16(world->input);
			break;
		default:
			words[i] = take64(world->input);
			break;
		}
	}
}

static void step_command(struct world *world)
{
	u64 wqe[CONTROL_WQE_QWORDS];
	u8 opcode = take8(world->input) % 64;

	take_words(world, wqe, CONTROL_WQE_QWORDS);
	host_command(world->host, opcode, wqe);
}

static void step_ring(struct world *world)
{
	u64 *wqe = world->ring[world->ring_producer++ % HOST_QUANTA];
	u64 flags = take8(world->input);

	take_words(world, wqe, CONTROL_WQE_QWORDS);
	wqe[CONTROL_HEADER] ^= flags << 56;
	host_write32(world->host, PFPE_CQPDB, world->ring_producer % HOST_QUANTA + flags / 128);
}

static void step_region(struct world *world)
{
	u64 wqe[CONTROL_WQE_QWORDS];
	u32 number = 1 + take8(world->input) % 64;

	take_words(world, wqe, CONTROL_WQE_QWORDS);
	wqe[1] = (wqe[1] & 0x1fffff) | FIELD_PREP(ICRDMA_CQPSQ_STAG_PDID, HOST_PD);
	wqe[2] = FIELD_PREP(IRDMA_CQPSQ_STAG_IDX, number);
	wqe[3] |= FIELD_PREP(IRDMA_CQPSQ_STAG_ARIGHTS, RIGHTS_ALL);
	if (!host_command(world->host, IRDMA_CQP_OP_REG_MR, wqe))
		world->stag[number % 4] = number << 8;
}

static void step_deallocate(struct world *world)
{
	host_deallocate(world->host, take_stag(world), HOST_PD);
}

static struct host_qp *take_qp(struct world *world)
{
	return take8(world->input) & 1 ? &world->pair.initiator : &world->pair.responder;
}

static void step_send(struct world *world)
{
	static const u8 opcodes[] = {IRDMAQP_OP_RDMA_WRITE, IRDMAQP_OP_RDMA_READ,
				     IRDMAQP_OP_RDMA_SEND, IRDMAQP_OP_RDMA_SEND_INV};
	struct host_qp *qp = take_qp(world);
	u8 opcode = opcodes[take8(world->input) % G_N_ELEMENTS(opcodes)];
	u32 stag = take_stag(world), remote_stag = take_stag(world);

	host_post(qp, opcode, world->buffer + take16(world->input), take16(world->input), stag,
		  world->buffer + take16(world->input), remote_stag);
}

static void step_raw_send(struct world *world)
{
	struct host_qp *qp = take_qp(world);
	u64 qwords[4];

	for (u8 quanta = 1 + take8(world->input) % 8; quanta; quanta--) {
		take_words(world, qwords, G_N_ELEMENTS(qwords));
		host_put(qp, qwords);
	}
	host_ring(qp);
}

static void step_receive(struct world *world)
{
	host_post_receive(take_qp(world), world->buffer + take16(world->input),
			  take16(world->input), take_stag(world));
}

static void step_state(struct world *world)
{
	host_set_state(take_qp(world), take8(world->input) % 8);
}

static void step_flush(struct world *world)
{
	host_flush(take_qp(world));
}

/* What an error stopped is made anew. */
static void step_recycle(struct world *world)
{
	struct host_qp *qp = take_qp(world);
	u64 wqe[CONTROL_WQE_QWORDS] = {[3] = qp->number};

	host_command(world->host, IRDMA_CQP_OP_DESTROY_QP, wqe);
	host_try_qp(qp, IRDMA_QP_TYPE_ROCE_RC, host_iova(world->host, qp->context));
	host_set_state(qp, IRDMA_QP_STATE_RTS);
	memset(qp->sq, 0, HOST_QUANTA * QUANTUM_BYTES);
	memset(qp->rq, 0, HOST_QUANTA * QUANTUM_BYTES);
	qp->sq_producer = 0;
	qp->rq_producer = 0;
}

static void step_context(struct world *world)
{
	struct host_qp *qp = take_qp(world);

	qp->context[take8(world->input) % (IRDMA_QP_CTX_SIZE / 8)] ^= take64(world->input);
}

static void step_register(struct world *world)
{
	static const u32 offsets[] = {
		PFPE_CCQPHIGH, PFPE_CCQPLOW, PFPE_CQPTAIL, PFPE_CQPDB, PFPE_CQARM, PFPE_WQEALLOC,
		PFPE_AEQALLOC, PFINT_AEQCTL, GLINT_DYN_CTL(0), GLINT_CEQCTL(0),
		ICRDMA_DB_ADDR_OFFSET,
	};
	u8 which = take8(world->input);
	u32 offset = offsets[which % G_N_ELEMENTS(offsets)];

	/* To begin anew on any memory is a step without an end to what it breaks: seldom. */
	if ((offset == PFPE_CCQPLOW || offset == PFPE_CCQPHIGH) && which < 0xc0)
		return;
	if (offset >= GLINT_DYN_CTL(0))
		offset += take8(world->input) * 4;
	host_write32(world->host, offset, take16(world->input));
	host_read32(world->host, offset);
}

static void step_poll(struct world *world)
{
	while (host_poll(&world->pair.cq))
		;
	while (host_event(world->host))
		;
}

static void step_poke(struct world *world)
{
	struct host *host = world->host;
	u8 *at = take8(world->input) & 1 ? world->buffer : host->base.memory + host->pbles;

	at[take16(world->input) % (HOST_PBLES * 8)] = take8(world->input);
}

static void step_window(struct world *world)
{
	fuzz_step_window(&world->fuzz);
}

static void step_knob(struct world *world)
{
	static const char *const operations[FUZZ_KNOBS] = {
		"send", "rdma_read", "rdma_write", "REG_MR", "CREATE_QP", "completion_event",
		"DEALLOC_STAG", "bind",
	};

	fuzz_step_knob(&world->fuzz, operations);
}

static void step_run(struct world *world)
{
	fuzz_step_run(&world->fuzz);
}

static void step_reset(struct world *world)
{
	if (!(take8(world->input) % 16))
		irdma_device_ops()->reset(world->host->dev);
}

static void (*const steps[])(struct world *world) = {
	step_command, step_ring,  step_region,	 step_deallocate, step_send,  step_raw_send,
	step_receive, step_state, step_flush,	 step_recycle,	  step_run,   step_context,
	step_poll,    step_poke,  step_register, step_window,	  step_knob,  step_reset,
	step_send,    step_run,	  step_raw_send, step_receive,	  step_recycle, step_command,
};

static void build(struct world *world)
{
	struct host *host = world->host;
	u64 *context = (void *)host_alloc(host, HOST_PAGE), where = host_iova(host, context);

	world->buffer = host_alloc(host, 4 * BUFFER_BYTES);
	host_new_pair(host, &world->pair);
	world->stag[0] = host_register(host, 40, world->buffer, 4 * BUFFER_BYTES);
	world->stag[1] = host_register(host, 41, world->buffer, BUFFER_BYTES);
	world->stag[2] = world->stag[0];
	world->stag[3] = world->stag[1];
	/* To make a control queue is the end of the objects: not in every input. */
	world->ring = (void *)host_alloc(host, HOST_PAGE);
	context[0] = FIELD_PREP(IRDMA_CQPHC_SQSIZE, 3);
	context[1] = host_iova(host, world->ring);
	if (take8(world->input) & 1) {
		host_write32(host, PFPE_CCQPHIGH, where >> 32);
		host_write32(host, PFPE_CCQPLOW, where);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = {.data = data, .left = size};
	struct world world = {.host = host_new(), .input = &input};

	fuzz_begin(&world.fuzz, &input, &world.host->base);
	build(&world);
	for (int i = 0; i < MAX_STEPS && input.left; i++)
		steps[take8(&input) % G_N_ELEMENTS(steps)](&world);
	fuzz_end(&world.fuzz);
	host_free(world.host);
	return 0;
}
