/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "held_umr.h"

#include "knob.h"

#define OPERATION "umr"

int lab_hold_umrs(struct lab_control *control, struct error *err)
{
	return knob_set(control, OPERATION, KNOB_HOLD, -1, 0, err);
}

int lab_wait_umr(struct lab_control *control, struct error *err)
{
	return knob_wait_held(control, OPERATION, err);
}

int lab_release_umrs(struct lab_control *control, struct error *err)
{
	return knob_release(control, OPERATION, err);
}
