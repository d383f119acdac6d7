/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * QPs take turns (common/turns.h). One that waits for the host is woken by a doorbell, but for
 * receive queues, which have none.
 */
#include "../common/turns.h"
#include "qp.h"

#define WATCH_INTERVAL 0.001

struct schedule {
	struct turn turn;
	GList watch; /* data is the QP */
	bool is_watched;
};

struct qp_scheduler {
	struct mlx5_device *dev;
	struct turns *turns;
	GQueue watched;
	bool watching;
	struct ev_timer watch_timer;
};

static bool run_slice(void *opaque)
{
	struct mlx5_qp *qp = opaque;

	return qp->state == QP_ERROR ? qp_flush(qp) : requester_run(qp);
}

static void timer_ran_out(void *opaque)
{
	requester_timeout(opaque);
}

void schedule_ready(struct mlx5_qp *qp)
{
	turn_ready(&qp->schedule->turn);
}

bool scheduler_run_slice(struct qp_scheduler *scheduler)
{
	return turns_run_slice(scheduler->turns);
}

void schedule_timer_stop(struct mlx5_qp *qp)
{
	turn_timer_stop(&qp->schedule->turn);
}

void schedule_timer(struct mlx5_qp *qp, u64 nanoseconds)
{
	turn_timer(&qp->schedule->turn, nanoseconds);
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
		ev_timer_stop(pci_device_loop(scheduler->dev->pci), &scheduler->watch_timer);
		return;
	}
	ev_timer_init(&scheduler->watch_timer, look_at_receive_queues, WATCH_INTERVAL,
		      WATCH_INTERVAL);
	scheduler->watch_timer.data = scheduler;
	ev_timer_start(pci_device_loop(scheduler->dev->pci), &scheduler->watch_timer);
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
	turn_init(&qp->schedule->turn, qp->dev->scheduler->turns, run_slice, timer_ran_out, qp);
	qp->schedule->watch.data = qp;
	return true;
}

void schedule_detach(struct mlx5_qp *qp)
{
	turn_leave(&qp->schedule->turn);
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

static bool holds(const void *object, const void *ticket)
{
	const struct requester *requester = &((const struct mlx5_qp *)object)->requester;

	return requester->block == BLOCK_KNOB && requester->ticket == *(const u64 *)ticket;
}

void data_path_release(struct mlx5_device *dev, const char *operation, u64 ticket)
{
	struct mlx5_qp *qp = ticket ? id_table_find_if(dev->qps, holds, &ticket) : NULL;

	(void)operation;
	if (!qp)
		return;
	qp->requester.ticket = 0;
	requester_wake(qp);
}

struct qp_scheduler *scheduler_new(struct mlx5_device *dev)
{
	struct qp_scheduler *scheduler = g_new0(struct qp_scheduler, 1);

	scheduler->dev = dev;
	scheduler->turns = turns_new(dev->pci);
	g_queue_init(&scheduler->watched);
	return scheduler;
}

void scheduler_clear(struct qp_scheduler *scheduler)
{
	struct mlx5_qp *qp;

	turns_clear(scheduler->turns);
	while ((qp = g_queue_peek_head(&scheduler->watched)))
		schedule_watch(qp, false);
}

void scheduler_free(struct qp_scheduler *scheduler)
{
	scheduler_clear(scheduler);
	turns_free(scheduler->turns);
	g_free(scheduler);
}
