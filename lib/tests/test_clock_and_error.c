/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "test.h"

static void clock_goes_forward(void **state)
{
	int64_t first = clock_now_ns(), second;
	struct timespec nap = { .tv_nsec = 2 * NS_PER_MS };

	(void)state;
	nanosleep(&nap, NULL);
	second = clock_now_ns();
	assert_true(second - first >= NS_PER_MS);
	assert_true(second - first < 60 * NS_PER_S);
}

static void error_names_the_errno(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_int_equal(error_set(&err, ENODEV, "exporter %s is gone", "0000:02:00.0"), -ENODEV);
	assert_string_equal(err.text, "exporter 0000:02:00.0 is gone: No such device (ENODEV)");
	assert_false(err.missing);
	assert_int_equal(error_exit_status(&err), EXIT_STATUS_FAILED);
}

static void missing_is_not_failed(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_int_equal(error_missing(&err, 0, "there is no NIC"), -EIO);
	assert_string_equal(err.text, "there is no NIC");
	assert_int_equal(error_exit_status(&err), EXIT_STATUS_CANNOT_RUN);
}

static void long_text_is_cut(void **state)
{
	struct error err = { 0 };
	char text[2 * sizeof(err.text)];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(error_set(&err, EIO, "%s", text), -EIO);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void error_may_be_null(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, EIO, "nobody reads this"), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clock_goes_forward),
		cmocka_unit_test(error_names_the_errno),
		cmocka_unit_test(missing_is_not_failed),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(error_may_be_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
