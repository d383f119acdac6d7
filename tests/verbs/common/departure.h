/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The NIC of a race goes, in a thread of its own, and comes back: its driver is unbound, or its PCI
 * function removed. The functions end the running test when they fail.
 */
#ifndef TESTS_VERBS_COMMON_DEPARTURE_H
#define TESTS_VERBS_COMMON_DEPARTURE_H

#include "race.h"

enum loss { LOSS_UNBIND, LOSS_REMOVE };

/* Outlives the test's function, as a struct race_call does: static. */
struct departure {
	enum loss loss;
	char bdf[32], driver[64];
	struct race_call call;
};

/* Which NIC it is that will go. */
void departure_prepare(struct race *race, struct departure *departure, enum loss loss);
void departure_begin(struct race *race, struct departure *departure);
/* It has gone. */
void departure_join(struct race *race, struct departure *departure);
/* It is back, its link is up, and it serves. */
void departure_undo(struct race *race, const struct departure *departure, uint32_t seed);

#endif
