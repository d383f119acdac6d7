// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Rules, held operations and counters. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../control/counters.h"
#include "../control/knobs.h"

#define MAX_RELEASED 16

static struct knobs *knobs;
static struct {
	char operation[32];
	uint64_t ticket;
} released[MAX_RELEASED];
static unsigned int releases;
static const char *check_again; /* the release callback asks for this operation once more */
static uint64_t forget_too;

static void on_release(void *opaque, const char *operation, uint64_t ticket)
{
	assert_ptr_equal(opaque, &releases);
	assert_true(releases < MAX_RELEASED);
	strncpy(released[releases].operation, operation, sizeof(released[0].operation) - 1);
	released[releases++].ticket = ticket;
	if (forget_too) {
		knob_forget(knobs, forget_too);
		forget_too = 0;
	}
	if (check_again)
		knob_check(knobs, check_again);
}

static int setup(void **state)
{
	(void)state;
	knobs = knobs_new();
	knobs_set_release(knobs, on_release, &releases);
	memset(released, 0, sizeof(released));
	releases = 0;
	check_again = NULL;
	forget_too = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	knobs_free(knobs);
	return 0;
}

static const char *add(const char *text)
{
	json_t *rule = json_loads(text, 0, NULL);
	const char *wrong;

	assert_non_null(rule);
	wrong = knobs_add_rule(knobs, rule);
	json_decref(rule);
	return wrong;
}

static enum knob_action check(const char *operation)
{
	return knob_check(knobs, operation).action;
}

static size_t held(void)
{
	json_t *list = knobs_held_json(knobs);
	size_t size = json_array_size(list);

	json_decref(list);
	return size;
}

static void without_rules_all_pass(void **state)
{
	(void)state;
	assert_int_equal(check("umr"), KNOB_PASS);
	assert_int_equal(knobs_release(knobs, NULL, UINT32_MAX), 0);
}

static void skip_and_count(void **state)
{
	struct knob_verdict verdict;

	(void)state;
	assert_null(add("{\"operation\":\"umr\",\"action\":\"fail\",\"skip\":2,\"count\":2,"
			"\"status\":9}"));
	assert_int_equal(check("umr"), KNOB_PASS);
	assert_int_equal(check("rdma_write"), KNOB_PASS);
	assert_int_equal(check("umr"), KNOB_PASS);
	verdict = knob_check(knobs, "umr");
	assert_int_equal(verdict.action, KNOB_FAIL);
	assert_int_equal(verdict.status, 9);
	assert_int_equal(check("umr"), KNOB_FAIL);
	assert_int_equal(check("umr"), KNOB_PASS);
}

static void once_is_the_default(void **state)
{
	struct knob_verdict verdict;

	(void)state;
	assert_null(add("{\"operation\":\"umr\",\"action\":\"delay\",\"delay_us\":250}"));
	verdict = knob_check(knobs, "umr");
	assert_int_equal(verdict.action, KNOB_DELAY);
	assert_int_equal(verdict.delay_us, 250);
	assert_int_equal(check("umr"), KNOB_PASS);
}

static void for_ever_until_cleared(void **state)
{
	(void)state;
	assert_null(add("{\"operation\":\"umr\",\"action\":\"drop\",\"count\":-1}"));
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(check("umr"), KNOB_DROP);
	knobs_clear_rules(knobs);
	assert_int_equal(check("umr"), KNOB_PASS);
}

static void rules_follow_each_other(void **state)
{
	(void)state;
	assert_null(add("{\"operation\":\"umr\",\"action\":\"drop\"}"));
	assert_null(add("{\"operation\":\"umr\",\"action\":\"fail\",\"skip\":1}"));
	assert_int_equal(check("umr"), KNOB_DROP);
	assert_int_equal(check("umr"), KNOB_PASS);
	assert_int_equal(check("umr"), KNOB_FAIL);
	assert_int_equal(check("umr"), KNOB_PASS);
}

static void held_operations_go_on_in_order(void **state)
{
	uint64_t first, second, other;

	(void)state;
	assert_null(add("{\"operation\":\"umr\",\"action\":\"hold\",\"count\":2}"));
	assert_null(add("{\"operation\":\"page_fault\",\"action\":\"hold\"}"));
	first = knob_check(knobs, "umr").ticket;
	other = knob_check(knobs, "page_fault").ticket;
	second = knob_check(knobs, "umr").ticket;
	assert_true(first != second && first != other && second != other);
	assert_int_equal(held(), 3);
	assert_int_equal(knobs_release(knobs, "umr", UINT32_MAX), 2);
	assert_int_equal(releases, 2);
	assert_string_equal(released[0].operation, "umr");
	assert_int_equal(released[0].ticket, first);
	assert_int_equal(released[1].ticket, second);
	assert_int_equal(knobs_release(knobs, "umr", UINT32_MAX), 0);
	assert_int_equal(knobs_release(knobs, NULL, UINT32_MAX), 1);
	assert_int_equal(released[2].ticket, other);
	assert_int_equal(held(), 0);
}

static void release_a_few(void **state)
{
	(void)state;
	assert_null(add("{\"operation\":\"umr\",\"action\":\"hold\",\"count\":5}"));
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(check("umr"), KNOB_HOLD);
	assert_int_equal(knobs_release(knobs, "umr", 2), 2);
	assert_int_equal(knobs_release(knobs, "umr", 0), 0);
	assert_int_equal(held(), 3);
	assert_int_equal(releases, 2);
}

static void forgotten_is_not_released(void **state)
{
	uint64_t ticket;

	(void)state;
	assert_null(add("{\"operation\":\"umr\",\"action\":\"hold\",\"count\":3}"));
	check("umr");
	ticket = knob_check(knobs, "umr").ticket;
	check("umr");
	knob_forget(knobs, ticket);
	knob_forget(knobs, ticket);
	assert_int_equal(knobs_release(knobs, "umr", UINT32_MAX), 2);
	assert_int_not_equal(released[0].ticket, ticket);
	assert_int_not_equal(released[1].ticket, ticket);
}

/* The callback may hold again and may forget others: neither loops nor touches freed memory. */
static void release_is_reentrant(void **state)
{
	(void)state;
	assert_null(add("{\"operation\":\"umr\",\"action\":\"hold\",\"count\":-1}"));
	check("umr");
	check("umr");
	check_again = "umr";
	assert_int_equal(knobs_release(knobs, "umr", UINT32_MAX), 2);
	assert_int_equal(held(), 2);
	check_again = NULL;
	check("umr");
	forget_too = knob_check(knobs, "umr").ticket;
	assert_int_equal(knobs_release(knobs, NULL, UINT32_MAX), 3);
	assert_int_equal(held(), 0);
}

static void wrong_rules_say_what_is_wrong(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"operation\":\"umr\"}",
		"{\"action\":\"drop\"}",
		"{\"operation\":1,\"action\":\"drop\"}",
		"{\"operation\":\"umr\",\"action\":\"explode\"}",
		"{\"operation\":\"umr\",\"action\":\"pass\"}",
		"{\"operation\":\"umr\",\"action\":\"drop\",\"skip\":-1}",
		"{\"operation\":\"umr\",\"action\":\"drop\",\"count\":-2}",
		"{\"operation\":\"umr\",\"action\":\"drop\",\"count\":\"many\"}",
		"{\"operation\":\"umr\",\"action\":\"delay\",\"delay_us\":-5}",
		"{\"operation\":\"umr\",\"action\":\"fail\",\"status\":4294967296}",
		"[]",
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_non_null(add(wrong[i]));
	assert_int_equal(check("umr"), KNOB_PASS);
}

static void counters_are_stable_and_sorted(void **state)
{
	struct counters *counters = counters_new();
	uint64_t *first = counter(counters, "m");
	json_t *dump;
	char *text;

	(void)state;
	for (char name[2] = "z"; name[0] >= 'a'; name[0]--)
		*counter(counters, name) += 1;
	assert_ptr_equal(counter(counters, "m"), first);
	assert_int_equal(*first, 1);
	assert_ptr_equal(counters_find(counters, "m"), first);
	assert_null(counters_find(counters, "absent"));
	counters_reset(counters);
	assert_int_equal(*first, 0);
	*first = 5000000000;
	dump = counters_json(counters);
	assert_int_equal(json_object_size(dump), 26);
	assert_int_equal(json_integer_value(json_object_get(dump, "m")), 5000000000);
	text = json_dumps(dump, JSON_COMPACT);
	assert_memory_equal(text, "{\"a\":0,\"b\":0,", 13);
	free(text);
	json_decref(dump);
	counters_free(counters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(without_rules_all_pass),
		TEST(skip_and_count),
		TEST(once_is_the_default),
		TEST(for_ever_until_cleared),
		TEST(rules_follow_each_other),
		TEST(held_operations_go_on_in_order),
		TEST(release_a_few),
		TEST(forgotten_is_not_released),
		TEST(release_is_reentrant),
		TEST(wrong_rules_say_what_is_wrong),
		TEST(counters_are_stable_and_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
