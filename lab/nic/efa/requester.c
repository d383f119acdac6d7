/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Send requests from fetch to completion. A QP works at one request at a time; one that has to
 * wait stands aside, and others overtake it.
 */
#include <time.h>

#include "qp.h"

#define REQUESTS_AT_ONCE 32u
#define RETRANSMIT_NS 1000000ull
#define MAX_RETRANSMITS 7u

enum step {
	STEP_AGAIN, /* there is more of it to do */
	STEP_WAIT,  /* it stands aside */
	STEP_ENDED, /* it is gone */
};

static u64 now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (u64)time.tv_sec * 1000000000 + (u64)time.tv_nsec;
}

static void leave(struct send_request *request)
{
	struct efa_qp *qp = request->qp;

	g_queue_remove(request->due ? &qp->waiting : &qp->active, request);
	if (request->ticket)
		knob_forget(qp->dev->knobs, request->ticket);
	qp->dev->rnr_waiting -= request->rnr;
	request->ticket = 0;
	request->due = 0;
	request->rnr = false;
}

static void count_end(struct efa_device *dev, const struct send_request *request, u8 status)
{
	struct efa_statistics *statistics = &dev->statistics;

	if (status == EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_ADDRESS)
		++*dev->count.remote_access_errors;
	if (status == EFA_IO_COMP_STATUS_LOCAL_ERROR_INVALID_LKEY)
		++*dev->count.local_protection_errors;
	switch (request->operation) {
	case EFA_IO_RDMA_READ:
		statistics->read.read_wrs++;
		statistics->read.read_bytes += status ? 0 : request->length;
		statistics->read.read_wr_err += !!status;
		break;
	case EFA_IO_RDMA_WRITE:
		statistics->write.write_wrs++;
		statistics->write.write_bytes += status ? 0 : request->length;
		statistics->write.write_wr_err += !!status;
		break;
	default:
		statistics->messages.send_wrs++;
		statistics->messages.send_bytes += status ? 0 : request->length;
		break;
	}
}

void requester_complete(struct send_request *request, u8 status)
{
	struct completion completion = {
		.operation = request->operation,
		.status = status,
		.qpn = request->qp->qpn,
		.request = request->request,
	};

	leave(request);
	count_end(request->qp->dev, request, status);
	cq_post(request->qp->send_cq, &completion);
	g_free(request);
}

void requester_forget_all(struct efa_qp *qp)
{
	struct send_request *request;

	while ((request = g_queue_peek_head(&qp->active)) ||
	       (request = g_queue_peek_head(&qp->waiting))) {
		leave(request);
		g_free(request);
	}
}

/* Of those that wait, the first one's time. */
static void set_timer(struct efa_qp *qp)
{
	u64 first = NEVER, time;

	for (GList *link = qp->waiting.head; link; link = link->next)
		first = MIN(first, ((struct send_request *)link->data)->due);
	if (first == NEVER) {
		turn_timer_stop(&qp->turn);
		return;
	}
	time = now();
	turn_timer(&qp->turn, first > time ? first - time : 0);
}

static enum step stand_aside(struct send_request *request, u64 nanoseconds)
{
	struct efa_qp *qp = request->qp;

	g_queue_remove(&qp->active, request);
	request->due = nanoseconds == NEVER ? NEVER : now() + nanoseconds;
	g_queue_push_tail(&qp->waiting, request);
	set_timer(qp);
	return STEP_WAIT;
}

static void go_on(struct send_request *request)
{
	leave(request);
	g_queue_push_tail(&request->qp->active, request);
	turn_ready(&request->qp->turn);
}

void requester_timeout(struct efa_qp *qp)
{
	u64 time = now();
	GList *next;

	for (GList *link = qp->waiting.head; link; link = next) {
		struct send_request *request = link->data;

		next = link->next;
		if (request->due <= time)
			go_on(request);
	}
	set_timer(qp);
}

struct peer_search {
	const struct efa_device *dev;
	u32 qpn, count;
};

static bool is_destination(const struct send_request *request, const struct peer_search *peer)
{
	const u8 *address = ah_address(request->qp->dev, request->ah, request->qp->pd);

	return request->destination == peer->qpn && address &&
	       !memcmp(address, peer->dev->gid, sizeof(peer->dev->gid));
}

static void wake_for_peer(void *object, void *opaque)
{
	struct peer_search *search = opaque;
	struct efa_qp *qp = object;
	GList *next;

	for (GList *link = qp->waiting.head; link && search->count; link = next) {
		struct send_request *request = link->data;

		next = link->next;
		if (!request->rnr || !is_destination(request, search))
			continue;
		go_on(request);
		search->count--;
	}
}

static bool wake_on_device(void *device, void *opaque)
{
	struct peer_search *search = opaque;
	struct efa_device *dev = device;

	if (dev->rnr_waiting)
		id_table_for_each(dev->qps, wake_for_peer, search);
	return search->count;
}

void requester_peer_ready(struct efa_qp *peer, u32 count)
{
	struct peer_search search = {.dev = peer->dev, .qpn = peer->qpn, .count = count};

	fabric_for_each(peer->dev->port, wake_on_device, &search);
}

struct ticket_search {
	u64 ticket;
	struct send_request *found;
};

static void match_ticket(void *object, void *opaque)
{
	struct ticket_search *search = opaque;
	struct efa_qp *qp = object;

	for (GList *link = qp->waiting.head; link; link = link->next)
		if (((struct send_request *)link->data)->ticket == search->ticket)
			search->found = link->data;
}

void data_path_release(struct efa_device *dev, u64 ticket)
{
	struct ticket_search search = {.ticket = ticket};

	if (!ticket)
		return;
	id_table_for_each(dev->qps, match_ticket, &search);
	if (!search.found)
		return;
	/* It has let go of it already. */
	search.found->ticket = 0;
	go_on(search.found);
}

static const char *operation_name(u8 operation)
{
	switch (operation) {
	case EFA_IO_RDMA_READ:
		return "rdma_read";
	case EFA_IO_RDMA_WRITE:
		return "rdma_write";
	default:
		return "send";
	}
}

static enum step end(struct send_request *request, u8 status)
{
	requester_complete(request, status);
	return STEP_ENDED;
}

/* On a wire it would have been lost: SRD sends it again, some times; a datagram is gone. */
static enum step lose(struct send_request *request)
{
	struct efa_admin_network_stats *network = &request->qp->dev->statistics.network;

	++*request->qp->dev->count.lost;
	if (request->qp->type == EFA_ADMIN_QP_TYPE_UD)
		return end(request, EFA_IO_COMP_STATUS_OK);
	network->retrans_timeout_events++;
	if (request->retransmits++ == MAX_RETRANSMITS) {
		network->unresponsive_remote_events++;
		return end(request, EFA_IO_COMP_STATUS_LOCAL_ERROR_UNREACH_REMOTE);
	}
	network->retrans_pkts++;
	network->retrans_bytes += request->length;
	request->gate_passed = false;
	request->link_passed = false;
	return stand_aside(request, RETRANSMIT_NS);
}

/* Every message takes its time on the links, each time it is sent. */
static enum step pass_link(struct send_request *request, const u8 *address)
{
	struct efa_device *from = request->qp->dev, *to;
	u64 delay;

	if (request->link_passed)
		return STEP_AGAIN;
	request->link_passed = true;
	to = fabric_lookup(from->port, address, EFA_GID_BYTES);
	delay = to ? fabric_delay_ns(from->port, to->port) : 0;
	return delay ? stand_aside(request, delay) : STEP_AGAIN;
}

/* Knobs act before anything of a request is done; on a lost one, each time it is sent. */
static enum step pass_gate(struct send_request *request)
{
	struct knob_verdict verdict;

	if (request->gate_passed)
		return STEP_AGAIN;
	request->gate_passed = true;
	verdict = knob_check(request->qp->dev->knobs, operation_name(request->operation));
	switch (verdict.action) {
	case KNOB_DELAY:
		return stand_aside(request, verdict.delay_us * 1000);
	case KNOB_HOLD:
		request->ticket = verdict.ticket;
		return stand_aside(request, NEVER);
	case KNOB_DROP:
		return lose(request);
	case KNOB_FAIL:
		return end(request, verdict.status ? verdict.status :
						     EFA_IO_COMP_STATUS_REMOTE_ERROR_ABORT);
	default:
		return STEP_AGAIN;
	}
}

/* What the responder said about a request that is done, but for the one thing that can wait. */
static enum step finish(struct send_request *request, u8 status)
{
	struct efa_qp *qp = request->qp;

	if (status == STATUS_LOST)
		return lose(request);
	if (status != EFA_IO_COMP_STATUS_REMOTE_ERROR_RNR)
		return end(request, status);
	++*qp->dev->count.rnr;
	if (qp->rnr_retry != RNR_RETRY_FOREVER && request->rnr_retries++ >= qp->rnr_retry)
		return end(request, status);
	request->rnr = true;
	qp->dev->rnr_waiting++;
	return stand_aside(request, qp->rnr_retry == RNR_RETRY_FOREVER ? RNR_PATIENCE_NS :
									 RNR_INTERVAL_NS);
}

static u8 local_status(enum access_result result)
{
	switch (result) {
	case ACCESS_OK:
		return EFA_IO_COMP_STATUS_OK;
	case ACCESS_DENIED:
		return EFA_IO_COMP_STATUS_LOCAL_ERROR_INVALID_LKEY;
	default:
		return EFA_IO_COMP_STATUS_LOCAL_ERROR_QP_INTERNAL_ERROR;
	}
}

static u8 local_access(struct send_request *request, void *data, u32 len, bool write)
{
	if (request->inline_data) {
		memcpy(data, request->inline_data + request->moved, len);
		return EFA_IO_COMP_STATUS_OK;
	}
	return local_status(segments_access(request->qp->dev, request->segments,
					    request->segment_count, request->qp->pd,
					    request->moved, data, len, write));
}

static u8 local_check(const struct send_request *request, bool write)
{
	for (u32 i = 0; i < request->segment_count; i++) {
		struct access access = {
			.key = request->segments[i].lkey,
			.pd = request->qp->pd,
			.va = request->segments[i].va,
			.length = request->segments[i].length,
			.kind = write ? ACCESS_LOCAL_WRITE : ACCESS_LOCAL_READ,
		};
		u8 status = local_status(mr_check(request->qp->dev, &access));

		if (status)
			return status;
	}
	return EFA_IO_COMP_STATUS_OK;
}

static enum step send(struct send_request *request)
{
	u8 data[EFA_MTU];
	u8 status = local_access(request, data, request->length, false);

	if (status)
		return end(request, status);
	return finish(request, responder_send(request->qp, request, data));
}

static u8 move(struct send_request *request, void *data, u32 len)
{
	bool read = request->operation == EFA_IO_RDMA_READ;
	u8 status;

	if (!read) {
		status = local_access(request, data, len, false);
		return status ? status : responder_rdma(request->qp, request, data, len);
	}
	status = responder_rdma(request->qp, request, data, len);
	return status ? status : local_access(request, data, len, true);
}

static enum step rdma(struct send_request *request, u32 *budget)
{
	u8 data[EFA_MTU];
	u32 len = MIN(request->length - request->moved, EFA_MTU);
	u8 status = EFA_IO_COMP_STATUS_OK;

	if (!request->moved) {
		status = local_check(request, request->operation == EFA_IO_RDMA_READ);
		if (!status)
			status = responder_check(request->qp, request);
	}
	if (!status && len)
		status = move(request, data, len);
	if (status)
		return finish(request, status);
	if (len)
		request->retransmits = 0;
	request->moved += len;
	*budget -= MIN(*budget, len);
	if (request->moved < request->length)
		return STEP_AGAIN;
	if (request->has_immediate)
		return finish(request, responder_write_immediate(request->qp, request));
	return end(request, EFA_IO_COMP_STATUS_OK);
}

static enum step work_off(struct send_request *request, u32 *budget)
{
	const u8 *address = ah_address(request->qp->dev, request->ah, request->qp->pd);
	enum step step = pass_gate(request);

	if (step)
		return step;
	if (!address)
		return end(request, EFA_IO_COMP_STATUS_LOCAL_ERROR_INVALID_AH);
	step = pass_link(request, address);
	if (step)
		return step;
	if (request->operation != EFA_IO_SEND)
		return rdma(request, budget);
	*budget -= MIN(*budget, request->length);
	return send(request);
}

bool requester_run(struct efa_qp *qp)
{
	u32 budget = QP_SLICE_BYTES;

	for (u32 i = 0; i < REQUESTS_AT_ONCE && budget; i++) {
		struct send_request *request = g_queue_peek_head(&qp->active);

		if (qp->state != EFA_ADMIN_QP_STATE_RTS && qp->state != EFA_ADMIN_QP_STATE_SQD)
			return qp->state == EFA_ADMIN_QP_STATE_ERR;
		if (!request && qp->state == EFA_ADMIN_QP_STATE_SQD)
			return false;
		if (!request && qp->sq_consumer == qp->sq_producer)
			return false;
		if (!request)
			request = send_request_fetch(qp);
		if (request)
			work_off(request, &budget);
	}
	return true;
}
