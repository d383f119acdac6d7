/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Rounds, their budget and their floor, on a clock that the test moves. */
#include <string.h>

#include "fixture.h"

static int64_t fake_now;
/* What a round takes. */
static int64_t round_ns;

/* What passes between two looks at the clock. */
static int64_t tick_ns;

static int64_t fake_clock(void)
{
	fake_now += tick_ns;
	return fake_now;
}

static struct rounds rounds_of(unsigned int wanted, unsigned int floor, int64_t budget_seconds)
{
	return (struct rounds){
		.wanted = wanted, .floor = floor, .budget_ns = budget_seconds * NS_PER_S,
		.now = fake_clock,
	};
}

static unsigned int rounds_made(struct rounds *rounds)
{
	unsigned int made = 0;

	rounds_begin(rounds);
	while (rounds_another(rounds, made)) {
		fake_now += round_ns;
		made++;
		assert_in_range(made, 1, rounds->wanted);
	}
	assert_int_equal(rounds->done, made);
	return made;
}

static int set_up(void **state)
{
	(void)state;
	/* No case may count from the epoch of the clock. */
	fake_now = 1234 * NS_PER_S;
	round_ns = NS_PER_S;
	tick_ns = 0;
	return 0;
}

static void all_without_a_budget(void **state)
{
	struct rounds rounds = { .wanted = 200, .floor = 5, .now = fake_clock };

	(void)state;
	round_ns = 3600 * NS_PER_S;
	assert_int_equal(rounds_made(&rounds), 200);
}

static void all_within_the_budget(void **state)
{
	struct rounds rounds = rounds_of(20, 5, 20);

	(void)state;
	assert_int_equal(rounds_made(&rounds), 20);
}

/* The round that is under way when the time is over is made to its end; the next is not begun. */
static void as_many_as_fit(void **state)
{
	struct rounds rounds = rounds_of(200, 5, 20);

	(void)state;
	assert_int_equal(rounds_made(&rounds), 20);
	round_ns = 3 * NS_PER_S;
	assert_int_equal(rounds_made(&rounds), 7);
}

static void floor_whatever_it_takes(void **state)
{
	struct rounds rounds = rounds_of(200, 5, 20);

	(void)state;
	round_ns = 1000 * NS_PER_S;
	assert_int_equal(rounds_made(&rounds), 5);
}

/* Though the time is over when it is to begin. */
static void one_without_a_floor(void **state)
{
	struct rounds rounds = { .wanted = 200, .budget_ns = NS_PER_S, .now = fake_clock };

	(void)state;
	tick_ns = 2 * NS_PER_S;
	assert_int_equal(rounds_made(&rounds), 1);
}

/* Fewer are asked for. */
static void floor_above_what_is_wanted(void **state)
{
	struct rounds rounds = rounds_of(3, 5, 1);

	(void)state;
	assert_int_equal(rounds_made(&rounds), 3);
}

/* What the case before took is not taken from the next one. */
static void each_case_has_the_whole_budget(void **state)
{
	struct rounds rounds = rounds_of(200, 1, 20);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(rounds_made(&rounds), 20);
}

static void loop_counts_from_zero(void **state)
{
	const struct rounds kept = test_rounds;
	unsigned int expected = 0;

	(void)state;
	test_rounds = rounds_of(9, 2, 4);
	for_each_round(i) {
		assert_int_equal(i, expected);
		expected++;
		assert_in_range(expected, 1, 9);
		fake_now += round_ns;
	}
	assert_int_equal(expected, 4);
	assert_int_equal(test_rounds.done, 4);
	test_rounds = kept;
}

static void command_line(void **state)
{
	static char *arguments[] = {
		(char *)"test", (char *)"--exporter=0000:02:00.0", (char *)"--iters=40",
		(char *)"--budget=2.5", (char *)"--floor=6",
	};
	const struct rounds kept = test_rounds;

	(void)state;
	test_parse_cases(TEST_COUNT(arguments), arguments, "a test", NULL, 0);
	assert_int_equal(test_rounds.wanted, 40);
	assert_int_equal(test_rounds.floor, 6);
	assert_int_equal(test_rounds.budget_ns, 2500 * NS_PER_MS);
	test_rounds = kept;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(all_without_a_budget, set_up),
	cmocka_unit_test_setup(all_within_the_budget, set_up),
	cmocka_unit_test_setup(as_many_as_fit, set_up),
	cmocka_unit_test_setup(floor_whatever_it_takes, set_up),
	cmocka_unit_test_setup(one_without_a_floor, set_up),
	cmocka_unit_test_setup(floor_above_what_is_wanted, set_up),
	cmocka_unit_test_setup(each_case_has_the_whole_budget, set_up),
	cmocka_unit_test_setup(loop_counts_from_zero, set_up),
	cmocka_unit_test_setup(command_line, set_up),
};

int main(void)
{
	return cmocka_run_group_tests_name("rounds", tests, NULL, NULL) ? EXIT_STATUS_FAILED : 0;
}
