/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Changes of memory keys that wait at the device: a revoke that is under way for as long as a test wants. */
#ifndef TESTS_LAB_HELD_UMR_H
#define TESTS_LAB_HELD_UMR_H

#include "lab_control.h"

/* From now on every change of a key waits. */
int lab_hold_umrs(struct lab_control *control, struct error *err);
/* Returns when at least one is waiting. */
int lab_wait_umr(struct lab_control *control, struct error *err);
/* Those that wait are done, and none waits any more. */
int lab_release_umrs(struct lab_control *control, struct error *err);

#endif
