/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "held_umr.h"

#include <errno.h>

#include "clock.h"

#define OPERATION "umr"
#define TIMEOUT_NS (20 * NS_PER_S)

int lab_hold_umrs(struct lab_control *control, struct error *err)
{
	return lab_control_request(control,
				   json_pack("{s:s, s:s, s:s, s:i}", "command", "rule", "operation",
					     OPERATION, "action", "hold", "count", -1), NULL, err);
}

/* Nothing counts what is held, so the model is asked again and again; each answer takes it a turn. */
int lab_wait_umr(struct lab_control *control, struct error *err)
{
	const int64_t deadline = clock_now_ns() + TIMEOUT_NS;

	while (clock_now_ns() < deadline) {
		json_t *reply;
		size_t held;
		int ret;

		ret = lab_control_request(control, json_pack("{s:s}", "command", "held"), &reply, err);
		if (ret)
			return ret;
		held = json_array_size(json_object_get(reply, "held"));
		json_decref(reply);
		if (held)
			return 0;
	}
	return error_set(err, ETIMEDOUT, "the driver asked for no change of a key");
}

int lab_release_umrs(struct lab_control *control, struct error *err)
{
	int ret;

	ret = lab_control_request(control, json_pack("{s:s}", "command", "clear_rules"), NULL, err);
	return ret ?: lab_control_request(control, json_pack("{s:s, s:s}", "command", "release",
							      "operation", OPERATION), NULL, err);
}
