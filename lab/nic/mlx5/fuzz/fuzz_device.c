/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The whole model under a guest that does what it likes. An input is a list of steps on a device
 * that has one of each object; a step is a byte that names it and what it takes from the bytes
 * after. Nothing is asserted here: a sanitizer, a crash or a step without end is the finding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tests/fuzz_input.h"
#include "../hca.h"
#include "../tests/host.h"

#define MAX_STEPS 400
#define SLICES_A_STEP 8
#define FINAL_SLICES 64
#define BUFFER_BYTES 65536u
#define SMALL_WINDOWS 16u
#define SMALL_IOVA 0x40000000ull
#define COMMAND_BYTES 1024u
#define MAILBOXES 3u
#define QKEY 0x1234u

struct world {
	struct host *host;
	struct input *input;
	struct host_cq cq;
	struct host_srq srq;
	struct host_qp qp[4]; /* RC, RC connected to it, UD or XRC, UMR */
	u8 *buffer, *commands;
	u32 key[8];
	int small_fd;
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void store32(u8 *p, u32 value)
{
	value = htobe32(value);
	memcpy(p, &value, sizeof(value));
}

static const u16 opcodes[] = {
	0x100, 0x101, 0x102, 0x103, 0x104, 0x105, 0x107, 0x108, 0x109, 0x10a, 0x10b, 0x200, 0x201,
	0x202, 0x203, 0x204, 0x301, 0x302, 0x303, 0x400, 0x401, 0x402, 0x403, 0x500, 0x501, 0x502,
	0x503, 0x504, 0x505, 0x506, 0x507, 0x50a, 0x50b, 0x50c, 0x50d, 0x50e, 0x700, 0x701, 0x702,
	0x703, 0x705, 0x706, 0x707, 0x708, 0x750, 0x762, 0x763, 0x764, 0x765, 0x770, 0x771, 0x772,
	0x773, 0x800, 0x801, 0x802, 0x803, 0x805, 0x806, 0x807, 0x80d, 0x80e, 0x80f, 0x816, 0x817,
	0x90c, 0x90d, 0x90e, 0x90f, 0x205, 0x206,
};

/* A number that names something, most of the time. */
static u32 take_number(struct world *world)
{
	u8 which = take8(world->input);

	switch (which % 8) {
	case 0:
		return world->qp[which / 8 % 4].qpn;
	case 1:
		return world->cq.cqn;
	case 2:
		return world->srq.srqn;
	case 3:
		return world->key[which / 8 % 8];
	case 4:
		return world->key[which / 8 % 8] >> 8;
	case 5:
		return world->host->eqn;
	case 6:
		return world->host->pd + which / 8 % 4;
	default:
		return take32(world->input);
	}
}

static u64 take_address(struct world *world)
{
	u8 which = take8(world->input);

	switch (which % 4) {
	case 0:
		return host_iova(world->host, world->buffer) + take16(world->input);
	case 1:
		return SMALL_IOVA + take16(world->input) % (SMALL_WINDOWS * MLX5_PAGE_SIZE);
	case 2:
		return HOST_IOVA + (u64)take16(world->input) * 8;
	default:
		return (u64)take32(world->input) << 32 | take32(world->input);
	}
}

/* Overwrites fields at dword boundaries with numbers and addresses that make sense. */
static void patch(struct world *world, u8 *bytes, u32 len)
{
	for (u8 count = take8(world->input) % 8; count; count--) {
		u32 offset = take16(world->input) % MAX(len / 4, 1) * 4;
		u64 address;

		if (take8(world->input) & 1) {
			store32(bytes + offset, take_number(world));
			continue;
		}
		address = htobe64(take_address(world));
		if (offset + sizeof(address) <= len)
			memcpy(bytes + offset, &address, sizeof(address));
	}
}

static u32 make_command(struct world *world, u8 in[COMMAND_BYTES])
{
	u32 len = 16 + take16(world->input) % (COMMAND_BYTES - 16);
	u16 opcode = opcodes[take8(world->input) % G_N_ELEMENTS(opcodes)];

	memset(in, 0, COMMAND_BYTES);
	take(world->input, in + 4, MIN(len - 4, take8(world->input)));
	in[0] = opcode >> 8;
	in[1] = opcode;
	if (take8(world->input) & 1)
		store32(in + 8, take_number(world) & 0xffffff);
	patch(world, in, len);
	in[0] = opcode >> 8;
	in[1] = opcode;
	return len;
}

static void step_command(struct world *world)
{
	u8 in[COMMAND_BYTES], out[COMMAND_BYTES];
	u32 len = make_command(world, in);

	host_command(world->host, in, len, out, 8 + take16(world->input) % (COMMAND_BYTES - 8));
}

static void mmio_write32(struct world *world, u64 offset, u32 value)
{
	u8 data[4];

	store32(data, value);
	mlx5_mmio_write(world->host->dev, offset, data, sizeof(data));
}

/* The same through a slot and mailboxes, of which any byte may be wrong. */
static void step_slot(struct world *world)
{
	u8 *slot = world->commands, *box = world->commands + MLX5_PAGE_SIZE;
	u64 iova = host_iova(world->host, world->commands), next;
	u8 in[COMMAND_BYTES];
	u32 len = make_command(world, in);

	memset(slot, 0, 64);
	slot[0] = 7;
	store32(slot + 4, len);
	next = htobe64(iova + MLX5_PAGE_SIZE);
	memcpy(slot + 8, &next, sizeof(next));
	memcpy(slot + 16, in, 16);
	next = htobe64(iova + 2 * MLX5_PAGE_SIZE);
	memcpy(slot + 48, &next, sizeof(next));
	store32(slot + 56, take16(world->input) % COMMAND_BYTES);
	slot[63] = 1;
	for (u32 chain = 0; chain < 2; chain++)
		for (u32 i = 0; i < MAILBOXES; i++) {
			u8 *mailbox = box + chain * MLX5_PAGE_SIZE + i * 1024;

			memset(mailbox, 0, 576);
			if (!chain && 16 + i * 512 < COMMAND_BYTES)
				memcpy(mailbox, in + 16 + i * 512,
				       MIN(512, COMMAND_BYTES - 16 - i * 512));
			next = htobe64(iova + (1 + chain) * MLX5_PAGE_SIZE + (i + 1) * 1024);
			memcpy(mailbox + 560, &next, sizeof(next));
			store32(mailbox + 568, i);
		}
	for (u8 flaws = take8(world->input) % 4; flaws; flaws--)
		world->commands[take16(world->input) % (3 * MLX5_PAGE_SIZE)] = take8(world->input);
	mmio_write32(world, 0x10, iova >> 32);
	mmio_write32(world, 0x14, (u32)iova);
	mmio_write32(world, 0x18, 1u | take8(world->input));
}

static void step_modify_qp(struct world *world)
{
	static const u16 transitions[] = {0x502, 0x503, 0x504, 0x505, 0x506, 0x507, 0x50a, 0x50e};
	struct host_path path = {};
	u8 which = take8(world->input);

	path.remote_qpn = take8(world->input) & 1 ? take_number(world) & 0xffffff
						  : world->qp[which & 3].qpn;
	path.mtu = take8(world->input) % 8;
	path.retry_count = which >> 5;
	path.rnr_retry = take8(world->input) % 8;
	path.min_rnr_nak = 1;
	path.no_remote_access = which >> 4 & 1;
	host_modify(&world->qp[which >> 2 & 3],
		    transitions[take8(world->input) % G_N_ELEMENTS(transitions)], &path);
}

static void step_reconnect(struct world *world)
{
	static const u16 transitions[] = {0x50a, 0x502, 0x503, 0x504};
	struct host_path path = {.mtu = 5, .rnr_retry = 1, .retry_count = 1, .min_rnr_nak = 1};
	u8 which = take8(world->input) & 1;

	path.remote_qpn = world->qp[!which].qpn;
	for (size_t i = 0; i < G_N_ELEMENTS(transitions); i++)
		host_modify(&world->qp[which], transitions[i], &path);
	world->qp[which].sq_producer = 0;
	world->qp[which].rq_producer = 0;
	memset(world->qp[which].doorbell, 0, 8);
}

static const u8 wqe_opcodes[] = {0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x01, 0x00, 0x25, 0x0d};

static void step_send(struct world *world)
{
	struct host_qp *qp = &world->qp[take8(world->input) % 4];
	u8 opcode = wqe_opcodes[take8(world->input) % G_N_ELEMENTS(wqe_opcodes)];
	u8 flags = take8(world->input), *wqe, *segment;
	u32 segments = 2 + (flags & 7), length = take32(world->input);

	if (!qp->sq)
		return;
	if (flags & 0x80)
		length %= BUFFER_BYTES;
	wqe = host_wqe(qp, opcode, segments, flags & 8);
	for (u32 i = 1; i < segments; i++) {
		segment = qp->sq + (wqe - qp->sq + i * 16) % ((1u << qp->log_sq) * 64);
		if (i == 1 && !(flags & 0x10))
			host_put_remote(segment, take_address(world), world->key[flags >> 4 & 3]);
		else
			take(world->input, segment, take8(world->input) % 17);
		if (flags & 0x20 && i > 1) {
			u64 address = htobe64(take_address(world));

			store32(segment, length);
			store32(segment + 4, take_number(world));
			memcpy(segment + 8, &address, sizeof(address));
		}
	}
	if (take8(world->input) & 1)
		wqe[take8(world->input) % 16] ^= take8(world->input);
	host_ring(qp);
}

static u8 *segment_at(struct host_qp *qp, const u8 *wqe, u32 index)
{
	return qp->sq + (wqe - qp->sq + index * 16) % ((1u << qp->log_sq) * 64);
}

/* A work request as a provider would write it, between keys and addresses that mostly fit. */
static void step_proper_send(struct world *world)
{
	u8 opcode = wqe_opcodes[take8(world->input) % 8], which = take8(world->input);
	struct host_qp *qp = &world->qp[which & 1];
	u32 local = world->key[which >> 1 & 7], remote = world->key[which >> 4 & 7];
	bool atomic = opcode == 0x11 || opcode == 0x12, addressed = atomic || opcode == 0x08 ||
								    opcode == 0x09 || opcode == 0x10;
	u32 segments = 2 + addressed + atomic, index = 1, length = take16(world->input);
	u64 offset = take16(world->input) & (atomic ? ~7u : ~0u);
	u8 *wqe, *segment;

	if (!qp->sq)
		return;
	wqe = host_wqe(qp, opcode, segments, true);
	if (opcode == 0x01)
		store32(wqe + 12, remote);
	if (addressed)
		host_put_remote(segment_at(qp, wqe, index++),
				host_iova(world->host, world->buffer) + offset, remote);
	if (atomic)
		take(world->input, segment_at(qp, wqe, index++), 16);
	segment = segment_at(qp, wqe, index);
	host_put_data(segment, world->buffer + take16(world->input), world->host,
		      atomic ? 8 : length, local);
	host_ring(qp);
}

static void step_datagram(struct world *world)
{
	struct host_qp *qp = &world->qp[2];
	u8 which = take8(world->input), *wqe, *segment;

	if (!qp->sq)
		return;
	wqe = host_wqe(qp, which & 1 ? 0x0a : 0x0b, 5, true);
	segment = segment_at(qp, wqe, 1);
	store32(segment + 4, 0);
	store32(segment, QKEY);
	store32(segment + 8, 1u << 31 | (which & 2 ? take_number(world) & 0xffffff : qp->qpn));
	segment[15] = 1;
	segment = segment_at(qp, wqe, 2);
	memset(segment, 0, 16);
	if (which & 4)
		store32(segment + 12, 1u << 30);
	take(world->input, segment_at(qp, wqe, 3), which & 8 ? 16 : 0);
	host_put_data(segment_at(qp, wqe, 4), world->buffer, world->host,
		      take16(world->input) % 4200, world->key[which >> 4 & 7]);
	host_ring(qp);
}

static void step_umr(struct world *world)
{
	struct host_qp *qp = &world->qp[take8(world->input) % 4];
	u8 raw[320] = {}, flags = take8(world->input), *wqe;
	u32 segments = flags & 1 ? 20 : 12;

	if (!qp->sq)
		return;
	raw[16] = take8(world->input);
	raw[16 + 5] = take8(world->input) % 17;
	raw[16 + 7] = take8(world->input) % 9;
	store32(raw + 16 + 8, flags & 2 ? take32(world->input) & 0x8000 : 0);
	store32(raw + 16 + 12, take32(world->input) & (flags & 4 ? ~0u : 0x223e61c3));
	take(world->input, raw + 64, 64);
	take(world->input, raw + 128, take8(world->input) % 193);
	patch(world, raw + 64, segments * 16 - 64);
	wqe = host_wqe(qp, 0x25, segments, true);
	store32(wqe + 12, world->key[flags >> 4 & 3]);
	for (u32 i = 1; i < segments; i++)
		memcpy(qp->sq + (wqe - qp->sq + i * 16) % ((1u << qp->log_sq) * 64), raw + i * 16,
		       16);
	host_ring(qp);
}

static void step_receive(struct world *world)
{
	u8 which = take8(world->input);
	u32 length = take16(world->input);

	if (which & 8)
		host_post_srq(world->host, &world->srq, world->buffer, length,
			      world->key[which % 4]);
	else if (world->qp[which & 3].rq)
		host_post_receive(&world->qp[which & 3], world->buffer + (which >> 4) * 64, length,
				  world->key[which & 0x10 ? which >> 5 : 0]);
}

static void step_poke(struct world *world)
{
	u64 offset = take32(world->input) % (world->host->base.used - 64);
	u8 bytes[16];

	take(world->input, bytes, take8(world->input) % sizeof(bytes));
	memcpy(world->host->base.memory + offset, bytes, sizeof(bytes));
}

static void step_mmio(struct world *world)
{
	unsigned int size = 1u << (take8(world->input) & 3);
	u32 offset = take32(world->input) % MLX5_BAR_SIZE & ~(size - 1);
	u8 data[8];

	take(world->input, data, sizeof(data));
	if (take8(world->input) & 1)
		offset %= 4 * MLX5_PAGE_SIZE;
	if (take8(world->input) & 1)
		mlx5_mmio_read(world->host->dev, offset, data, size);
	else
		mlx5_mmio_write(world->host->dev, offset, data, size);
}

static void step_arm(struct world *world)
{
	u64 uar = (u64)world->host->uar * MLX5_PAGE_SIZE;
	u8 data[8];

	store32(data, (u32)take8(world->input) << 24);
	if (take8(world->input) & 1)
		take(world->input, data, 4);
	store32(data + 4, take8(world->input) & 1 ? take_number(world) : world->cq.cqn);
	mlx5_mmio_write(world->host->dev, uar + 0x20, data, sizeof(data));
	store32(data, world->host->eqn << 24 | (world->host->eq_consumer & 0xffffff));
	mlx5_mmio_write(world->host->dev, uar + (take8(world->input) & 1 ? 0x40 : 0x48), data, 4);
}

static void step_window(struct world *world)
{
	u8 which = take8(world->input) % SMALL_WINDOWS;
	u64 iova = SMALL_IOVA + which * (u64)MLX5_PAGE_SIZE;
	struct mlx5_device *dev = world->host->dev;

	if (!dma_space_unmap(dev->dma, iova, MLX5_PAGE_SIZE))
		mlx5_device_ops()->dma_unmapped(dev, iova, MLX5_PAGE_SIZE);
	else
		dma_space_map(dev->dma, iova, MLX5_PAGE_SIZE, world->small_fd,
			      which * (u64)MLX5_PAGE_SIZE, DMA_MAY_READ | DMA_MAY_WRITE);
}

static void step_knob(struct world *world)
{
	static const char *const operations[] = {
		"page_fault", "page_fault_resume", "umr",     "send",	"rdma_write",
		"rdma_read",  "PAGE_FAULT_RESUME", "atomic", "CREATE_MKEY", "2ERR_QP",
	};
	static const char *const actions[] = {"hold", "delay", "drop", "fail"};
	u8 which = take8(world->input);
	json_t *rule;

	if (which & 0x80) {
		host_release(world->host, NULL, 1 + (which & 7));
		return;
	}
	rule = json_pack("{s:s, s:s}", "operation",
			 operations[which % G_N_ELEMENTS(operations)], "action",
			 actions[which / 16 % 4]);
	knobs_add_rule(world->host->base.knobs, rule);
	json_decref(rule);
}

/* Answers the oldest event if it is a page fault, as a driver would. */
static void step_answer(struct world *world)
{
	u8 in[IFC_BYTES(page_fault_resume_in)] = {}, out[16], flags = take8(world->input);
	void *info = IFC_PTR(page_fault_resume_in, in, page_fault_info);
	const u8 *eqe = host_event(world->host);

	if (!eqe || eqe[1] != EVENT_PAGE_FAULT)
		return;
	IFC_SET(page_fault_resume_in, in, opcode, 0x204);
	if (eqe[3] == 2) {
		IFC_SET(mem_page_fault_info, info, fault_token_31_0, ifc_get32(eqe, 40 * 8, 32));
	} else {
		u32 last = ifc_get32(eqe, 56 * 8, 32);

		IFC_SET(trans_page_fault_info, info, page_fault_type, last >> 24 & 7);
		IFC_SET(trans_page_fault_info, info, wq_number, last & 0xffffff);
		IFC_SET(trans_page_fault_info, info, fault_token,
			(eqe[3] ? last : ifc_get32(eqe, 44 * 8, 32)) & 0xffffff);
	}
	IFC_SET(mem_page_fault_info, info, error, flags & 1);
	if (flags & 2)
		in[8 + (flags >> 2 & 7)] ^= flags;
	host_command(world->host, in, sizeof(in), out, sizeof(out));
}

static void step_destroy(struct world *world)
{
	static const u16 commands[] = {0x501, 0x401, 0x302, 0x202, 0x90e, 0x706, 0x801, 0x803};
	u8 in[16] = {}, out[16];
	u16 opcode = commands[take8(world->input) % G_N_ELEMENTS(commands)];

	in[0] = opcode >> 8;
	in[1] = opcode;
	store32(in + 8, take_number(world) & 0xffffff);
	host_command(world->host, in, sizeof(in), out, sizeof(out));
}

static void step_reset(struct world *world)
{
	switch (take8(world->input) % 32) {
	case 0:
		mlx5_device_reset(world->host->dev);
		break;
	case 1:
		mlx5_device_teardown(world->host->dev);
		break;
	case 2:
		mmio_write32(world, 0x14, take8(world->input) << 8);
		break;
	default:
		break;
	}
}

static void run(struct world *world, int slices)
{
	while (slices-- && scheduler_run_slice(world->host->dev->scheduler))
		;
	ev_run(world->host->base.loop, EVRUN_NOWAIT);
}

static void step_run(struct world *world)
{
	run(world, 1 + take8(world->input) % SLICES_A_STEP);
}

static void (*const steps[])(struct world *world) = {
	step_command, step_slot, step_modify_qp, step_reconnect, step_send,  step_umr,
	step_receive, step_poke, step_mmio,	 step_arm,	 step_window, step_knob,
	step_answer,  step_run,	 step_destroy,	 step_reset,	 step_send,  step_run,
	step_proper_send, step_datagram, step_proper_send, step_receive, step_answer, step_knob,
};

/* A key of any mode, free, that UMR may change. */
static u32 new_free_key(struct world *world, u32 mode)
{
	u8 in[IFC_BYTES(create_mkey_in)] = {}, out[IFC_BYTES(create_mkey_out)];
	void *context = IFC_PTR(create_mkey_in, in, memory_key_mkey_entry);

	IFC_SET(create_mkey_in, in, opcode, 0x200);
	IFC_SET(mkc, context, access_mode_1_0, mode);
	IFC_SET(mkc, context, free, 1);
	IFC_SET(mkc, context, umr_en, 1);
	IFC_SET(mkc, context, en_rinval, 1);
	IFC_SET(mkc, context, lr, 1);
	IFC_SET(mkc, context, qpn, 0xffffff);
	IFC_SET(mkc, context, pd, world->host->pd);
	IFC_SET(mkc, context, log_page_size, MLX5_PAGE_SHIFT);
	IFC_SET(mkc, context, translations_octword_size, 16);
	host_command(world->host, in, sizeof(in), out, sizeof(out));
	return IFC_GET(create_mkey_out, out, mkey_index) << 8;
}

static u32 new_physical_key(struct world *world)
{
	u8 in[IFC_BYTES(create_mkey_in)] = {}, out[IFC_BYTES(create_mkey_out)];
	void *context = IFC_PTR(create_mkey_in, in, memory_key_mkey_entry);

	IFC_SET(create_mkey_in, in, opcode, 0x200);
	IFC_SET(mkc, context, lr, 1);
	IFC_SET(mkc, context, lw, 1);
	IFC_SET(mkc, context, rw, 1);
	IFC_SET(mkc, context, rr, 1);
	IFC_SET(mkc, context, a, 1);
	IFC_SET(mkc, context, length64, 1);
	IFC_SET(mkc, context, qpn, 0xffffff);
	IFC_SET(mkc, context, pd, world->host->pd);
	host_command(world->host, in, sizeof(in), out, sizeof(out));
	return IFC_GET(create_mkey_out, out, mkey_index) << 8;
}

/* Entries of a list of keys, loaded and enabled by UMR: a window (KLM) or an implicit region (KSM). */
static void enable_list(struct world *world, u32 key, u64 start, u64 bytes, u32 page_shift,
			const u32 *keys, u32 count)
{
	u8 wqe[128 + 64] = {};
	void *context = wqe + 64;

	store32(wqe + 12, key);
	wqe[16] = 0x90; /* inline, at an offset */
	wqe[21] = 4;
	ifc_set64(wqe, 192, 0x203e0043); /* length, page size, start, rights, free */
	IFC_SET(mkc, context, lr, 1);
	IFC_SET(mkc, context, lw, 1);
	IFC_SET(mkc, context, rr, 1);
	IFC_SET(mkc, context, rw, 1);
	IFC_SET(mkc, context, a, 1);
	IFC_SET(mkc, context, log_page_size, page_shift);
	IFC_SET64(mkc, context, start_addr, start);
	IFC_SET64(mkc, context, len, bytes);
	for (u32 i = 0; i < count; i++) {
		u8 *entry = wqe + 128 + i * 16;

		store32(entry, 1u << page_shift);
		store32(entry + 4, keys[i]);
		ifc_set64(entry, 64,
			  host_iova(world->host, world->buffer) + ((u64)i << page_shift));
	}
	umr_execute(world->host->dev, wqe, sizeof(wqe), world->host->pd, world->qp[3].qpn, true);
}

static void build(struct world *world, u8 flags)
{
	struct host_qp_options options = {.service = SERVICE_RC, .cq = &world->cq};
	struct host_path path = {.mtu = 5, .rnr_retry = 1, .retry_count = 1, .min_rnr_nak = 1,
				 .qkey = QKEY};
	struct host *host = world->host;
	u32 parts[3];
	u64 iova;

	world->small_fd = memfd_create("small", MFD_CLOEXEC);
	if (world->small_fd < 0 || ftruncate(world->small_fd, SMALL_WINDOWS * MLX5_PAGE_SIZE))
		abort();
	for (u32 i = 0; i < SMALL_WINDOWS; i++)
		dma_space_map(host->dev->dma, SMALL_IOVA + i * (u64)MLX5_PAGE_SIZE,
			      MLX5_PAGE_SIZE, world->small_fd, i * (u64)MLX5_PAGE_SIZE,
			      DMA_MAY_READ | DMA_MAY_WRITE);
	host_new_cq(host, &world->cq);
	world->buffer = host_alloc(host, BUFFER_BYTES);
	world->commands = host_alloc(host, 3 * MLX5_PAGE_SIZE);
	host_new_srq(host, &world->srq, SRQ_RMP, 4, &world->cq, 0, 0);
	if (flags & 2)
		options.srq = &world->srq;
	host_new_qp(host, &world->qp[0], &options);
	host_new_qp(host, &world->qp[1], &options);
	options.srq = NULL;
	options.service = flags & 4 ? SERVICE_UD : SERVICE_UC;
	host_new_qp(host, &world->qp[2], &options);
	options.service = SERVICE_REG_UMR;
	host_new_qp(host, &world->qp[3], &options);
	host_connect_pair(&world->qp[0], &world->qp[1], &path);
	host_connect(&world->qp[2], &path);
	host_connect(&world->qp[3], &path);
	world->key[0] = host_new_mkey(host, host->pd, world->buffer, BUFFER_BYTES, true);
	world->key[1] = host_new_mkey(host, host->pd, world->buffer, BUFFER_BYTES, false);
	world->key[2] = new_free_key(world, 1);
	world->key[3] = new_free_key(world, 2);
	world->key[4] = new_free_key(world, 3);
	world->key[5] = new_physical_key(world);
	world->key[6] = new_free_key(world, 2);
	world->key[7] = new_free_key(world, 3);
	iova = host_iova(host, world->buffer);
	parts[0] = world->key[1];
	parts[1] = world->key[6];
	parts[2] = MLX5_NULL_MKEY;
	enable_list(world, world->key[6], iova, 2u << 14, 14, world->key, 2);
	enable_list(world, world->key[7], iova, 3u << 14, 14, parts, G_N_ELEMENTS(parts));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = {.data = data, .left = size};
	struct world world = {.input = &input};
	u8 flags = take8(&input);

	world.host = host_new(flags & 1);
	build(&world, flags);
	for (int i = 0; i < MAX_STEPS && input.left; i++)
		steps[take8(&input) % G_N_ELEMENTS(steps)](&world);
	run(&world, FINAL_SLICES);
	host_free(world.host);
	close(world.small_fd);
	return 0;
}
