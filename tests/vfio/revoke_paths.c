/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Every call that revokes, seen by CPU mappings in several processes and by an
 * iommufd that imports: what lasts is SIGBUS and -ENODEV until it is undone, what
 * passes has zapped the mapping and let it fault in again, what is final stays.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fixture.h"
#include "guarded_access.h"
#include "ioas.h"
#include "process.h"
#include "trigger.h"

#define IOVA 0x10000000ull
#define MAPPERS 4

/* Started before anything is opened: they hold the dma-buf and nothing else. */
static struct process mappers[MAPPERS];
static struct ioas ioas;

static void touch_all(struct fixture *fixture, volatile uint64_t *words, int errnum)
{
	for (size_t offset = 0; offset < fixture->size; offset += fixture->size / 4) {
		must_fail(guarded_write(words + offset / sizeof(*words), offset), errnum);
		for (int i = 0; i < MAPPERS; i++)
			must_fail(importer_touch(&mappers[i], offset, &test_error), errnum);
	}
}

static void *map_all(struct fixture *fixture)
{
	void *address = fixture_map_dmabuf(fixture->dmabuf, fixture->size);

	for (int i = 0; i < MAPPERS; i++)
		must(importer_map(&mappers[i], fixture->dmabuf, fixture->size, &test_error));
	must(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size, IOVA));
	return address;
}

static long faults(void)
{
	struct rusage usage;

	must_sys(getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_minflt + usage.ru_majflt;
}

static void must_be_refused(struct fixture *fixture)
{
	void *address;

	must_fail(vfio_dmabuf_map(fixture->dmabuf, fixture->size, &address, &test_error), ENODEV);
	must_fail(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size, 2 * IOVA), ENODEV);
}

/* iommufd cannot fault: what it had mapped is dead until it is unmapped and mapped again. */
static void map_ioas_again(struct fixture *fixture)
{
	assert_int_equal(ioas_unmap(&ioas, IOVA, fixture->size), fixture->size);
	must(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size, IOVA));
}

static void after_what_passes(struct fixture *fixture, volatile uint64_t *words)
{
	long before;

	before = faults();
	must(guarded_write(words, 1));
	if (faults() == before)
		fail_msg("the mapping was not zapped");
	touch_all(fixture, words, 0);
	map_ioas_again(fixture);
}

static void after_what_lasts(struct fixture *fixture, enum trigger trigger, volatile uint64_t *words)
{
	touch_all(fixture, words, EFAULT);
	must_be_refused(fixture);
	must(trigger_undo(fixture, trigger));
	touch_all(fixture, words, 0);
	map_ioas_again(fixture);
}

static void after_what_is_final(struct fixture *fixture, enum trigger trigger,
				volatile uint64_t *words)
{
	touch_all(fixture, words, EFAULT);
	must_be_refused(fixture);
	assert_int_equal(ioas_unmap(&ioas, IOVA, fixture->size), fixture->size);
	must(trigger_undo(fixture, trigger));
	/* What was lent before stays dead beside what is lent now. */
	touch_all(fixture, words, EFAULT);
}

static void by(struct fixture *fixture, enum trigger trigger)
{
	const size_t size = fixture->size;
	void *address;
	int ret;

	for (int round = 0; round < 3; round++) {
		address = map_all(fixture);
		touch_all(fixture, address, 0);
		if (trigger == TRIGGER_CLOSE)
			fixture_unmap_window(fixture);
		ret = trigger_pull(fixture, trigger);
		if (ret == -EOPNOTSUPP && test_error.missing) {
			print_message("# skip: %s\n", test_error.text);
			skip();
		}
		must(ret);
		switch (trigger_effect(trigger)) {
		case TRIGGER_LASTS:
			after_what_lasts(fixture, trigger, address);
			break;
		case TRIGGER_PASSES:
			must(trigger_undo(fixture, trigger));
			after_what_passes(fixture, address);
			break;
		case TRIGGER_IS_FINAL:
			after_what_is_final(fixture, trigger, address);
			break;
		}
		must_sys(munmap(address, size));
		ioas_unmap(&ioas, IOVA, size);
	}
}

#define TEST_OF(name, trigger)			\
	static void name(void **state)		\
	{					\
		by(*state, trigger);		\
	}

TEST_OF(memory_bit, TRIGGER_COMMAND)
TEST_OF(reset, TRIGGER_RESET)
TEST_OF(close_of_the_device, TRIGGER_CLOSE)
TEST_OF(request, TRIGGER_REVOKE)
TEST_OF(hot_reset, TRIGGER_HOT_RESET)
TEST_OF(sysfs_reset, TRIGGER_SYSFS_RESET)
TEST_OF(low_power, TRIGGER_LOW_POWER)
TEST_OF(d3, TRIGGER_D3)
TEST_OF(function_level_reset, TRIGGER_FLR)
TEST_OF(advanced_features_flr, TRIGGER_AF_FLR)

static int set_up(void **state)
{
	for (int i = 0; i < MAPPERS; i++) {
		if (importer_start(&mappers[i], &test_error)) {
			print_error("# setup: %s\n", test_error.text);
			return -1;
		}
	}
	if (fixture_setup_exporter(state))
		return -1;
	return ioas_open(&ioas);
}

static int tear_down(void **state)
{
	for (int i = 0; i < MAPPERS; i++)
		process_reap(&mappers[i]);
	ioas_close(&ioas);
	return fixture_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test(memory_bit),
	test(reset),
	test(close_of_the_device),
	test(request),
	test(hot_reset),
	test(sysfs_reset),
	test(low_power),
	test(d3),
	test(function_level_reset),
	test(advanced_features_flr),
};

TEST_MAIN("every call that revokes, seen by CPU mappings in several processes and by iommufd",
	  TEST_NEEDS_EXPORTER, tests)
