/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define QUEUE_PAGES_BYTES 65536u

u16 cqe_index(const u8 *cqe)
{
	return (u16)load32(cqe + 58);
}

u32 cqe_bytes(const u8 *cqe)
{
	return load32(cqe + 44);
}

u32 cqe_qpn(const u8 *cqe)
{
	return load32(cqe + 56) & 0xffffff;
}

u8 host_command(struct host *host, const void *in, size_t in_len, void *out, size_t out_len)
{
	memset(out, 0, out_len);
	return command_execute(host->dev, in, (u32)in_len, out, (u32)out_len);
}

static void simple_command(struct host *host, u16 opcode, u32 number, u8 out[16])
{
	u8 in[16] = { (u8)(opcode >> 8), (u8)opcode };

	store32(in + 8, number);
	assert_int_equal(host_command(host, in, sizeof(in), out, 16), COMMAND_OK);
}

u32 host_new_pd(struct host *host)
{
	u8 out[16];

	simple_command(host, MLX5_CMD_OP_ALLOC_PD, 0, out);
	return load32(out + 8) & 0xffffff;
}

static void put_pages(const struct host *host, u8 *pas, const u8 *address, size_t len)
{
	for (size_t offset = 0; offset < len; offset += MLX5_PAGE_SIZE, pas += 8)
		store64(pas, host_iova(host, address + offset));
}

/* A driver chooses the memory scheme of page faults before INIT_HCA. */
static void choose_memory_scheme(struct host *host)
{
	u8 in[IFC_BYTES(set_hca_cap_in)] = { 0 }, out[IFC_BYTES(set_hca_cap_out)];

	IFC_SET(set_hca_cap_in, in, opcode, MLX5_CMD_OP_SET_HCA_CAP);
	IFC_SET(set_hca_cap_in, in, op_mod, 2 << 1);
	IFC_SET(odp_cap, IFC_PTR(set_hca_cap_in, in, capability), mem_page_fault, 1);
	assert_int_equal(host_command(host, in, sizeof(in), out, sizeof(out)), COMMAND_OK);
}

static void new_eq(struct host *host)
{
	u8 in[IFC_BYTES(create_eq_in) + 8 * 16] = { 0 }, out[IFC_BYTES(create_eq_out)];
	u8 *context = IFC_PTR(create_eq_in, in, eq_context_entry);

	host->eqes = host_alloc(host, HOST_EQES * 64);
	for (u32 i = 0; i < HOST_EQES; i++)
		host->eqes[i * 64 + 63] = 1;
	IFC_SET(create_eq_in, in, opcode, MLX5_CMD_OP_CREATE_EQ);
	IFC_SET(eqc, context, log_eq_size, 8);
	IFC_SET(eqc, context, uar_page, host->uar);
	IFC_SET64(create_eq_in, in, event_bitmask, ~0ull);
	put_pages(host, IFC_PTR(create_eq_in, in, pas), host->eqes, HOST_EQES * 64);
	assert_int_equal(host_command(host, in,
				      IFC_BYTES(create_eq_in) + 8 * (HOST_EQES * 64 / 4096), out,
				      sizeof(out)),
			 COMMAND_OK);
	host->eqn = IFC_GET(create_eq_out, out, eq_number);
}

static struct host *new_host(struct host *first, bool transport_faults)
{
	const struct mlx5_options options = {.transport_faults = transport_faults, .guid = 2};
	struct host *host = g_new0(struct host, 1);
	u8 out[16];

	test_host_open(&host->base, first ? &first->base : NULL);
	host->dev = mlx5_device_new(&options, &host->base.model);
	assert_non_null(host->dev);
	test_host_plug(&host->base, host->dev, mlx5_device_ops(), host->dev->pci);
	simple_command(host, MLX5_CMD_OP_ENABLE_HCA, 0, out);
	if (!transport_faults)
		choose_memory_scheme(host);
	simple_command(host, MLX5_CMD_OP_INIT_HCA, 0, out);
	simple_command(host, MLX5_CMD_OP_ALLOC_UAR, 0, out);
	host->uar = load32(out + 8) & 0xffffff;
	new_eq(host);
	host->pd = host_new_pd(host);
	return host;
}

struct host *host_new(bool transport_faults)
{
	return new_host(NULL, transport_faults);
}

struct host *host_new_beside(struct host *first)
{
	return new_host(first, false);
}

void host_free(struct host *host)
{
	if (!host)
		return;
	mlx5_device_free(host->dev);
	test_host_close(&host->base);
	g_free(host);
}

void host_new_cq(struct host *host, struct host_cq *cq)
{
	u8 in[IFC_BYTES(create_cq_in) + 8 * 16] = { 0 }, out[IFC_BYTES(create_cq_out)];
	u8 *context = IFC_PTR(create_cq_in, in, cq_context);

	cq->host = host;
	cq->consumer = 0;
	cq->entries = host_alloc(host, HOST_CQES * 64);
	for (u32 i = 0; i < HOST_CQES; i++)
		cq->entries[i * 64 + 63] = 0xf1;
	IFC_SET(create_cq_in, in, opcode, MLX5_CMD_OP_CREATE_CQ);
	IFC_SET(cqc, context, log_cq_size, 8);
	IFC_SET(cqc, context, c_eqn_or_apu_element, host->eqn);
	IFC_SET(cqc, context, uar_page, host->uar);
	IFC_SET64(cqc, context, dbr_addr, host_iova(host, host_alloc(host, 8)));
	put_pages(host, IFC_PTR(create_cq_in, in, pas), cq->entries, HOST_CQES * 64);
	assert_int_equal(host_command(host, in,
				      IFC_BYTES(create_cq_in) + 8 * (HOST_CQES * 64 / 4096), out,
				      sizeof(out)),
			 COMMAND_OK);
	cq->cqn = IFC_GET(create_cq_out, out, cqn);
}

void host_grant_all(u8 *mkc)
{
	IFC_SET(mkc, mkc, a, 1);
	IFC_SET(mkc, mkc, lr, 1);
	IFC_SET(mkc, mkc, lw, 1);
	IFC_SET(mkc, mkc, rr, 1);
	IFC_SET(mkc, mkc, rw, 1);
}

u32 host_new_mkey(struct host *host, u32 pd, const void *address, u64 len, bool present)
{
	u32 pages = (u32)((len + MLX5_PAGE_SIZE - 1) / MLX5_PAGE_SIZE);
	size_t in_len = IFC_BYTES(create_mkey_in) + ((8ull * pages + 15) & ~15ull);
	u8 *in = g_malloc0(in_len), out[IFC_BYTES(create_mkey_out)];
	u8 *context = IFC_PTR(create_mkey_in, in, memory_key_mkey_entry);
	u32 octwords = (pages + 1) / 2;

	IFC_SET(create_mkey_in, in, opcode, MLX5_CMD_OP_CREATE_MKEY);
	IFC_SET(create_mkey_in, in, pg_access, !present);
	IFC_SET(create_mkey_in, in, translations_octword_actual_size, octwords);
	IFC_SET(mkc, context, access_mode_1_0, 1); /* list of pages */
	host_grant_all(context);
	IFC_SET(mkc, context, umr_en, 1);
	IFC_SET(mkc, context, qpn, 0xffffff);
	IFC_SET(mkc, context, pd, pd);
	IFC_SET(mkc, context, mkey_7_0, 0x5a);
	IFC_SET64(mkc, context, start_addr, host_iova(host, address));
	IFC_SET64(mkc, context, len, len);
	IFC_SET(mkc, context, log_page_size, MLX5_PAGE_SHIFT);
	IFC_SET(mkc, context, translations_octword_size, octwords);
	if (present)
		put_pages(host, IFC_PTR(create_mkey_in, in, klm_pas_mtt), address, len);
	assert_int_equal(host_command(host, in, in_len, out, sizeof(out)), COMMAND_OK);
	g_free(in);
	return IFC_GET(create_mkey_out, out, mkey_index) << 8 | 0x5a;
}

u32 host_new_free_mkey(struct host *host, u32 mode, u32 pd, u32 octowords)
{
	u8 in[IFC_BYTES(create_mkey_in)] = { 0 }, out[IFC_BYTES(create_mkey_out)];
	u8 *context = IFC_PTR(create_mkey_in, in, memory_key_mkey_entry);

	IFC_SET(create_mkey_in, in, opcode, MLX5_CMD_OP_CREATE_MKEY);
	IFC_SET(mkc, context, access_mode_1_0, mode);
	IFC_SET(mkc, context, free, 1);
	IFC_SET(mkc, context, umr_en, 1);
	IFC_SET(mkc, context, en_rinval, 1);
	IFC_SET(mkc, context, lr, 1);
	IFC_SET(mkc, context, qpn, 0xffffff);
	IFC_SET(mkc, context, pd, pd);
	IFC_SET(mkc, context, log_page_size, MLX5_PAGE_SHIFT);
	IFC_SET(mkc, context, translations_octword_size, octowords);
	assert_int_equal(host_command(host, in, sizeof(in), out, sizeof(out)), COMMAND_OK);
	return IFC_GET(create_mkey_out, out, mkey_index) << 8;
}

u8 host_destroy_mkey(struct host *host, u32 key)
{
	u8 in[IFC_BYTES(destroy_mkey_in)] = { 0 }, out[IFC_BYTES(destroy_mkey_out)];

	IFC_SET(destroy_mkey_in, in, opcode, MLX5_CMD_OP_DESTROY_MKEY);
	IFC_SET(destroy_mkey_in, in, mkey_index, key >> 8);
	return host_command(host, in, sizeof(in), out, sizeof(out));
}

static void init_srq(struct host *host, struct host_srq *srq, u32 log_size)
{
	memset(srq, 0, sizeof(*srq));
	srq->log_size = log_size;
	srq->entries = host_alloc(host, 32u << log_size);
	srq->doorbell = host_alloc(host, 8);
	for (u32 i = 0; i < 1u << log_size; i++) {
		u32 next = (i + 1) & ((1u << log_size) - 1);

		srq->entries[i * 32 + 2] = (u8)(next >> 8);
		srq->entries[i * 32 + 3] = (u8)next;
	}
}

void host_new_srq(struct host *host, struct host_srq *srq, enum srq_kind kind, u32 log_size,
		  const struct host_cq *cq, u32 xrcd, u16 limit)
{
	u8 rmp[IFC_BYTES(create_rmp_in) + 8 * 8] = { 0 };
	u8 xrc[IFC_BYTES(create_xrc_srq_in) + 8 * 8] = { 0 };
	u8 out[64], *context;

	init_srq(host, srq, log_size);
	if (kind == SRQ_RMP) {
		context = IFC_PTR(rmpc, IFC_PTR(create_rmp_in, rmp, ctx), wq);
		IFC_SET(create_rmp_in, rmp, opcode, MLX5_CMD_OP_CREATE_RMP);
		IFC_SET(wq, context, log_wq_stride, 5);
		IFC_SET(wq, context, log_wq_sz, log_size);
		IFC_SET(wq, context, pd, host->pd);
		IFC_SET(wq, context, lwm, limit);
		IFC_SET64(wq, context, dbr_addr, host_iova(host, srq->doorbell));
		put_pages(host, IFC_PTR(wq, context, pas), srq->entries, 32u << log_size);
		assert_int_equal(host_command(host, rmp, sizeof(rmp), out, sizeof(out)),
				 COMMAND_OK);
		srq->srqn = IFC_GET(create_rmp_out, out, rmpn);
		return;
	}
	context = IFC_PTR(create_xrc_srq_in, xrc, xrc_srq_context_entry);
	IFC_SET(create_xrc_srq_in, xrc, opcode, MLX5_CMD_OP_CREATE_XRC_SRQ);
	IFC_SET(srqc, context, log_rq_stride, 1);
	IFC_SET(srqc, context, log_srq_size, log_size);
	IFC_SET(srqc, context, pd, host->pd);
	IFC_SET(srqc, context, xrcd, xrcd);
	IFC_SET(srqc, context, cqn, cq->cqn);
	IFC_SET(srqc, context, lwm, limit);
	IFC_SET64(srqc, context, dbr_addr, host_iova(host, srq->doorbell));
	put_pages(host, IFC_PTR(create_xrc_srq_in, xrc, pas), srq->entries, 32u << log_size);
	assert_int_equal(host_command(host, xrc, sizeof(xrc), out, sizeof(out)), COMMAND_OK);
	srq->srqn = IFC_GET(create_xrc_srq_out, out, xrc_srqn);
}

u8 host_new_qp(struct host *host, struct host_qp *qp, const struct host_qp_options *options)
{
	u8 in[IFC_BYTES(create_qp_in) + 8 * 16] = { 0 }, out[IFC_BYTES(create_qp_out)];
	u8 *qpc = IFC_PTR(create_qp_in, in, qpc), *buffer, status;
	bool own = !options->srq && options->service != SERVICE_XRC &&
		   options->service != SERVICE_REG_UMR;
	bool sends = !options->target;

	memset(qp, 0, sizeof(*qp));
	qp->host = host;
	qp->log_sq = 6;
	qp->log_rq = 6;
	buffer = host_alloc(host, QUEUE_PAGES_BYTES);
	qp->rq = buffer;
	qp->sq = own ? buffer + (32u << qp->log_rq) : buffer;
	qp->doorbell = host_alloc(host, 8);
	IFC_SET(create_qp_in, in, opcode, MLX5_CMD_OP_CREATE_QP);
	IFC_SET(qpc, qpc, st, options->service);
	IFC_SET(qpc, qpc, pd, options->pd ? options->pd : host->pd);
	IFC_SET(qpc, qpc, log_rq_stride, 1);
	IFC_SET(qpc, qpc, log_rq_size, own ? qp->log_rq : 0);
	IFC_SET(qpc, qpc, log_sq_size, sends ? qp->log_sq : 0);
	IFC_SET(qpc, qpc, no_sq, !sends);
	IFC_SET(qpc, qpc, rq_type,
		own ? RECEIVE_OWN :
		options->srq || options->service == SERVICE_XRC ? RECEIVE_SHARED : RECEIVE_NONE);
	IFC_SET(qpc, qpc, srqn_rmpn_xrqn, options->srq ? options->srq->srqn : 0);
	IFC_SET(qpc, qpc, xrcd, options->xrcd);
	IFC_SET(qpc, qpc, cqn_snd, options->cq->cqn);
	IFC_SET(qpc, qpc, cqn_rcv, options->cq->cqn);
	IFC_SET64(qpc, qpc, dbr_addr, host_iova(host, qp->doorbell));
	put_pages(host, IFC_PTR(create_qp_in, in, pas), buffer, QUEUE_PAGES_BYTES);
	status = host_command(host, in, sizeof(in), out, sizeof(out));
	qp->qpn = IFC_GET(create_qp_out, out, qpn);
	return status;
}

void host_new_rc(struct host *host, struct host_cq *cq, struct host_qp *qp)
{
	const struct host_qp_options options = { .service = SERVICE_RC, .cq = cq };

	host_new_cq(host, cq);
	assert_int_equal(host_new_qp(host, qp, &options), COMMAND_OK);
}

u8 host_modify(struct host_qp *qp, u16 opcode, const struct host_path *path)
{
	u8 in[IFC_BYTES(rst2init_qp_in)] = { 0 }, out[IFC_BYTES(rst2init_qp_out)];
	u8 *qpc = IFC_PTR(rst2init_qp_in, in, qpc);
	u8 *ads = IFC_PTR(qpc, qpc, primary_address_path);

	IFC_SET(rst2init_qp_in, in, opcode, opcode);
	IFC_SET(rst2init_qp_in, in, qpn, qp->qpn);
	IFC_SET(qpc, qpc, rre, !path->no_remote_access);
	IFC_SET(qpc, qpc, rwe, !path->no_remote_access);
	IFC_SET(qpc, qpc, rae, !path->no_remote_access);
	IFC_SET(qpc, qpc, mtu, path->mtu ? path->mtu : 5);
	IFC_SET(qpc, qpc, log_msg_max, 30);
	IFC_SET(qpc, qpc, remote_qpn, path->remote_qpn);
	IFC_SET(qpc, qpc, next_send_psn, path->send_psn);
	IFC_SET(qpc, qpc, next_rcv_psn, path->receive_psn);
	IFC_SET(qpc, qpc, retry_count, path->retry_count);
	IFC_SET(qpc, qpc, rnr_retry, path->rnr_retry);
	IFC_SET(qpc, qpc, min_rnr_nak, path->min_rnr_nak);
	IFC_SET(qpc, qpc, q_key, path->qkey);
	IFC_SET(ads, ads, rlid, path->lid ? path->lid : qp->host->dev->lid);
	IFC_SET(ads, ads, ack_timeout, path->ack_timeout);
	IFC_SET(ads, ads, vhca_port_num, 1);
	return host_command(qp->host, in, sizeof(in), out, sizeof(out));
}

void host_connect(struct host_qp *qp, const struct host_path *path)
{
	assert_int_equal(host_modify(qp, MLX5_CMD_OP_RST2INIT_QP, path), COMMAND_OK);
	assert_int_equal(host_modify(qp, MLX5_CMD_OP_INIT2RTR_QP, path), COMMAND_OK);
	assert_int_equal(host_modify(qp, MLX5_CMD_OP_RTR2RTS_QP, path), COMMAND_OK);
}

void host_connect_pair(struct host_qp *a, struct host_qp *b, const struct host_path *path)
{
	struct host_path to_b = *path, to_a = *path;

	to_b.lid = b->host->dev->lid;
	to_a.lid = a->host->dev->lid;
	to_b.remote_qpn = b->qpn;
	to_a.remote_qpn = a->qpn;
	to_a.send_psn = path->receive_psn;
	to_a.receive_psn = path->send_psn;
	host_connect(a, &to_b);
	host_connect(b, &to_a);
}

u8 host_state(struct host_qp *qp)
{
	u8 in[IFC_BYTES(query_qp_in)] = { 0 }, out[IFC_BYTES(query_qp_out)];

	IFC_SET(query_qp_in, in, opcode, MLX5_CMD_OP_QUERY_QP);
	IFC_SET(query_qp_in, in, qpn, qp->qpn);
	assert_int_equal(host_command(qp->host, in, sizeof(in), out, sizeof(out)), COMMAND_OK);
	return IFC_GET(qpc, IFC_PTR(query_qp_out, out, qpc), state);
}

u8 *host_wqe(struct host_qp *qp, u8 opcode, u32 segments, bool signalled)
{
	u8 *wqe = qp->sq + (qp->sq_producer & ((1u << qp->log_sq) - 1)) * WQE_BASIC_BLOCK;

	memset(wqe, 0, WQE_SEGMENT);
	store32(wqe, (u32)qp->sq_producer << 8 | opcode);
	store32(wqe + 4, qp->qpn << 8 | segments);
	wqe[11] = signalled ? 2 << 2 : 0;
	qp->sq_producer += (u16)((segments + 3) / 4);
	store32(qp->doorbell + 4, qp->sq_producer);
	return wqe;
}

void host_ring(struct host_qp *qp)
{
	u8 doorbell[8] = { 0 };

	store32(doorbell + 4, qp->qpn << 8);
	mlx5_mmio_write(qp->host->dev, qp->host->uar * 4096ull + 0x800, doorbell, sizeof(doorbell));
}

void host_put_remote(u8 *segment, u64 va, u32 key)
{
	store64(segment, va);
	store32(segment + 8, key);
	store32(segment + 12, 0);
}

void host_put_data(u8 *segment, const void *address, const struct host *host, u32 len, u32 key)
{
	store32(segment, len);
	store32(segment + 4, key);
	store64(segment + 8, host_iova(host, address));
}

void host_post_receive(struct host_qp *qp, const void *address, u32 len, u32 key)
{
	u8 *wqe = qp->rq + (qp->rq_producer & ((1u << qp->log_rq) - 1)) * 32;

	host_put_data(wqe, address, qp->host, len, key);
	store32(wqe + 16, 0);
	store32(wqe + 20, 0x100);
	store64(wqe + 24, 0);
	store32(qp->doorbell, ++qp->rq_producer);
}

void host_post_srq(struct host *host, struct host_srq *srq, const void *address, u32 len, u32 key)
{
	u8 *wqe = srq->entries + srq->head * 32;

	srq->head = (u32)wqe[2] << 8 | wqe[3];
	host_put_data(wqe + 16, address, host, len, key);
	store32(srq->doorbell, ++srq->posted);
}

const u8 *host_poll(struct host_cq *cq)
{
	const u8 *cqe = cq->entries + (cq->consumer % HOST_CQES) * 64;

	if (cqe_op(cqe) == 0xf || (cqe[63] & 1) != (cq->consumer / HOST_CQES & 1))
		return NULL;
	cq->consumer++;
	return cqe;
}

const u8 *host_wait(struct host_cq *cq)
{
	return host_wait_for(cq->host, host_poll(cq));
}

const u8 *host_event(struct host *host)
{
	const u8 *eqe = host->eqes + (host->eq_consumer % HOST_EQES) * 64;

	if ((eqe[63] & 1) != (host->eq_consumer / HOST_EQES & 1))
		return NULL;
	host->eq_consumer++;
	return eqe;
}
