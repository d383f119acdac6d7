/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "rounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
/* After those that it wants. */
#include <cmocka.h>

#include "clock.h"
#include "options.h"

#define FLOOR_MAX 100000000

struct rounds test_rounds = { .wanted = 1, .now = clock_now_ns };

enum key {
	KEY_BUDGET = 0x300,
	KEY_FLOOR,
};

static const struct argp_option option_list[] = {
	{ NULL, 0, NULL, 0, "The rounds of each case that has some (-n gives how many):", 5 },
	{ "budget", KEY_BUDGET, "SECONDS", 0, "start no round after this time (default: no limit)", 5 },
	{ "floor", KEY_FLOOR, "N", 0, "make so many rounds whatever they take (default 1)", 5 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case KEY_BUDGET:
		if (parse_seconds(arg, &test_rounds.budget_ns))
			argp_error(state, "--budget takes seconds such as 20 or 0.5, not \"%s\"", arg);
		return 0;
	case KEY_FLOOR:
		if (parse_unsigned(arg, 1, FLOOR_MAX, &test_rounds.floor))
			argp_error(state, "--floor takes a number from 1 to %d, not \"%s\"", FLOOR_MAX, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp rounds_argp = { option_list, parse_option, NULL, NULL, NULL, NULL, NULL };

void rounds_begin(struct rounds *rounds)
{
	rounds->done = 0;
	rounds->began = rounds->now();
}

static bool budget_is_left(const struct rounds *rounds)
{
	return !rounds->budget_ns || rounds->now() - rounds->began < rounds->budget_ns;
}

static void report(const struct rounds *rounds)
{
	char budget[48] = "";

	if (rounds->budget_ns)
		snprintf(budget, sizeof(budget), " (budget %g s)", (double)rounds->budget_ns / NS_PER_S);
	print_message("# rounds: %u of %u%s\n", rounds->done, rounds->wanted, budget);
}

bool rounds_another(struct rounds *rounds, unsigned int done)
{
	/* A case that makes no round has shown nothing. */
	unsigned int floor = rounds->floor ?: 1;

	rounds->done = done;
	if (done < rounds->wanted && (done < floor || budget_is_left(rounds)))
		return true;
	report(rounds);
	return false;
}
