/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Rules for the lab NIC's operations: one is held, delayed, refused or never answered when a test wants it. */
#ifndef TESTS_LAB_KNOB_H
#define TESTS_LAB_KNOB_H

#include "lab_control.h"

enum knob_action { KNOB_HOLD, KNOB_DELAY, KNOB_DROP, KNOB_FAIL };

/* The next count instances of the operation (-1: all). delay_us is KNOB_DELAY's. */
int knob_set(struct lab_control *control, const char *operation, enum knob_action action, int count,
	     unsigned int delay_us, struct error *err);
/* The same after so many instances that pass. */
int knob_set_later(struct lab_control *control, const char *operation, enum knob_action action, int skip,
		   int count, unsigned int delay_us, struct error *err);
/* Returns when at least one instance of the operation is held. */
int knob_wait_held(struct lab_control *control, const char *operation, struct error *err);
/* How many are held now, or -errno. */
int knob_held(struct lab_control *control, const char *operation, struct error *err);
/* No rule is left, and what is held of the operation goes on. */
int knob_release(struct lab_control *control, const char *operation, struct error *err);

#endif
