/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "world.h"

u32 take_number(struct world *world)
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

u64 take_address(struct world *world)
{
	return fuzz_take_address(&world->fuzz, world->buffer, 8);
}

void patch(struct world *world, u8 *bytes, u32 len)
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

void mmio_write32(struct world *world, u64 offset, u32 value)
{
	u8 data[4];

	store32(data, value);
	mlx5_mmio_write(world->host->dev, offset, data, sizeof(data));
}

static u32 new_free_key(struct host *host, u32 mode)
{
	return host_new_free_mkey(host, mode, host->pd, 16);
}

static u32 new_physical_key(struct world *world)
{
	u8 in[IFC_BYTES(create_mkey_in)] = {}, out[IFC_BYTES(create_mkey_out)];
	void *context = IFC_PTR(create_mkey_in, in, memory_key_mkey_entry);

	IFC_SET(create_mkey_in, in, opcode, 0x200);
	host_grant_all(context);
	IFC_SET(mkc, context, length64, 1);
	IFC_SET(mkc, context, qpn, 0xffffff);
	IFC_SET(mkc, context, pd, world->host->pd);
	host_command(world->host, in, sizeof(in), out, sizeof(out));
	return IFC_GET(create_mkey_out, out, mkey_index) << 8;
}

/* Entries of a list of keys, loaded and enabled by UMR: a window (KLM), or an implicit region. */
static void enable_list(struct world *world, u32 key, u64 start, u64 bytes, u32 page_shift,
			const u32 *keys, u32 count)
{
	u8 wqe[128 + 64] = {};
	void *context = wqe + 64;

	store32(wqe + 12, key);
	wqe[16] = 0x90; /* inline, at an offset */
	wqe[21] = 4;
	ifc_set64(wqe, 192, 0x203e0043); /* length, page size, start, rights, free */
	host_grant_all(context);
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
	world->key[2] = new_free_key(host, 1);
	world->key[3] = new_free_key(host, 2);
	world->key[4] = new_free_key(host, 3);
	world->key[5] = new_physical_key(world);
	world->key[6] = new_free_key(host, 2);
	world->key[7] = new_free_key(host, 3);
	iova = host_iova(host, world->buffer);
	parts[0] = world->key[1];
	parts[1] = world->key[6];
	parts[2] = MLX5_NULL_MKEY;
	enable_list(world, world->key[6], iova, 2u << 14, 14, world->key, 2);
	enable_list(world, world->key[7], iova, 3u << 14, 14, parts, G_N_ELEMENTS(parts));
}

void world_begin(struct world *world, struct input *input)
{
	u8 flags = take8(input);

	world->input = input;
	world->host = host_new(flags & 1);
	fuzz_begin(&world->fuzz, input, &world->host->base);
	build(world, flags);
}

void world_end(struct world *world)
{
	fuzz_end(&world->fuzz);
	host_free(world->host);
}
