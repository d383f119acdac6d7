/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "turns.h"

#include "../vfio-user/pci_device.h"

struct turns {
	struct pci_device *pci;
	GQueue ready;
};

struct turns *turns_new(struct pci_device *pci)
{
	struct turns *turns = g_new0(struct turns, 1);

	turns->pci = pci;
	g_queue_init(&turns->ready);
	return turns;
}

static void leave_line(struct turn *turn)
{
	if (!turn->is_ready)
		return;
	turn->is_ready = false;
	g_queue_unlink(&turn->turns->ready, &turn->link);
}

void turns_clear(struct turns *turns)
{
	while (turns->ready.head)
		leave_line(turns->ready.head->data);
}

void turns_free(struct turns *turns)
{
	if (!turns)
		return;
	turns_clear(turns);
	g_free(turns);
}

bool turns_run_slice(struct turns *turns)
{
	struct turn *turn = g_queue_peek_head(&turns->ready);

	if (!turn)
		return false;
	leave_line(turn);
	/* Only who could go on is still there for certain. */
	if (turn->slice(turn->opaque))
		turn_ready(turn);
	return turns->ready.length;
}

void turn_init(struct turn *turn, struct turns *turns, bool (*slice)(void *opaque),
	       void (*timeout)(void *opaque), void *opaque)
{
	*turn = (struct turn){
		.turns = turns,
		.slice = slice,
		.timeout = timeout,
		.opaque = opaque,
	};
	turn->link.data = turn;
}

void turn_ready(struct turn *turn)
{
	if (!turn->is_ready) {
		turn->is_ready = true;
		g_queue_push_tail_link(&turn->turns->ready, &turn->link);
	}
	pci_device_kick(turn->turns->pci);
}

static void ran_out(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct turn *turn = timer->data;

	(void)loop;
	(void)events;
	turn->timer_runs = false;
	turn->timeout(turn->opaque);
}

void turn_timer_stop(struct turn *turn)
{
	if (!turn->timer_runs)
		return;
	turn->timer_runs = false;
	ev_timer_stop(pci_device_loop(turn->turns->pci), &turn->timer);
}

void turn_timer(struct turn *turn, uint64_t nanoseconds)
{
	struct ev_loop *loop = pci_device_loop(turn->turns->pci);

	turn_timer_stop(turn);
	/* Slices may have run for a while since the loop last looked at the clock. */
	ev_now_update(loop);
	ev_timer_init(&turn->timer, ran_out, nanoseconds / 1e9, 0);
	turn->timer.data = turn;
	turn->timer_runs = true;
	ev_timer_start(loop, &turn->timer);
}

void turn_leave(struct turn *turn)
{
	leave_line(turn);
	turn_timer_stop(turn);
}
