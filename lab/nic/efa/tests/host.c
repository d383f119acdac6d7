/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void host_write32(struct host *host, enum efa_bar bar, u64 offset, u32 value)
{
	efa_device_ops()->mmio_write(host->dev, bar, offset, &value, sizeof(value));
}

enum admin_status host_command(struct host *host, u8 opcode, u8 flags, const void *payload, u32 len,
			       void *out)
{
	u64 unwanted[8];

	return admin_execute(host->dev, opcode, flags, payload, len, out ? out : unwanted);
}

u16 host_new_pd(struct host *host)
{
	union {
		struct efa_admin_alloc_pd_resp resp;
		u8 raw[64];
	} out;

	assert_int_equal(host_command(host, EFA_ADMIN_ALLOC_PD, 0, NULL, 0, &out), ADMIN_OK);
	return out.resp.pd;
}

u16 host_new_ah(struct host *host, u16 pd, const u8 address[16])
{
	struct efa_admin_create_ah_cmd in = {.pd = pd};
	union {
		struct efa_admin_create_ah_resp resp;
		u8 raw[64];
	} out;

	memcpy(in.dest_addr, address, sizeof(in.dest_addr));
	assert_int_equal(host_command(host, EFA_ADMIN_CREATE_AH, 0, &in, sizeof(in), &out),
			 ADMIN_OK);
	return out.resp.ah;
}

static void new_eq(struct host *host)
{
	struct efa_admin_create_eq_cmd in = {
		.depth = HOST_EQES,
		.msix_vec = HOST_VECTOR,
		.caps = sizeof(struct efa_admin_eqe) / 4,
		.event_bitmask = 1,
	};
	union {
		struct efa_admin_create_eq_resp resp;
		u8 raw[64];
	} out;
	u64 base;

	host->eqes = (void *)host_alloc(host, HOST_EQES * sizeof(*host->eqes));
	base = host_iova(host, host->eqes);
	in.ba.mem_addr_low = base;
	in.ba.mem_addr_high = base >> 32;
	assert_int_equal(host_command(host, EFA_ADMIN_CREATE_EQ, 0, &in, sizeof(in), &out),
			 ADMIN_OK);
	host->eqn = out.resp.eqn;
}

static u16 new_uar(struct host *host)
{
	union {
		struct efa_admin_alloc_uar_resp resp;
		u8 raw[64];
	} out;

	assert_int_equal(host_command(host, EFA_ADMIN_ALLOC_UAR, 0, NULL, 0, &out), ADMIN_OK);
	return out.resp.uar;
}

struct host *host_new_beside(struct host *first)
{
	struct host *host = g_new0(struct host, 1);
	const struct efa_options options = {.guid = 0x0200000000000200ull, .api_version = 3};

	test_host_open(&host->base, first ? &first->base : NULL);
	host->dev = efa_device_new(&options, &host->base.model);
	assert_non_null(host->dev);
	test_host_plug(&host->base, host->dev, efa_device_ops(), host->dev->pci);
	test_host_enable_interrupts(&host->base, host->dev->pci);
	host->pd = host_new_pd(host);
	host->uar = new_uar(host);
	host->ah = host_new_ah(host, host->pd, host->dev->gid);
	new_eq(host);
	return host;
}

struct host *host_new(void)
{
	return host_new_beside(NULL);
}

void host_free(struct host *host)
{
	if (!host)
		return;
	efa_device_free(host->dev);
	test_host_close(&host->base);
	g_free(host);
}

enum admin_status host_try_mr(struct host *host, u16 pd, const void *address, u64 len, u8 rights,
			      struct host_mr *mr)
{
	u64 iova = host_iova(host, address), first = iova & ~(u64)(HOST_PAGE - 1);
	u32 pages = (iova + len - first + HOST_PAGE - 1) / HOST_PAGE;
	struct efa_admin_reg_mr_cmd in = {
		.pd = pd,
		.mr_length = len,
		.flags = 12,
		.permissions = rights,
		.iova = iova,
	};
	union {
		struct efa_admin_reg_mr_resp resp;
		u8 raw[64];
	} out;
	enum admin_status status;
	u8 flags = 0;

	if (pages <= 4) {
		for (u32 i = 0; i < pages; i++)
			in.pbl.inline_pbl_array[i] = first + i * (u64)HOST_PAGE;
	} else {
		u64 *list = (void *)host_alloc(host, pages * 8ull), where = host_iova(host, list);

		for (u32 i = 0; i < pages; i++)
			list[i] = first + i * (u64)HOST_PAGE;
		in.pbl.pbl.length = pages * 8;
		in.pbl.pbl.address.mem_addr_low = where;
		in.pbl.pbl.address.mem_addr_high = where >> 32;
		flags = EFA_ADMIN_AQ_COMMON_DESC_CTRL_DATA_MASK;
	}
	status = host_command(host, EFA_ADMIN_REG_MR, flags, &in, sizeof(in), &out);
	mr->lkey = out.resp.l_key;
	mr->rkey = out.resp.r_key;
	return status;
}

struct host_mr host_new_mr(struct host *host, u16 pd, const void *address, u64 len, u8 rights)
{
	struct host_mr mr;

	assert_int_equal(host_try_mr(host, pd, address, len, rights, &mr), ADMIN_OK);
	return mr;
}

enum admin_status host_dereg(struct host *host, u32 lkey)
{
	struct efa_admin_dereg_mr_cmd in = {.l_key = lkey};

	return host_command(host, EFA_ADMIN_DEREG_MR, 0, &in, sizeof(in), NULL);
}

void host_new_cq(struct host *host, struct host_cq *cq, const struct host_cq_options *options)
{
	struct efa_admin_create_cq_cmd in = {
		.sub_cq_depth = HOST_CQES,
		.eqn = host->eqn,
		.num_sub_cqs = 1,
		.uar = host->uar,
	};
	union {
		struct efa_admin_create_cq_resp resp;
		u8 raw[64];
	} out;
	u64 base;

	cq->host = host;
	cq->consumer = 0;
	cq->entry_size = options->entry_size ? options->entry_size : 32;
	cq->entries = host_alloc(host, HOST_CQES * cq->entry_size);
	base = host_iova(host, cq->entries);
	in.cq_ba.mem_addr_low = base;
	in.cq_ba.mem_addr_high = base >> 32;
	EFA_SET(&in.cq_caps_1, EFA_ADMIN_CREATE_CQ_CMD_INTERRUPT_MODE_ENABLED, options->events);
	EFA_SET(&in.cq_caps_2, EFA_ADMIN_CREATE_CQ_CMD_CQ_ENTRY_SIZE_WORDS, cq->entry_size / 4);
	EFA_SET(&in.cq_caps_2, EFA_ADMIN_CREATE_CQ_CMD_SET_SRC_ADDR, options->tells_source);
	EFA_SET(&in.cq_caps_2, EFA_ADMIN_CREATE_CQ_CMD_SQ_COMP_64_BIT_REQ_ID, options->wide);
	assert_int_equal(host_command(host, EFA_ADMIN_CREATE_CQ, 0, &in, sizeof(in), &out),
			 ADMIN_OK);
	cq->number = out.resp.cq_idx;
}

enum admin_status host_destroy_cq(struct host_cq *cq)
{
	struct efa_admin_destroy_cq_cmd in = {.cq_idx = cq->number};

	return host_command(cq->host, EFA_ADMIN_DESTROY_CQ, 0, &in, sizeof(in), NULL);
}

static enum admin_status modify(struct host_qp *qp, const struct efa_admin_modify_qp_cmd *in)
{
	return host_command(qp->host, EFA_ADMIN_MODIFY_QP, 0, in, sizeof(*in), NULL);
}

enum admin_status host_set_state(struct host_qp *qp, u32 state)
{
	struct efa_admin_modify_qp_cmd in = {
		.modify_mask = EFA_ADMIN_MODIFY_QP_CMD_QP_STATE_MASK,
		.qp_handle = qp->number,
		.qp_state = state,
	};

	if (state == EFA_ADMIN_QP_STATE_INIT) {
		in.modify_mask |= EFA_ADMIN_MODIFY_QP_CMD_QKEY_MASK;
		in.qkey = HOST_QKEY;
	}
	return modify(qp, &in);
}

enum admin_status host_set_rnr_retry(struct host_qp *qp, u8 retries)
{
	struct efa_admin_modify_qp_cmd in = {
		.modify_mask = EFA_ADMIN_MODIFY_QP_CMD_RNR_RETRY_MASK,
		.qp_handle = qp->number,
		.rnr_retry = retries,
	};

	return modify(qp, &in);
}

void host_to_rts(struct host_qp *qp)
{
	assert_int_equal(host_set_state(qp, EFA_ADMIN_QP_STATE_INIT), ADMIN_OK);
	assert_int_equal(host_set_state(qp, EFA_ADMIN_QP_STATE_RTR), ADMIN_OK);
	assert_int_equal(host_set_state(qp, EFA_ADMIN_QP_STATE_RTS), ADMIN_OK);
}

u32 host_state(struct host_qp *qp)
{
	struct efa_admin_query_qp_cmd in = {.qp_handle = qp->number};
	union {
		struct efa_admin_query_qp_resp resp;
		u8 raw[64];
	} out;

	assert_int_equal(host_command(qp->host, EFA_ADMIN_QUERY_QP, 0, &in, sizeof(in), &out),
			 ADMIN_OK);
	return out.resp.qp_state;
}

void host_new_qp(struct host *host, struct host_qp *qp, const struct host_qp_options *options)
{
	struct efa_admin_create_qp_cmd in = {
		.pd = options->pd ? options->pd : host->pd,
		.qp_type = options->type ? options->type : EFA_ADMIN_QP_TYPE_SRD,
		.send_cq_idx = options->cq->number,
		.recv_cq_idx = options->cq->number,
		.uar = host->uar,
	};
	union {
		struct efa_admin_create_qp_resp resp;
		u8 raw[64];
	} out;

	memset(qp, 0, sizeof(*qp));
	qp->host = host;
	qp->stride = options->long_wqe ? 128 : 64;
	qp->rq = (void *)host_alloc(host, HOST_QUEUE * sizeof(*qp->rq));
	in.rq_base_addr = host_iova(host, qp->rq);
	in.qp_alloc_size.send_queue_depth = HOST_QUEUE;
	in.qp_alloc_size.send_queue_ring_size = HOST_QUEUE * qp->stride;
	in.qp_alloc_size.recv_queue_depth = HOST_QUEUE;
	in.qp_alloc_size.recv_queue_ring_size = HOST_QUEUE * sizeof(*qp->rq);
	EFA_SET(&in.flags, EFA_ADMIN_CREATE_QP_CMD_UNSOLICITED_WRITE_RECV,
		options->unsolicited_writes);
	EFA_SET(&in.flags, EFA_ADMIN_CREATE_QP_CMD_SQ_64_BIT_REQ_ID, options->wide);
	assert_int_equal(host_command(host, EFA_ADMIN_CREATE_QP, 0, &in, sizeof(in), &out),
			 ADMIN_OK);
	qp->number = out.resp.qp_num;
	qp->sq_doorbell = out.resp.sq_db_offset;
	qp->rq_doorbell = out.resp.rq_db_offset;
	qp->sq = (u8 *)pci_device_bar_memory(host->dev->pci, EFA_LLQ_BAR) +
		 out.resp.llq_descriptors_offset;
	host_to_rts(qp);
}

enum admin_status host_destroy_qp(struct host_qp *qp)
{
	struct efa_admin_destroy_qp_cmd in = {.qp_handle = qp->number};

	return host_command(qp->host, EFA_ADMIN_DESTROY_QP, 0, &in, sizeof(in), NULL);
}

struct efa_io_tx_wqe *host_wqe(struct host_qp *qp, u8 operation, u16 request)
{
	struct efa_io_tx_wqe *wqe = (void *)(qp->sq + qp->sq_producer++ % HOST_QUEUE * qp->stride);

	memset(wqe, 0, qp->stride);
	wqe->meta.req_id = request;
	EFA_SET(&wqe->meta.ctrl1, EFA_IO_TX_META_DESC_META_DESC, 1);
	EFA_SET(&wqe->meta.ctrl1, EFA_IO_TX_META_DESC_OP_TYPE, operation);
	EFA_SET(&wqe->meta.ctrl2, EFA_IO_TX_META_DESC_FIRST, 1);
	EFA_SET(&wqe->meta.ctrl2, EFA_IO_TX_META_DESC_LAST, 1);
	EFA_SET(&wqe->meta.ctrl2, EFA_IO_TX_META_DESC_COMP_REQ, 1);
	return wqe;
}

void host_ring(struct host_qp *qp)
{
	host_write32(qp->host, EFA_DOORBELL_BAR, qp->sq_doorbell, qp->sq_producer);
}

static void fill_data(struct host_qp *qp, struct efa_io_tx_wqe *wqe, void *where,
		      const struct host_send *send)
{
	struct efa_io_tx_buf_desc segment = {.length = send->length, .lkey = send->lkey};
	u64 address;

	if (send->inline_data) {
		EFA_SET(&wqe->meta.ctrl1, EFA_IO_TX_META_DESC_INLINE_MSG, 1);
		wqe->meta.length = send->length;
		memcpy(where, send->inline_data, send->length);
		return;
	}
	if (!send->address)
		return;
	address = host_iova(qp->host, send->address);
	wqe->meta.length = 1;
	segment.buf_addr_lo = address;
	segment.buf_addr_hi = address >> 32;
	memcpy(where, &segment, sizeof(segment));
}

void host_post(struct host_qp *qp, const struct host_send *send)
{
	struct efa_io_tx_wqe *wqe = host_wqe(qp, send->operation, send->request);
	struct efa_io_remote_mem_addr *remote = &wqe->data.rdma_req.remote_mem;

	wqe->meta.dest_qp_num = send->to ? send->to->number : send->destination;
	wqe->meta.ah = send->ah ? send->ah : qp->host->ah;
	wqe->meta.qkey = send->qkey ? send->qkey : HOST_QKEY;
	wqe->meta.immediate_data = send->immediate;
	EFA_SET(&wqe->meta.ctrl1, EFA_IO_TX_META_DESC_HAS_IMM, send->has_immediate);
	if (send->operation == EFA_IO_SEND) {
		fill_data(qp, wqe, wqe->data.sgl, send);
	} else {
		u64 address = send->remote ? host_iova(qp->host, send->remote) : 0;

		remote->length = send->length;
		remote->rkey = send->rkey;
		remote->buf_addr_lo = address;
		remote->buf_addr_hi = address >> 32;
		fill_data(qp, wqe, wqe->data.rdma_req.local_mem, send);
	}
	host_ring(qp);
}

void host_ring_receive(struct host_qp *qp)
{
	host_write32(qp->host, EFA_DOORBELL_BAR, qp->rq_doorbell, qp->rq_producer);
}

void host_post_receive(struct host_qp *qp, u16 request, const void *address, u32 len, u32 lkey)
{
	struct efa_io_rx_desc *descriptor = &qp->rq[qp->rq_producer++ % HOST_QUEUE];
	u64 iova = host_iova(qp->host, address);

	*descriptor = (struct efa_io_rx_desc){
		.buf_addr_lo = iova,
		.buf_addr_hi = iova >> 32,
		.req_id = request,
		.length = len,
		.lkey_ctrl = lkey | EFA_IO_RX_DESC_FIRST_MASK | EFA_IO_RX_DESC_LAST_MASK,
	};
	host_ring_receive(qp);
}

const struct efa_io_rx_cdesc_ex *host_poll(struct host_cq *cq)
{
	const struct efa_io_rx_cdesc_ex *cqe =
		(void *)(cq->entries + cq->consumer % HOST_CQES * cq->entry_size);
	u32 phase = !(cq->consumer / HOST_CQES & 1);

	if (EFA_GET(&cqe->base.common.flags, EFA_IO_CDESC_COMMON_PHASE) != phase)
		return NULL;
	cq->consumer++;
	return cqe;
}

const struct efa_io_rx_cdesc_ex *host_wait(struct host_cq *cq)
{
	return host_wait_for(cq->host, host_poll(cq));
}

const struct efa_io_rx_cdesc_ex *host_expect(struct host_cq *cq, u16 request, u8 status)
{
	const struct efa_io_rx_cdesc_ex *cqe = host_wait(cq);

	assert_int_equal(cqe->base.common.req_id, request);
	assert_int_equal(cqe->base.common.status, status);
	return cqe;
}

const struct efa_admin_eqe *host_event(struct host *host)
{
	const struct efa_admin_eqe *eqe = &host->eqes[host->eq_consumer % HOST_EQES];

	if (EFA_GET(&eqe->common, EFA_ADMIN_EQE_PHASE) == (host->eq_consumer / HOST_EQES & 1))
		return NULL;
	host->eq_consumer++;
	return eqe;
}
