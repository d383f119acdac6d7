// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "knobs.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

struct rule {
	char *operation;
	enum knob_action action;
	uint64_t skip;
	int64_t count; /* left; -1: for ever */
	uint64_t delay_us;
	uint32_t status;
};

struct held {
	char *operation;
	uint64_t ticket;
};

struct knobs {
	GQueue rules;
	GQueue held; /* oldest first */
	uint64_t next_ticket;
	knobs_release_fn release;
	void *release_opaque;
};

struct knobs *knobs_new(void)
{
	struct knobs *knobs = g_new0(struct knobs, 1);

	g_queue_init(&knobs->rules);
	g_queue_init(&knobs->held);
	return knobs;
}

static void rule_free(void *data)
{
	struct rule *rule = data;

	g_free(rule->operation);
	g_free(rule);
}

static void held_free(void *data)
{
	struct held *held = data;

	g_free(held->operation);
	g_free(held);
}

void knobs_free(struct knobs *knobs)
{
	if (!knobs)
		return;
	g_queue_clear_full(&knobs->rules, rule_free);
	g_queue_clear_full(&knobs->held, held_free);
	g_free(knobs);
}

void knobs_set_release(struct knobs *knobs, knobs_release_fn release, void *opaque)
{
	knobs->release = release;
	knobs->release_opaque = opaque;
}

struct knob_verdict knob_check(struct knobs *knobs, const char *operation)
{
	struct knob_verdict verdict = { .action = KNOB_PASS };

	for (GList *link = knobs->rules.head; link; link = link->next) {
		struct rule *rule = link->data;

		if (strcmp(rule->operation, operation) || !rule->count)
			continue;
		if (rule->skip) {
			rule->skip--;
			return verdict;
		}
		if (rule->count > 0)
			rule->count--;
		verdict.action = rule->action;
		verdict.delay_us = rule->delay_us;
		verdict.status = rule->status;
		if (rule->action == KNOB_HOLD) {
			struct held *held = g_new0(struct held, 1);

			held->operation = g_strdup(operation);
			held->ticket = verdict.ticket = ++knobs->next_ticket;
			g_queue_push_tail(&knobs->held, held);
		}
		return verdict;
	}
	return verdict;
}

void knob_forget(struct knobs *knobs, uint64_t ticket)
{
	for (GList *link = knobs->held.head; link; link = link->next) {
		struct held *held = link->data;

		if (held->ticket == ticket) {
			g_queue_delete_link(&knobs->held, link);
			held_free(held);
			return;
		}
	}
}

static bool parse_action(const char *name, enum knob_action *action)
{
	static const char *const names[] = {
		[KNOB_DELAY] = "delay",
		[KNOB_HOLD] = "hold",
		[KNOB_DROP] = "drop",
		[KNOB_FAIL] = "fail",
	};

	for (unsigned int i = KNOB_DELAY; i < G_N_ELEMENTS(names); i++) {
		if (!strcmp(name, names[i])) {
			*action = i;
			return true;
		}
	}
	return false;
}

const char *knobs_add_rule(struct knobs *knobs, const json_t *json)
{
	json_int_t skip = 0, count = 1, delay_us = 0, status = 0;
	const char *operation, *action_name;
	enum knob_action action;
	struct rule *rule;

	if (json_unpack((json_t *)json, "{s:s, s:s, s?I, s?I, s?I, s?I}", "operation", &operation,
			"action", &action_name, "skip", &skip, "count", &count, "delay_us",
			&delay_us, "status", &status))
		return "a rule is {operation, action, and optionally the integers skip, count, "
		       "delay_us, status}";
	if (!parse_action(action_name, &action))
		return "action is one of delay, hold, drop, fail";
	if (skip < 0 || count < -1 || delay_us < 0 || status < 0 || status > UINT32_MAX)
		return "skip, delay_us and status are not negative, count is -1 or more";
	if (delay_us > 60 * 1000 * 1000)
		return "delay_us is at most a minute";
	rule = g_new0(struct rule, 1);
	rule->operation = g_strdup(operation);
	rule->action = action;
	rule->skip = skip;
	rule->count = count;
	rule->delay_us = delay_us;
	rule->status = status;
	g_queue_push_tail(&knobs->rules, rule);
	return NULL;
}

void knobs_clear_rules(struct knobs *knobs)
{
	g_queue_clear_full(&knobs->rules, rule_free);
}

unsigned int knobs_release(struct knobs *knobs, const char *operation, unsigned int most)
{
	unsigned int released = 0;
	GList *link = knobs->held.head;

	/* What is released may be held again at once, by a rule that still stands: it goes to the
	 * tail, past the last ticket that existed now. */
	uint64_t last = knobs->next_ticket;

	while (link && released < most) {
		struct held *held = link->data;

		if (held->ticket > last)
			break;
		if (operation && strcmp(held->operation, operation)) {
			link = link->next;
			continue;
		}
		g_queue_delete_link(&knobs->held, link);
		if (knobs->release)
			knobs->release(knobs->release_opaque, held->operation, held->ticket);
		held_free(held);
		released++;
		link = knobs->held.head; /* the callback may have forgotten others */
	}
	return released;
}

json_t *knobs_held_json(const struct knobs *knobs)
{
	json_t *array = json_array();

	for (GList *link = knobs->held.head; link; link = link->next) {
		struct held *held = link->data;

		json_array_append_new(array, json_pack("{s:s, s:I}", "operation", held->operation,
						       "ticket", (json_int_t)held->ticket));
	}
	return array;
}
