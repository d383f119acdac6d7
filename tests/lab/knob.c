/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "knob.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "patience.h"

#define TIMEOUT_NS patience_ns(20 * NS_PER_S)

int knob_set_later(struct lab_control *control, const char *operation, enum knob_action action, int skip,
		   int count, unsigned int delay_us, struct error *err)
{
	static const char *const names[] = {
		[KNOB_HOLD] = "hold", [KNOB_DELAY] = "delay", [KNOB_DROP] = "drop", [KNOB_FAIL] = "fail",
	};
	json_t *rule = json_pack("{s:s, s:s, s:s, s:i, s:i}", "command", "rule", "operation", operation,
				 "action", names[action], "skip", skip, "count", count);

	if (action == KNOB_DELAY)
		json_object_set_new(rule, "delay_us", json_integer(delay_us));
	return lab_control_request(control, rule, NULL, err);
}

int knob_set(struct lab_control *control, const char *operation, enum knob_action action, int count,
	     unsigned int delay_us, struct error *err)
{
	return knob_set_later(control, operation, action, 0, count, delay_us, err);
}

int knob_held(struct lab_control *control, const char *operation, struct error *err)
{
	json_t *reply, *held;
	size_t index;
	int ret;

	ret = lab_control_request(control, json_pack("{s:s}", "command", "held"), &reply, err);
	if (ret)
		return ret;
	json_array_foreach(json_object_get(reply, "held"), index, held) {
		const char *name = json_string_value(json_object_get(held, "operation"));

		ret += name && !strcmp(name, operation);
	}
	json_decref(reply);
	return ret;
}

/* Nothing counts what is held, so the model is asked again and again; each answer takes it a turn. */
int knob_wait_held(struct lab_control *control, const char *operation, struct error *err)
{
	const int64_t deadline = clock_now_ns() + TIMEOUT_NS;
	int held;

	do {
		held = knob_held(control, operation, err);
	} while (!held && clock_now_ns() < deadline);
	if (held < 0)
		return held;
	return held ? 0 : error_set(err, ETIMEDOUT, "the NIC was never asked for \"%s\"", operation);
}

int knob_release(struct lab_control *control, const char *operation, struct error *err)
{
	int ret;

	ret = lab_control_request(control, json_pack("{s:s}", "command", "clear_rules"), NULL, err);
	return ret ?: lab_control_request(control, json_pack("{s:s, s:s}", "command", "release",
							      "operation", operation), NULL, err);
}
