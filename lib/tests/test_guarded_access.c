/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A file that is cut short under its mapping gives the same SIGBUS as memory that is taken back. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guarded_access.h"
#include "page_size.h"
#include "test.h"

#define WORDS (PAGE / sizeof(uint64_t))

/* Two pages, of which the file has the first only. */
static volatile uint64_t *half_a_map(void)
{
	int fd = memfd_create("guarded", MFD_CLOEXEC);
	void *map;

	/* cmocka takes SIGBUS for itself when a test begins. */
	assert_int_equal(guarded_access_init(), 0);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	close(fd);
	return map;
}

static void what_is_there(void **state)
{
	volatile uint64_t *map = half_a_map();
	uint64_t value;

	(void)state;
	assert_int_equal(guarded_write(map + 3, 7), 0);
	assert_int_equal(guarded_read(map + 3, &value), 0);
	assert_int_equal(value, 7);
	assert_int_equal(guarded_fill(map, WORDS, 9), WORDS);
	assert_int_equal(map[0], 9);
	assert_int_equal(map[WORDS - 1], 9);
	munmap((void *)map, 2 * PAGE);
}

static void what_is_gone(void **state)
{
	volatile uint64_t *map = half_a_map();
	uint64_t value = 5;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(guarded_write(map + WORDS, 7), -EFAULT);
		assert_int_equal(guarded_read(map + WORDS, &value), -EFAULT);
		assert_int_equal(value, 5);
	}
	assert_int_equal(guarded_fill(map, 2 * WORDS, 9), WORDS);
	munmap((void *)map, 2 * PAGE);
}

static void *many_faults(void *argument)
{
	volatile uint64_t *map = argument;
	uintptr_t wrong = 0;

	for (int i = 0; i < 2000; i++) {
		wrong += guarded_write(map, 1) != 0;
		wrong += guarded_write(map + WORDS, 1) != -EFAULT;
	}
	return (void *)wrong;
}

static void several_threads(void **state)
{
	volatile uint64_t *map = half_a_map();
	pthread_t threads[4];
	void *wrong;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_faults, (void *)map), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	munmap((void *)map, 2 * PAGE);
}

/* An access that nobody guards is as deadly as ever. */
static void unguarded(void **state)
{
	volatile uint64_t *map = half_a_map();
	int status;
	pid_t child = fork();

	(void)state;
	if (!child) {
		map[WORDS] = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	munmap((void *)map, 2 * PAGE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there),
		cmocka_unit_test(what_is_gone),
		cmocka_unit_test(several_threads),
		cmocka_unit_test(unguarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
