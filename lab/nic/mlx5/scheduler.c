/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Whose turn it is. QPs with work stand in one queue and get a slice each, so a long message, or
 * thousands of work requests to flush, hold nobody else up. A QP that waits (for the host, a timer,
 * a knob) is not in the queue.
 */
#include "qp.h"

#define WATCH_INTERVAL 0.001

struct schedule {
	GList ready, watch; /* links; data is the QP */
	bool is_ready, is_watched, timer_runs;
	struct ev_timer timer;
};

struct qp_scheduler {
	struct mlx5_device *dev;
	GQueue ready;
	GQueue watched;
	bool watching;
	struct ev_timer watch_timer;
};

static struct ev_loop *loop(struct mlx5_device *dev)
{
	return dev->pci ? pci_device_loop(dev->pci) : EV_DEFAULT;
}

void schedule_ready(struct mlx5_qp *qp)
{
	struct qp_scheduler *scheduler = qp->dev->scheduler;

	if (!qp->schedule->is_ready) {
		qp->schedule->is_ready = true;
		g_queue_push_tail_link(&scheduler->ready, &qp->schedule->ready);
	}
	if (qp->dev->pci)
		pci_device_kick(qp->dev->pci);
}

static void leave_ready(struct qp_scheduler *scheduler, struct mlx5_qp *qp)
{
	if (!qp->schedule->is_ready)
		return;
	qp->schedule->is_ready = false;
	g_queue_unlink(&scheduler->ready, &qp->schedule->ready);
}

bool scheduler_run_slice(struct qp_scheduler *scheduler)
{
	struct mlx5_qp *qp = g_queue_peek_head(&scheduler->ready);
	bool more;

	if (!qp)
		return false;
	leave_ready(scheduler, qp);
	more = qp->state == QP_ERROR ? qp_flush(qp) : requester_run(qp);
	if (more)
		schedule_ready(qp);
	return scheduler->ready.length;
}

static void timer_ran_out(struct ev_loop *unused, struct ev_timer *timer, int events)
{
	struct mlx5_qp *qp = timer->data;

	(void)unused;
	(void)events;
	qp->schedule->timer_runs = false;
	requester_timeout(qp);
}

void schedule_timer_stop(struct mlx5_qp *qp)
{
	if (!qp->schedule->timer_runs)
		return;
	qp->schedule->timer_runs = false;
	ev_timer_stop(loop(qp->dev), &qp->schedule->timer);
}

void schedule_timer(struct mlx5_qp *qp, u64 nanoseconds)
{
	schedule_timer_stop(qp);
	/* Slices may have run for a while since the loop last looked at the clock. */
	ev_now_update(loop(qp->dev));
	ev_timer_init(&qp->schedule->timer, timer_ran_out, nanoseconds / 1e9, 0);
	qp->schedule->timer.data = qp;
	qp->schedule->timer_runs = true;
	ev_timer_start(loop(qp->dev), &qp->schedule->timer);
}

static void look_at_receive_queues(struct ev_loop *unused, struct ev_timer *timer, int events)
{
	struct qp_scheduler *scheduler = timer->data;
	GList *next;

	(void)unused;
	(void)events;
	for (GList *link = scheduler->watched.head; link; link = next) {
		struct mlx5_qp *qp = link->data;
		u16 producer;

		next = link->next;
		if (doorbell_record_read(qp->dev, qp->doorbell_record, &producer))
			schedule_watch(qp, false);
		else if (producer != qp->responder.consumer)
			schedule_ready(qp);
	}
}

static void update_watch_timer(struct qp_scheduler *scheduler)
{
	bool wanted = scheduler->watched.length;

	if (wanted == scheduler->watching)
		return;
	scheduler->watching = wanted;
	if (!wanted) {
		ev_timer_stop(loop(scheduler->dev), &scheduler->watch_timer);
		return;
	}
	ev_timer_init(&scheduler->watch_timer, look_at_receive_queues, WATCH_INTERVAL,
		      WATCH_INTERVAL);
	scheduler->watch_timer.data = scheduler;
	ev_timer_start(loop(scheduler->dev), &scheduler->watch_timer);
}

void schedule_watch(struct mlx5_qp *qp, bool on)
{
	struct qp_scheduler *scheduler = qp->dev->scheduler;

	on = on && qp->has_rq;
	if (on == qp->schedule->is_watched)
		return;
	qp->schedule->is_watched = on;
	if (on)
		g_queue_push_tail_link(&scheduler->watched, &qp->schedule->watch);
	else
		g_queue_unlink(&scheduler->watched, &qp->schedule->watch);
	update_watch_timer(scheduler);
}

bool schedule_attach(struct mlx5_qp *qp)
{
	qp->schedule = g_try_new0(struct schedule, 1);
	if (!qp->schedule)
		return false;
	qp->schedule->ready.data = qp;
	qp->schedule->watch.data = qp;
	return true;
}

void schedule_detach(struct mlx5_qp *qp)
{
	leave_ready(qp->dev->scheduler, qp);
	schedule_timer_stop(qp);
	schedule_watch(qp, false);
	g_free(qp->schedule);
	qp->schedule = NULL;
}

enum gate schedule_gate(struct mlx5_qp *qp, const char *operation, u32 *status)
{
	struct knob_verdict verdict;

	if (!qp->dev->knobs)
		return GATE_OPEN;
	verdict = knob_check(qp->dev->knobs, operation);
	switch (verdict.action) {
	case KNOB_DELAY:
		schedule_timer(qp, verdict.delay_us * 1000);
		return GATE_WAIT;
	case KNOB_HOLD:
		qp->requester.ticket = verdict.ticket;
		return GATE_WAIT;
	case KNOB_DROP:
		return GATE_DROP;
	case KNOB_FAIL:
		*status = verdict.status;
		return GATE_FAIL;
	default:
		return GATE_OPEN;
	}
}

struct ticket_search {
	u64 ticket;
	struct mlx5_qp *found;
};

static void match_ticket(void *object, void *opaque)
{
	struct ticket_search *search = opaque;
	struct mlx5_qp *qp = object;

	if (qp->requester.block == BLOCK_KNOB && qp->requester.ticket == search->ticket)
		search->found = qp;
}

void data_path_release(struct mlx5_device *dev, const char *operation, u64 ticket)
{
	struct ticket_search search = { .ticket = ticket };

	(void)operation;
	if (!ticket)
		return;
	id_table_for_each(dev->qps, match_ticket, &search);
	if (!search.found)
		return;
	search.found->requester.ticket = 0;
	requester_wake(search.found);
}

struct qp_scheduler *scheduler_new(struct mlx5_device *dev)
{
	struct qp_scheduler *scheduler = g_new0(struct qp_scheduler, 1);

	scheduler->dev = dev;
	g_queue_init(&scheduler->ready);
	g_queue_init(&scheduler->watched);
	return scheduler;
}

void scheduler_clear(struct qp_scheduler *scheduler)
{
	struct mlx5_qp *qp;

	while ((qp = g_queue_peek_head(&scheduler->ready)))
		leave_ready(scheduler, qp);
	while ((qp = g_queue_peek_head(&scheduler->watched)))
		schedule_watch(qp, false);
}

void scheduler_free(struct qp_scheduler *scheduler)
{
	scheduler_clear(scheduler);
	g_free(scheduler);
}
