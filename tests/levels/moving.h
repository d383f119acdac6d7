/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Dma-bufs of the module in tests/kernel/moving-exporter. */
#ifndef TESTS_LEVELS_MOVING_H
#define TESTS_LEVELS_MOVING_H

#include <stdbool.h>
#include <stddef.h>

#include "dmabuf_moving.h"
#include "error.h"

/* Ends the running test: as failed, or as skipped if the module is not loaded. */
int moving_dmabuf(size_t size);

/*
 * Of any dma-buf: -EINVAL if it is not the module's, or if there is no module, so that nothing moves;
 * -EBUSY if an importer cannot follow.
 */
int moving_move(int dmabuf, struct error *err);
/* -ENODEV to all importers from then on, until it is given back; see the module. */
int moving_revoke(int dmabuf, struct error *err);
int moving_restore(int dmabuf, struct error *err);
/* The places that it moves to are contiguous in runs of 2^order pages. */
int moving_lay_out(int dmabuf, unsigned int order, struct error *err);
int moving_state(int dmabuf, struct dmabuf_moving_state *state, struct error *err);

/*
 * Moves again and again in a thread of its own: once at least, moves times at most. may_be_busy: that
 * some are refused with -EBUSY is no result.
 */
struct mover;
struct mover *mover_start(int dmabuf, unsigned int moves, bool may_be_busy);
/* What the moves returned, all of them the same: -EPROTO if not. */
int mover_stop(struct mover *mover, struct error *err);

#endif
