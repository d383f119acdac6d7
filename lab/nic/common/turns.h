/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Whose turn it is. Queues with work stand in one line and get a slice each, so a long message, or
 * thousands of work requests to flush, hold nobody else up. A queue that waits (for the host, a
 * timer, a knob) is not in the line.
 */
#ifndef LAB_NIC_COMMON_TURNS_H
#define LAB_NIC_COMMON_TURNS_H

#include <ev.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct pci_device;
struct turns;

/* One queue's place in the line and its one timer. */
struct turn {
	struct turns *turns;
	/* One bounded slice; true if it could go on at once. May take the turn out, or free it. */
	bool (*slice)(void *opaque);
	void (*timeout)(void *opaque);
	void *opaque;
	GList link;
	bool is_ready, timer_runs;
	struct ev_timer timer;
};

/* The function is kicked when somebody is ready; its work() is turns_run_slice(). */
struct turns *turns_new(struct pci_device *pci);
/* Nobody may have a turn any more. */
void turns_free(struct turns *turns);
/* Nobody is ready any more; timers run on. */
void turns_clear(struct turns *turns);
/* One slice for the first in the line; true while more is ready. */
bool turns_run_slice(struct turns *turns);

void turn_init(struct turn *turn, struct turns *turns, bool (*slice)(void *opaque),
	       void (*timeout)(void *opaque), void *opaque);
/* Out of the line, and no timer. */
void turn_leave(struct turn *turn);
void turn_ready(struct turn *turn);
/* Replaces a timer that runs. */
void turn_timer(struct turn *turn, uint64_t nanoseconds);
void turn_timer_stop(struct turn *turn);

#endif
