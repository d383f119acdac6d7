/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What hangs is noticed later on a slow machine. That a writer is never refused is noticed without
 * waiting for that.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "guarded_access.h"
#include "writer.h"

static void times_are_multiplied(void **state)
{
	(void)state;
	assert_int_equal(patience(60), 180);
	assert_int_equal(patience_ns(20 * NS_PER_S), 60 * NS_PER_S);
	assert_int_equal(TEST_TIMEOUT_NS, 60 * NS_PER_S);
	assert_int_equal(patience(INT_MAX - 1), INT_MAX);
}

/* By the CPU, to memory that no revoke reaches: as on a kernel that leaves the mapping as it is. */
static void writer_that_is_never_refused(void **state)
{
	static uint64_t memory[4 * WRITER_BLOCK / sizeof(uint64_t)];
	struct writers_meeting meeting;
	struct writer writer = { .meeting = &meeting, .mapping = memory, .length = sizeof(memory) };
	int ret;

	(void)state;
	must(guarded_access_init());
	writers_meeting_init(&meeting);
	must(writer_start(&writer, NULL, &test_error));
	writers_run(&writer, 1);
	must(writers_wait_completed(&writer, 1, 10, &test_error));
	/* The revoke has returned. */
	atomic_fetch_add(&meeting.epoch, 1);
	ret = writers_wait_refused(&writer, 1, 1, &test_error);
	must_fail(ret, EIO);
	assert_non_null(strstr(test_error.text, "began after the revoke succeeded"));
	must(writers_park(&writer, 1, &test_error));
	writer_stop(&writer);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(times_are_multiplied),
	cmocka_unit_test(writer_that_is_never_refused),
};

int main(void)
{
	setenv("SLOWNESS", "3", 1);
	return cmocka_run_group_tests_name("patience", tests, NULL, NULL) ? EXIT_STATUS_FAILED : 0;
}
