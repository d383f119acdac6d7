/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Times after which something counts as hung, on a machine that may be slow: SLOWNESS in the
 * environment says how many times slower than the lab's reference it is (lab/guest/slowness; 1
 * without).
 */
#ifndef TESTS_LAB_PATIENCE_H
#define TESTS_LAB_PATIENCE_H

#include <stdint.h>

/* A time, in whatever unit, that much longer; at most INT_MAX, as for poll(). */
int patience(int time);
/* The same for nanoseconds. */
int64_t patience_ns(int64_t ns);

#endif
