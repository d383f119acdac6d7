/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Export by a process that has no file descriptor left: EMFILE, however often, and nothing is left of it. The
 * device lends, revokes and is closed as ever, and its driver can go. -n gives how often.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "driver.h"
#include "guarded_access.h"
#include "leftovers.h"
#include "trigger.h"

/* The soft limit as it was; cmocka's output and what is open need no new descriptor. */
static struct rlimit limit;

static void leave_no_descriptor(void)
{
	struct rlimit none;

	must_sys(getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 0;
	must_sys(setrlimit(RLIMIT_NOFILE, &none));
}

static int allow_descriptors(void)
{
	return limit.rlim_max ? setrlimit(RLIMIT_NOFILE, &limit) : 0;
}

static void fail_to_export(struct fixture *fixture)
{
	leave_no_descriptor();
	for (unsigned int i = 0; i < test_options.iterations; i++)
		must_fail(fixture_export(fixture, 0, fixture->size), EMFILE);
	must_sys(allow_descriptors());
}

static void must_lend_and_take_back(struct fixture *fixture)
{
	volatile uint64_t *words = fixture_map_dmabuf(fixture->dmabuf, fixture->size);

	must(guarded_write(words, 1));
	fixture_revoke(fixture);
	must_fail(guarded_write(words, 2), EFAULT);
	fixture_unrevoke(fixture);
	must(guarded_write(words, 3));
	must(trigger_pull(fixture, TRIGGER_REVOKE));
	must_fail(guarded_write(words, 4), EFAULT);
	must(vfio_exporter_unmap_bar((void *)words, fixture->size));
	must(trigger_undo(fixture, TRIGGER_REVOKE));
}

/* Those that were exported before, and after it. */
static void the_device_is_as_before(void **state)
{
	struct fixture *fixture = *state;

	fail_to_export(fixture);
	must_lend_and_take_back(fixture);
	must_lend_and_take_back(fixture);
}

/* While the memory is away a dma-buf is born revoked. */
static void while_revoked(void **state)
{
	struct fixture *fixture = *state;

	fixture_revoke(fixture);
	fail_to_export(fixture);
	fixture_unrevoke(fixture);
	must_lend_and_take_back(fixture);
}

static void nothing_is_left(void **state)
{
	struct fixture *fixture = *state;
	int ret;

	leftovers_forget_leaks();
	fail_to_export(fixture);
	close(fixture->dmabuf);
	fixture->dmabuf = -1;
	must(leftovers_dmabufs(&test_error));
	ret = leftovers_leaks(&test_error);
	if (ret != -ENOENT)
		must(ret);
}

/* Each dma-buf that is there holds the device: the driver would wait for it without end. */
static void the_driver_can_go(void **state)
{
	struct fixture *fixture = *state;
	char bdf[32], driver[64];

	if (driver_may_unbind(&test_error))
		test_skip("%s", test_error.text);
	snprintf(bdf, sizeof(bdf), "%s", vfio_exporter_bdf(fixture->exporter));
	must(driver_name(bdf, driver, sizeof(driver), &test_error));
	fail_to_export(fixture);
	close(fixture->dmabuf);
	fixture->dmabuf = -1;
	fixture_unmap_window(fixture);
	vfio_exporter_close(fixture->exporter);
	fixture->exporter = NULL;
	must(driver_unbind(driver, bdf, &test_error));
	must(driver_bind(driver, bdf, &test_error));
	must(vfio_exporter_open(&fixture->exporter, bdf, test_options.interface, &test_error));
	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
}

static int tear_down(void **state)
{
	allow_descriptors();
	return fixture_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, fixture_setup_exporter, tear_down)

static const struct CMUnitTest tests[] = {
	test(the_device_is_as_before),
	test(while_revoked),
	test(nothing_is_left),
	test(the_driver_can_go),
};

TEST_MAIN("export with no file descriptor left; -n gives how often", TEST_NEEDS_EXPORTER, tests)
