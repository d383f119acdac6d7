/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define REGISTERS 0
#define COMMIT_BYTES 176u
#define COMMIT_QP 0u
#define COMMIT_CQ 1u
#define COMMIT_MR 6u
#define COMMIT_PBLE 14u
#define STAGS (1u << 14)
#define SEGMENT_BYTES (2u << 20)
#define LOG_QUANTA 2u /* of 4 */

void host_write32(struct host *host, u64 offset, u32 value)
{
	irdma_device_ops()->mmio_write(host->dev, REGISTERS, offset, &value, sizeof(value));
}

u32 host_read32(struct host *host, u64 offset)
{
	u32 value;

	irdma_device_ops()->mmio_read(host->dev, REGISTERS, offset, &value, sizeof(value));
	return value;
}

u16 host_command(struct host *host, u8 opcode, u64 wqe[CONTROL_WQE_QWORDS])
{
	struct control_result result;

	wqe[CONTROL_HEADER] &= ~IRDMA_CQPSQ_OPCODE;
	wqe[CONTROL_HEADER] |= FIELD_PREP(IRDMA_CQPSQ_OPCODE, opcode);
	control_execute(host->dev, wqe, &result);
	return result.code;
}

static void new_cache(struct host *host)
{
	u64 *buffer = (void *)host_alloc(host, COMMIT_BYTES);
	u8 *segment = host_alloc(host, SEGMENT_BYTES);
	u64 commit[CONTROL_WQE_QWORDS] = {[4] = host_iova(host, buffer)};
	u64 update[CONTROL_WQE_QWORDS] = {
		[0] = IRDMA_PFHMC_SDCMD_PMSDWR,
		[1] = host_iova(host, segment) | IRDMA_PFHMC_SDDATALOW_PMSDVALID |
		      IRDMA_PFHMC_SDDATALOW_PMSDTYPE,
	};

	buffer[COMMIT_QP] = HOST_QPS;
	buffer[COMMIT_CQ] = HOST_CQS;
	buffer[COMMIT_MR] = STAGS;
	buffer[COMMIT_PBLE] = HOST_PBLES;
	assert_int_equal(host_command(host, IRDMA_CQP_OP_COMMIT_FPM_VAL, commit), CONTROL_OK);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_UPDATE_PE_SDS, update), CONTROL_OK);
	host->pbles = (u64)(segment - host->base.memory) +
		      (buffer[COMMIT_PBLE] >> IRDMA_COMMIT_FPM_BASE_S) * 512;
}

static void new_event_queue(struct host *host)
{
	u64 wqe[CONTROL_WQE_QWORDS] = {[2] = HOST_AEQES};

	host->aeqes = (void *)host_alloc(host, HOST_AEQES * sizeof(*host->aeqes));
	wqe[4] = host_iova(host, host->aeqes);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_CREATE_AEQ, wqe), CONTROL_OK);
}

struct host *host_new_beside(struct host *first)
{
	const struct irdma_options options = {.mac = 0x020000000200ull};
	struct host *host = g_new0(struct host, 1);

	test_host_open(&host->base, first ? &first->base : NULL);
	host->dev = irdma_device_new(&options, &host->base.model);
	assert_non_null(host->dev);
	test_host_plug(&host->base, host->dev, irdma_device_ops(), host->dev->pci);
	new_cache(host);
	new_event_queue(host);
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
	irdma_device_free(host->dev);
	test_host_close(&host->base);
	g_free(host);
}

u16 host_try_region(struct host *host, const struct host_region *region)
{
	u64 iova = host_iova(host, region->address);
	u64 wqe[CONTROL_WQE_QWORDS] = {
		[0] = iova,
		[1] = FIELD_PREP(IRDMA_CQPSQ_STAG_STAGLEN, region->length) |
		      FIELD_PREP(ICRDMA_CQPSQ_STAG_PDID, region->pd),
		[2] = FIELD_PREP(IRDMA_CQPSQ_STAG_IDX, region->index) |
		      FIELD_PREP(IRDMA_CQPSQ_STAG_KEY, region->key),
		[3] = FIELD_PREP(IRDMA_CQPSQ_STAG_ARIGHTS, region->rights) |
		      FIELD_PREP(IRDMA_CQPSQ_STAG_LPBLSIZE, region->has_list) |
		      IRDMA_CQPSQ_STAG_VABASEDTO | IRDMA_CQPSQ_STAG_MR,
		[4] = iova & HOST_PAGE_MASK,
		[6] = FIELD_PREP(IRDMA_CQPSQ_STAG_FIRSTPMPBLIDX, region->first_pble),
	};

	return host_command(host, IRDMA_CQP_OP_REG_MR, wqe);
}

u32 host_register(struct host *host, u32 index, const void *address, u64 length)
{
	const struct host_region region = {
		.index = index,
		.key = 0x5a,
		.pd = HOST_PD,
		.rights = RIGHTS_ALL,
		.address = address,
		.length = length,
	};

	assert_int_equal(host_try_region(host, &region), CONTROL_OK);
	return index << 8 | region.key;
}

u16 host_deallocate(struct host *host, u32 stag, u32 pd)
{
	u64 wqe[CONTROL_WQE_QWORDS] = {
		[1] = FIELD_PREP(ICRDMA_CQPSQ_STAG_PDID, pd),
		[2] = FIELD_PREP(IRDMA_CQPSQ_STAG_IDX, stag >> 8),
	};

	return host_command(host, IRDMA_CQP_OP_DEALLOC_STAG, wqe);
}

u16 host_try_cq(struct host *host, u32 number, u64 base, u32 count)
{
	u64 wqe[CONTROL_WQE_QWORDS] = {
		[0] = FIELD_PREP(IRDMA_CQPSQ_CQ_CQSIZE, count),
		[3] = FIELD_PREP(ICRDMA_CQPSQ_CQ_CQID, number),
		[4] = base,
		[5] = host_iova(host, host_alloc(host, HOST_PAGE)),
	};

	return host_command(host, IRDMA_CQP_OP_CREATE_CQ, wqe);
}

void host_new_cq(struct host *host, struct host_cq *cq, u32 number)
{
	*cq = (struct host_cq){.host = host, .number = number};
	cq->entries = (void *)host_alloc(host, HOST_CQES * sizeof(*cq->entries));
	assert_int_equal(host_try_cq(host, number, host_iova(host, cq->entries), HOST_CQES),
			 CONTROL_OK);
}

static u64 qp_header(const struct host_qp *qp, u8 type, u8 state)
{
	return qp->number | FIELD_PREP(IRDMA_CQPSQ_QP_QPTYPE, type) |
	       FIELD_PREP(IRDMA_CQPSQ_QP_NEXTIWSTATE, state);
}

u16 host_try_qp(struct host_qp *qp, u8 type, u64 context)
{
	u64 wqe[CONTROL_WQE_QWORDS] = {
		[2] = context,
		[3] = qp_header(qp, type, IRDMA_QP_STATE_IDLE),
	};

	return host_command(qp->host, IRDMA_CQP_OP_CREATE_QP, wqe);
}

static void lay_out_qp(struct host *host, struct host_qp *qp, u32 number, u32 remote, u32 cq)
{
	*qp = (struct host_qp){.host = host, .number = number};
	qp->context = (void *)host_alloc(host, IRDMA_QP_CTX_SIZE);
	qp->sq = (void *)host_alloc(host, HOST_QUANTA * QUANTUM_BYTES);
	qp->rq = (void *)host_alloc(host, HOST_QUANTA * QUANTUM_BYTES);
	qp->context[1] = host_iova(host, qp->sq);
	qp->context[2] = host_iova(host, qp->rq);
	qp->context[3] = FIELD_PREP(IRDMAQPC_SQSIZE, LOG_QUANTA) |
			 FIELD_PREP(IRDMAQPC_RQSIZE, LOG_QUANTA);
	qp->context[6] = FIELD_PREP(IRDMAQPC_SNDMSS, 1024);
	qp->context[7] = FIELD_PREP(IRDMAQPC_PDIDX, HOST_PD);
	qp->context[8] = FIELD_PREP(IRDMAQPC_DESTQP, remote);
	qp->context[16] = FIELD_PREP(IRDMAQPC_REXMIT_THRESH, 1) |
			  FIELD_PREP(IRDMAQPC_RNRNAK_THRESH, 1);
	qp->context[17] = FIELD_PREP(IRDMAQPC_TXCQNUM, cq) | FIELD_PREP(IRDMAQPC_RXCQNUM, cq);
	qp->context[20] = IRDMAQPC_WRRDRSPOK | IRDMAQPC_RDOK;
	qp->context[21] = number;
}

void host_new_qp(struct host *host, struct host_qp *qp, u32 number, u32 remote, u32 cq)
{
	lay_out_qp(host, qp, number, remote, cq);
	assert_int_equal(host_try_qp(qp, IRDMA_QP_TYPE_ROCE_RC, host_iova(host, qp->context)),
			 CONTROL_OK);
}

void host_new_ud_qp(struct host *host, struct host_qp *qp, u32 number, u32 qkey, u32 cq)
{
	lay_out_qp(host, qp, number, 0, cq);
	qp->context[8] = FIELD_PREP(IRDMAQPC_QKEY, qkey);
	assert_int_equal(host_try_qp(qp, IRDMA_QP_TYPE_ROCE_UD, host_iova(host, qp->context)),
			 CONTROL_OK);
	assert_int_equal(host_set_state(qp, IRDMA_QP_STATE_RTS), CONTROL_OK);
}

u16 host_set_state(struct host_qp *qp, u8 state)
{
	u64 wqe[CONTROL_WQE_QWORDS] = {
		[2] = host_iova(qp->host, qp->context),
		[3] = qp_header(qp, IRDMA_QP_TYPE_ROCE_RC, state),
	};

	return host_command(qp->host, IRDMA_CQP_OP_MODIFY_QP, wqe);
}

u16 host_flush(struct host_qp *qp)
{
	u64 wqe[CONTROL_WQE_QWORDS] = {
		[3] = FIELD_PREP(IRDMA_CQPSQ_FWQE_QPID, qp->number) | IRDMA_CQPSQ_FWQE_FLUSHSQ |
		      IRDMA_CQPSQ_FWQE_FLUSHRQ,
	};

	return host_command(qp->host, IRDMA_CQP_OP_FLUSH_WQES, wqe);
}

void host_new_pair(struct host *host, struct host_pair *pair)
{
	host_new_cq(host, &pair->cq, 3);
	host_new_qp(host, &pair->initiator, 4, 5, pair->cq.number);
	host_new_qp(host, &pair->responder, 5, 4, pair->cq.number);
	assert_int_equal(host_set_state(&pair->initiator, IRDMA_QP_STATE_RTS), CONTROL_OK);
	assert_int_equal(host_set_state(&pair->responder, IRDMA_QP_STATE_RTS), CONTROL_OK);
}

static void put(u64 (*ring)[4], u32 *producer, const u64 qwords[4])
{
	u64 *quantum = ring[*producer % HOST_QUANTA];
	bool polarity = !(*producer / HOST_QUANTA & 1);

	memcpy(quantum, qwords, QUANTUM_BYTES);
	quantum[3] &= ~IRDMAQPSQ_VALID;
	quantum[3] |= FIELD_PREP(IRDMAQPSQ_VALID, polarity);
	++*producer;
}

void host_put(struct host_qp *qp, const u64 qwords[4])
{
	put(qp->sq, &qp->sq_producer, qwords);
}

void host_ring(struct host_qp *qp)
{
	host_write32(qp->host, PFPE_WQEALLOC, qp->number);
}

static u64 fragment(u32 length, u32 stag)
{
	return FIELD_PREP(IRDMAQPSQ_FRAG_LEN, length) | FIELD_PREP(IRDMAQPSQ_FRAG_STAG, stag);
}

void host_post(struct host_qp *qp, u8 opcode, const void *local, u32 length, u32 stag,
	       const void *remote, u32 remote_stag)
{
	const u64 qwords[4] = {
		host_iova(qp->host, local),
		fragment(length, stag),
		remote ? host_iova(qp->host, remote) : 0,
		FIELD_PREP(IRDMAQPSQ_OPCODE, opcode) | FIELD_PREP(IRDMAQPSQ_REMSTAG, remote_stag) |
			IRDMAQPSQ_SIGCOMPL,
	};

	host_put(qp, qwords);
	host_ring(qp);
}

void host_post_receive(struct host_qp *qp, const void *local, u32 length, u32 stag)
{
	const u64 qwords[4] = {host_iova(qp->host, local), fragment(length, stag)};

	put(qp->rq, &qp->rq_producer, qwords);
}

const u64 *host_poll(struct host_cq *cq)
{
	const u64 *entry = cq->entries[cq->consumer % HOST_CQES];
	bool polarity = !(cq->consumer / HOST_CQES & 1);

	if (FIELD_GET(IRDMA_CQ_VALID, entry[3]) != polarity)
		return NULL;
	/* Immediate data lies in an entry of its own. */
	cq->consumer += entry[3] & IRDMA_CQ_EXTCQE ? 2 : 1;
	return entry;
}

const u64 *host_wait(struct host_cq *cq)
{
	return host_wait_for(cq->host, host_poll(cq));
}

const u64 *host_event(struct host *host)
{
	const u64 *entry = host->aeqes[host->aeq_consumer % HOST_AEQES];

	if (FIELD_GET(IRDMA_AEQE_VALID, entry[1]) == (host->aeq_consumer / HOST_AEQES & 1))
		return NULL;
	host->aeq_consumer++;
	host_write32(host, PFPE_AEQALLOC, 1);
	return entry;
}

void host_expect_event(struct host *host, u16 code, u32 qpn)
{
	const u64 *entry = host_wait_for(host, host_event(host));

	assert_int_equal(FIELD_GET(IRDMA_AEQE_AECODE, entry[1]), code);
	assert_int_equal(FIELD_GET(IRDMA_AEQE_QPCQID_LOW, entry[1]), qpn);
}
