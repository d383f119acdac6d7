/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "held_faults.h"

#define OPERATION "page_fault"
#define COUNTER "page_faults"
#define TIMEOUT_MS 20000

int lab_hold_faults(struct lab_control *control, uint64_t *so_far, struct error *err)
{
	int ret;

	ret = lab_control_request(control,
				  json_pack("{s:s, s:s, s:s, s:i}", "command", "rule", "operation",
					    OPERATION, "action", "hold", "count", -1), NULL, err);
	return ret ?: lab_control_counter(control, COUNTER, so_far, err);
}

int lab_wait_faults(struct lab_control *control, uint64_t count, struct error *err)
{
	return lab_control_wait(control, COUNTER, count, TIMEOUT_MS, err);
}

int lab_release_faults(struct lab_control *control, struct error *err)
{
	int ret;

	ret = lab_control_request(control, json_pack("{s:s}", "command", "clear_rules"), NULL, err);
	return ret ?: lab_control_request(control, json_pack("{s:s, s:s}", "command", "release",
							      "operation", OPERATION), NULL, err);
}
