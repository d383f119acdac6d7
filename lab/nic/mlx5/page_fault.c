/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Page faults of on-demand paging. One side of a QP stops, the host is told by an event, and goes
 * on when it answers with PAGE_FAULT_RESUME. Two schemes: "memory" names the key and the address,
 * "transport" the work request or the packet, and the host finds out the rest by itself.
 *
 * An answer with error ends the access if it still needs the translation that was missing. One
 * that was met behind a list of keys gets some more tries: to take a part of an implicit region
 * away, the driver forgets the part's key first, so that a fault for it is answered with an error,
 * and changes the region's list later (7.3.4, destroy_unused_implicit_child_mr). What silicon does
 * then is not public.
 *
 * Knobs: "page_fault" delays, holds or drops the event, or fails the access as if the host had
 * answered with an error; "page_fault_resume" does the same to the host's answer.
 */
#include "device.h"

#define FLAG_LAST 0x80
#define TOKEN_BITS_MEMORY 48
#define TOKEN_BITS_TRANSPORT 24
#define MAX_DEMAND_PAGES 0xfffffu
#define MAX_PACKET_LENGTH 0xffffu
#define MICROSECONDS 1e-6
#define LIST_TRIES 7
#define LIST_FIRST_WAIT_US 1000u

enum fault_subtype { SUBTYPE_WQE = 0, SUBTYPE_RDMA = 1, SUBTYPE_MEMORY = 2 };
/* "Type" of a transport fault, by subtype. */
enum wqe_fault { WQE_SHARED_RECEIVE = 0, WQE_SEND_OR_WRITE = 1, WQE_RECEIVE = 2, WQE_READ = 3 };
enum rdma_fault { RDMA_WRITE_FAULT = 1 << 1, RDMA_FAULT = 1 << 2 };

enum fault_stage {
	STAGE_RAISING,	/* the event waits for a knob */
	STAGE_HOST,	/* the host has it */
	STAGE_RESUMING, /* the answer waits for a knob */
	STAGE_WAITING,	/* for a list of keys to change */
};

struct fault {
	struct page_faults *faults;
	u64 token;
	u32 qpn;
	enum fault_stage stage;
	enum fault_subtype subtype;
	u8 type;
	bool error;  /* the answer */
	bool forced; /* ... is a knob's */
	u32 tries;
	struct fault_report report;
	u64 ticket;
	struct ev_timer timer;
};

struct page_faults {
	struct mlx5_device *dev;
	GHashTable *outstanding; /* by token */
	u64 next_token;
};

static void fault_free(void *object)
{
	struct fault *fault = object;
	struct mlx5_device *dev = fault->faults->dev;

	ev_timer_stop(pci_device_loop(dev->pci), &fault->timer);
	if (fault->ticket)
		knob_forget(dev->knobs, fault->ticket);
	g_free(fault);
}

struct page_faults *page_faults_new(struct mlx5_device *dev)
{
	struct page_faults *faults = g_new0(struct page_faults, 1);

	faults->dev = dev;
	faults->outstanding = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, fault_free);
	faults->next_token = 1;
	return faults;
}

void page_faults_free(struct page_faults *faults)
{
	if (!faults)
		return;
	g_hash_table_destroy(faults->outstanding);
	g_free(faults);
}

void page_faults_clear(struct page_faults *faults)
{
	g_hash_table_remove_all(faults->outstanding);
}

u32 page_faults_outstanding(const struct page_faults *faults)
{
	return g_hash_table_size(faults->outstanding);
}

static void fill_memory(const struct fault *fault, u8 *data)
{
	const struct access_fault *access = &fault->report.access;
	u64 in_page = access->va & (MLX5_PAGE_SIZE - 1);
	u64 pages = (in_page + MIN(access->length, (u64)MAX_DEMAND_PAGES << MLX5_PAGE_SHIFT) +
		     MLX5_PAGE_SIZE - 1) >>
		    MLX5_PAGE_SHIFT;

	data[0] = FLAG_LAST;
	store16(data + 6, fault->token >> 32);
	store32(data + 8, fault->token);
	store32(data + 12, MIN(pages, MAX_DEMAND_PAGES) << 12);
	store32(data + 16, access->mkey);
	store64(data + 20, access->va);
}

static void fill_wqe(const struct fault *fault, u8 *data)
{
	const struct fault_report *report = &fault->report;

	store16(data + 6, report->wqe_index);
	store16(data + 10, MIN(report->packet_len, MAX_PACKET_LENGTH));
	store32(data + 12, fault->token);
	store32(data + 24, (u32)fault->type << 24 | report->wq_number);
}

static void fill_rdma(const struct fault *fault, u8 *data)
{
	const struct fault_report *report = &fault->report;

	store32(data + 4, report->r_key);
	store16(data + 10, MIN(report->packet_len, MAX_PACKET_LENGTH));
	store32(data + 12, report->rdma_len);
	store64(data + 16, report->rdma_va);
	store32(data + 24, (u32)fault->type << 24 | fault->token);
}

static void post(struct fault *fault)
{
	u8 data[28] = {};

	fault->stage = STAGE_HOST;
	switch (fault->subtype) {
	case SUBTYPE_MEMORY:
		fill_memory(fault, data);
		break;
	case SUBTYPE_WQE:
		fill_wqe(fault, data);
		break;
	case SUBTYPE_RDMA:
		fill_rdma(fault, data);
		break;
	}
	event_post(fault->faults->dev, EVENT_PAGE_FAULT, fault->subtype, data, sizeof(data));
}

static void start_timer(struct fault *fault, u64 microseconds)
{
	ev_timer_set(&fault->timer, microseconds * MICROSECONDS, 0.);
	ev_timer_start(pci_device_loop(fault->faults->dev->pci), &fault->timer);
}

static void finish(struct fault *fault)
{
	struct mlx5_device *dev = fault->faults->dev;
	struct mlx5_qp *qp = qp_find(dev, fault->qpn);
	const struct access_fault *access = &fault->report.access;
	enum fault_side side = fault->report.side;
	bool error = fault->error && (fault->forced || memory_key_still_missing(dev, access));

	if (error && !fault->forced && access->origin.key != access->mkey &&
	    fault->tries < LIST_TRIES) {
		fault->stage = STAGE_WAITING;
		start_timer(fault, LIST_FIRST_WAIT_US << fault->tries++);
		return;
	}
	(*(error ? dev->count.page_faults_failed : dev->count.page_faults_resumed))++;
	g_hash_table_remove(fault->faults->outstanding, &fault->token);
	if (qp)
		qp_fault_resumed(dev, qp, side, error);
}

static void proceed(struct fault *fault)
{
	struct mlx5_device *dev = fault->faults->dev;

	fault->ticket = 0;
	switch (fault->stage) {
	case STAGE_RAISING:
		post(fault);
		break;
	case STAGE_WAITING:
		if (memory_key_still_missing(dev, &fault->report.access)) {
			(*dev->count.page_faults)++;
			post(fault);
			break;
		}
		/* fall through */
	default:
		finish(fault);
		break;
	}
}

static void timer_ran_out(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	proceed(timer->data);
}

static void gate(struct fault *fault, const char *operation)
{
	struct knob_verdict verdict = knob_check(fault->faults->dev->knobs, operation);

	switch (verdict.action) {
	case KNOB_PASS:
		proceed(fault);
		break;
	case KNOB_DELAY:
		start_timer(fault, verdict.delay_us);
		break;
	case KNOB_HOLD:
		fault->ticket = verdict.ticket;
		break;
	case KNOB_DROP:
		/* Lost: the QP stays parked until it is reset or destroyed. */
		fault->stage = STAGE_HOST;
		break;
	case KNOB_FAIL:
		/* Not from here: the data path is still in the middle of the access. */
		fault->stage = STAGE_RESUMING;
		fault->error = true;
		fault->forced = true;
		start_timer(fault, 0);
		break;
	}
}

static void classify(struct fault *fault, bool transport)
{
	const struct fault_report *report = &fault->report;

	if (!transport) {
		fault->subtype = SUBTYPE_MEMORY;
	} else if (report->side == FAULT_RESPONDER && report->r_key) {
		fault->subtype = SUBTYPE_RDMA;
		fault->type = RDMA_FAULT | (report->access.write ? RDMA_WRITE_FAULT : 0);
	} else {
		fault->subtype = SUBTYPE_WQE;
		if (report->side == FAULT_REQUESTER)
			fault->type = report->access.write ? WQE_READ : WQE_SEND_OR_WRITE;
		else
			fault->type = report->srq ? WQE_SHARED_RECEIVE : WQE_RECEIVE;
	}
}

static u64 new_token(struct page_faults *faults, bool transport)
{
	u64 mask = (1ull << (transport ? TOKEN_BITS_TRANSPORT : TOKEN_BITS_MEMORY)) - 1, token;

	do {
		token = faults->next_token++ & mask;
	} while (!token || g_hash_table_contains(faults->outstanding, &token));
	return token;
}

void page_fault_raise(struct mlx5_device *dev, struct mlx5_qp *qp, u32 qpn,
		      const struct fault_report *report)
{
	struct fault *fault = g_new0(struct fault, 1);

	(void)qp;
	fault->faults = dev->faults;
	fault->qpn = qpn;
	fault->report = *report;
	fault->token = new_token(dev->faults, dev->transport_faults);
	ev_timer_init(&fault->timer, timer_ran_out, 0., 0.);
	fault->timer.data = fault;
	classify(fault, dev->transport_faults);
	g_hash_table_insert(dev->faults->outstanding, &fault->token, fault);
	(*dev->count.page_faults)++;
	mlx5_log(dev, "page fault: QP 0x%x %s, key 0x%x, [0x%llx, +0x%llx) for %s", qpn,
		 report->side == FAULT_REQUESTER ? "requester" : "responder", report->access.mkey,
		 (unsigned long long)report->access.va, (unsigned long long)report->access.length,
		 report->access.write ? "write" : "read");
	gate(fault, "page_fault");
}

static gboolean of_qp(void *token, void *fault, void *qpn)
{
	(void)token;
	return ((struct fault *)fault)->qpn == *(u32 *)qpn;
}

void page_fault_forget(struct mlx5_device *dev, u32 qpn)
{
	g_hash_table_foreach_remove(dev->faults->outstanding, of_qp, &qpn);
}

static gboolean has_ticket(void *token, void *fault, void *ticket)
{
	(void)token;
	return ((struct fault *)fault)->ticket == *(u64 *)ticket;
}

void page_fault_release(struct mlx5_device *dev, u64 ticket)
{
	struct fault *fault = g_hash_table_find(dev->faults->outstanding, has_ticket, &ticket);

	if (!fault)
		return;
	fault->ticket = 0;
	proceed(fault);
}

/* What the host echoes must be what it was told. */
static bool answers(const struct fault *fault, const void *info)
{
	u32 wq = IFC_GET(trans_page_fault_info, info, wq_number);

	if (fault->subtype == SUBTYPE_MEMORY)
		return true;
	return IFC_GET(trans_page_fault_info, info, page_fault_type) == fault->type &&
	       wq == (fault->subtype == SUBTYPE_WQE ? fault->report.wq_number : fault->token);
}

static enum command_status page_fault_resume(struct mlx5_device *dev, struct command *cmd)
{
	const void *info = IFC_PTR(page_fault_resume_in, cmd->in, page_fault_info);
	struct page_faults *faults = dev->faults;
	struct fault *fault;
	u64 token;

	if (dev->transport_faults)
		token = IFC_GET(trans_page_fault_info, info, fault_token);
	else
		token = (u64)IFC_GET(mem_page_fault_info, info, fault_token_47_32) << 32 |
			IFC_GET(mem_page_fault_info, info, fault_token_31_0);
	fault = g_hash_table_lookup(faults->outstanding, &token);
	/* The QP was reset or destroyed while the host worked on the fault. */
	if (!fault)
		return token && token < faults->next_token ? COMMAND_OK : COMMAND_BAD_PARAM;
	if (fault->stage != STAGE_HOST || !answers(fault, info))
		return COMMAND_BAD_PARAM;
	fault->stage = STAGE_RESUMING;
	fault->error = IFC_GET(mem_page_fault_info, info, error);
	gate(fault, "page_fault_resume");
	return COMMAND_OK;
}

const struct command_entry page_fault_commands[] = {
	{0x204, "PAGE_FAULT_RESUME", IFC_BYTES(page_fault_resume_in), 8, page_fault_resume},
	{},
};
