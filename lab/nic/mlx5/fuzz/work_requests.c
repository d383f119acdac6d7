/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Work requests, from any bytes to what a provider would write. */
#include "world.h"

static const u8 wqe_opcodes[] = {0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x01, 0x00, 0x25, 0x0d};

static u8 *segment_at(struct host_qp *qp, const u8 *wqe, u32 index)
{
	return qp->sq + (wqe - qp->sq + index * 16) % ((1u << qp->log_sq) * 64);
}

void step_send(struct world *world)
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
		segment = segment_at(qp, wqe, i);
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

/* A work request as a provider would write it, between keys and addresses that mostly fit. */
void step_proper_send(struct world *world)
{
	u8 opcode = wqe_opcodes[take8(world->input) % 8], which = take8(world->input);
	struct host_qp *qp = &world->qp[which & 1];
	u32 local = world->key[which >> 1 & 7], remote = world->key[which >> 4 & 7];
	bool atomic = opcode == 0x11 || opcode == 0x12;
	bool addressed = atomic || opcode == 0x08 || opcode == 0x09 || opcode == 0x10;
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

void step_datagram(struct world *world)
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

void step_umr(struct world *world)
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
		memcpy(segment_at(qp, wqe, i), raw + i * 16, 16);
	host_ring(qp);
}

void step_receive(struct world *world)
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
