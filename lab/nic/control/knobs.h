/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Rules by which a test delays, holds, drops or fails an operation of the device, so that a race
 * happens where and when it is wanted.
 */
#ifndef LAB_NIC_CONTROL_KNOBS_H
#define LAB_NIC_CONTROL_KNOBS_H

#include <jansson.h>
#include <stdint.h>

struct knobs;

enum knob_action { KNOB_PASS, KNOB_DELAY, KNOB_HOLD, KNOB_DROP, KNOB_FAIL };

struct knob_verdict {
	enum knob_action action;
	uint64_t delay_us; /* KNOB_DELAY */
	uint32_t status;   /* KNOB_FAIL: what the operation reports, in its own terms */
	uint64_t ticket;   /* KNOB_HOLD: names the parked operation when it is released */
};

typedef void (*knobs_release_fn)(void *opaque, const char *operation, uint64_t ticket);

struct knobs *knobs_new(void);
void knobs_free(struct knobs *knobs);
void knobs_set_release(struct knobs *knobs, knobs_release_fn release, void *opaque);

/* What is to happen to this instance of the operation. Counts it against the rules. */
struct knob_verdict knob_check(struct knobs *knobs, const char *operation);
/* A held operation is gone without having been released (its queue was destroyed). */
void knob_forget(struct knobs *knobs, uint64_t ticket);

/*
 * rule: {"operation": NAME, "action": "delay"|"hold"|"drop"|"fail", "skip": N (first N pass, 0),
 * "count": N (then so many, -1: for ever; default 1), "delay_us": N, "status": N}. Later rules for
 * the same operation come after earlier ones are used up. NULL, or what is wrong with it.
 */
const char *knobs_add_rule(struct knobs *knobs, const json_t *rule);
void knobs_clear_rules(struct knobs *knobs);
/* Releases what is held of that operation (NULL: of all), oldest first; at most `most`. */
unsigned int knobs_release(struct knobs *knobs, const char *operation, unsigned int most);
/* [{"operation","ticket"}...] */
json_t *knobs_held_json(const struct knobs *knobs);

#endif
