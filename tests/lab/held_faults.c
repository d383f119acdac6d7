/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "held_faults.h"

#include "knob.h"
#include "patience.h"

#define OPERATION "page_fault"
#define COUNTER "page_faults"
#define TIMEOUT_MS patience(20000)

int lab_hold_faults(struct lab_control *control, uint64_t *so_far, struct error *err)
{
	int ret = knob_set(control, OPERATION, KNOB_HOLD, -1, 0, err);

	return ret ?: lab_control_counter(control, COUNTER, so_far, err);
}

int lab_wait_faults(struct lab_control *control, uint64_t count, struct error *err)
{
	return lab_control_wait(control, COUNTER, count, TIMEOUT_MS, err);
}

int lab_release_faults(struct lab_control *control, struct error *err)
{
	return knob_release(control, OPERATION, err);
}
