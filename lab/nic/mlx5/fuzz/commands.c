/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Commands: any bytes for any operation, and those that keep the rest going. */
#include "world.h"

#define COMMAND_BYTES 1024u
#define MAILBOXES 3u

static const u16 opcodes[] = {
	0x100, 0x101, 0x102, 0x103, 0x104, 0x105, 0x107, 0x108, 0x109, 0x10a, 0x10b, 0x200, 0x201,
	0x202, 0x203, 0x204, 0x301, 0x302, 0x303, 0x400, 0x401, 0x402, 0x403, 0x500, 0x501, 0x502,
	0x503, 0x504, 0x505, 0x506, 0x507, 0x50a, 0x50b, 0x50c, 0x50d, 0x50e, 0x700, 0x701, 0x702,
	0x703, 0x705, 0x706, 0x707, 0x708, 0x750, 0x762, 0x763, 0x764, 0x765, 0x770, 0x771, 0x772,
	0x773, 0x800, 0x801, 0x802, 0x803, 0x805, 0x806, 0x807, 0x80d, 0x80e, 0x80f, 0x816, 0x817,
	0x90c, 0x90d, 0x90e, 0x90f, 0x205, 0x206,
};

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

void step_command(struct world *world)
{
	u8 in[COMMAND_BYTES], out[COMMAND_BYTES];
	u32 len = make_command(world, in);

	host_command(world->host, in, len, out, 8 + take16(world->input) % (COMMAND_BYTES - 8));
}

/* The same through a slot and mailboxes, of which any byte may be wrong. */
void step_slot(struct world *world)
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

void step_modify_qp(struct world *world)
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

void step_reconnect(struct world *world)
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

/* Answers the oldest event if it is a page fault, as a driver would. */
void step_answer(struct world *world)
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

void step_destroy(struct world *world)
{
	static const u16 commands[] = {0x501, 0x401, 0x302, 0x202, 0x90e, 0x706, 0x801, 0x803};
	u8 in[16] = {}, out[16];
	u16 opcode = commands[take8(world->input) % G_N_ELEMENTS(commands)];

	in[0] = opcode >> 8;
	in[1] = opcode;
	store32(in + 8, take_number(world) & 0xffffff);
	host_command(world->host, in, sizeof(in), out, sizeof(out));
}
