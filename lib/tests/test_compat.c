/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "compat.h"

static void names(void **state)
{
	(void)state;
	assert_string_equal(compat_strerrorname(0), "0");
	assert_string_equal(compat_strerrorname(EINVAL), "EINVAL");
	assert_string_equal(compat_strerrorname(EOPNOTSUPP), "EOPNOTSUPP");
	assert_null(compat_strerrorname(-1));
	assert_null(compat_strerrorname(4096));
}

/* Where the C library has them, ours are its names. */
static void names_are_the_librarys(void **state)
{
	(void)state;
	for (int errnum = -1; errnum < 256; errnum++) {
		const char *ours = compat_strerrorname(errnum), *other = strerrorname_np(errnum);

		assert_true(!ours == !other);
		if (ours)
			assert_string_equal(ours, other);
	}
}

/* In a child: the test's own descriptors stay. */
static void a_range_is_closed(void **state)
{
	int status;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		if (dup2(0, 100) < 0 || dup2(0, 101) < 0 || dup2(0, 99) < 0 || dup2(0, 102) < 0)
			_exit(2);
		_exit(compat_close_range(100, 101, 0) || fcntl(100, F_GETFD) >= 0 ||
		      fcntl(101, F_GETFD) >= 0 || fcntl(99, F_GETFD) < 0 || fcntl(102, F_GETFD) < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void a_process_is_waited_for(void **state)
{
	struct pollfd ready = { .events = POLLIN };
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (!child)
		_exit(0);
	ready.fd = compat_pidfd_open(child, 0);
	assert_true(ready.fd >= 0);
	assert_int_equal(poll(&ready, 1, -1), 1);
	close(ready.fd);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(names_are_the_librarys),
		cmocka_unit_test(a_range_is_closed),
		cmocka_unit_test(a_process_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
