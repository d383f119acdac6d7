/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How many rounds a case makes: as many as --iters says. With --budget=SECONDS it starts no round
 * after that time, but makes --floor=N rounds whatever they take. Each case has the whole budget.
 */
#ifndef TESTS_VERBS_COMMON_ROUNDS_H
#define TESTS_VERBS_COMMON_ROUNDS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

struct rounds {
	/* Of every case. floor is at most wanted, or is cut to it. */
	unsigned int wanted, floor;
	int64_t budget_ns;	/* 0: no limit */
	int64_t (*now)(void);

	/* Of the case that runs. */
	unsigned int done;
	int64_t began;
};

/* What the command line says, and the rounds of the case that runs. */
extern struct rounds test_rounds;

/* --budget and --floor, into test_rounds; it needs no input. */
extern const struct argp rounds_argp;

/* A case begins. */
void rounds_begin(struct rounds *rounds);
/*
 * So many rounds of the case are done: is there to be another? If not, prints
 * "# rounds: DONE of WANTED (budget SECONDS s)", the part in brackets where there is a budget.
 */
bool rounds_another(struct rounds *rounds, unsigned int done);

/* i is the round, from 0. */
#define for_each_round(i)								\
	for (unsigned int i = (rounds_begin(&test_rounds), 0); rounds_another(&test_rounds, i); i++)

#endif
