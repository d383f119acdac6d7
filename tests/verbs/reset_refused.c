/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A reset that the PCI core refuses, as the function is locked, has taken nothing away: MRs were not
 * invalidated and serve without a new fault, and the CPU's mapping has its pages yet. The lock is held by a
 * reset through sysfs that has taken it and done nothing so far.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "guarded_access.h"
#include "hooked_function.h"
#include "rdma_tool.h"
#include "trigger.h"

/* Called with the function's lock held, before anything is done with it. */
#define LOCKED_PLACE "pci_cfg_access_lock"

/* The reset that holds the lock. */
static struct {
	struct hooked_function hook;
	pthread_t thread;
	bool is_under_way;
	int result;
	struct error err;
} holder;

static volatile uint64_t *words;
/* This NIC reaches the exporter's memory: the lab's cannot where that is no RAM. */
static bool is_reached;

static void *reset_through_sysfs(void *fixture)
{
	holder.result = trigger_pull(fixture, TRIGGER_SYSFS_RESET);
	holder.err = test_error;
	return NULL;
}

/* Such a reset locks the bridge above the function first. */
static bool is_below_a_bridge(struct fixture *fixture)
{
	char path[128], *resolved, *slash;
	bool below;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", vfio_exporter_bdf(fixture->exporter));
	resolved = realpath(path, NULL);
	assert_non_null(resolved);
	slash = strrchr(resolved, '/');
	*slash = '\0';
	/* Its parent is pci0000:00 or a function. */
	below = !strstr(strrchr(resolved, '/'), "/pci");
	free(resolved);
	return below;
}

static void lock_the_function(struct fixture *fixture)
{
	hooked_function_hold_nth(&holder.hook, LOCKED_PLACE, HOOKED_THIS_PROCESS, FUNCTION_HOOK_HOLD_BEFORE,
				 is_below_a_bridge(fixture) ? 2 : 1);
	assert_int_equal(pthread_create(&holder.thread, NULL, reset_through_sysfs, fixture), 0);
	holder.is_under_way = true;
	if (!hooked_function_met(&holder.hook, TEST_TIMEOUT_NS / NS_PER_MS)) {
		hooked_function_release(&holder.hook);
		pthread_join(holder.thread, NULL);
		holder.is_under_way = false;
		test_error = holder.err;
		must(holder.result);
		fail_msg("a reset through sysfs did not come to %s()", LOCKED_PLACE);
	}
}

static void unlock_the_function(void)
{
	hooked_function_close(&holder.hook);
	if (holder.is_under_way)
		pthread_join(holder.thread, NULL);
	holder.is_under_way = false;
}

static void touch_pages(struct fixture *fixture)
{
	uint64_t value;

	for (size_t offset = 0; offset < fixture->size; offset += PAGE)
		must(guarded_read(words + offset / sizeof(*words), &value));
}

static long faults(void)
{
	struct rusage usage;

	must_sys(getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_minflt + usage.ru_majflt;
}

static json_int_t invalidations(const struct ibv_mr *mr)
{
	json_t *shown = rdma_tool_mr(mr);
	json_t *count = json_object_get(shown, "drv_dmabuf_invalidations");
	json_int_t value = json_integer_value(count);

	if (!json_is_integer(count))
		fail_msg("this kernel does not count the invalidations of an MR");
	json_decref(shown);
	return value;
}

/* What a NIC that faults had to do to let go, and to come back. One that does not would be dead. */
static uint64_t work_of_the_nic(struct fixture *fixture)
{
	if (!(fixture->peer.attr.odp_caps.general_caps & IBV_ODP_SUPPORT))
		return 0;
	return lab_counter(fixture, "umrs") + lab_counter(fixture, "page_faults");
}

/* How much of what the reset had no right to was taken: it says what. */
static unsigned int count_what_is_lost(struct fixture *fixture, uint64_t work)
{
	const long before = faults();
	unsigned int lost = 0;

	touch_pages(fixture);
	if (faults() != before) {
		print_error("# the CPU's mapping of the dma-buf was zapped: %ld faults\n", faults() - before);
		lost++;
	}
	if (invalidations(fixture->mr)) {
		print_error("# the MR was invalidated\n");
		lost++;
	}
	if (is_reached && !lost)
		must_write_through(fixture, 2);
	return lost + (work_of_the_nic(fixture) != work);
}

/* errnum 0: the trigger is not told of the refusal. */
static void refused(struct fixture *fixture, enum trigger trigger, int errnum)
{
	uint64_t work;
	unsigned int lost;
	int ret;

	words = fixture_map_dmabuf(fixture->dmabuf, fixture->size);
	touch_pages(fixture);
	if (is_reached)
		must_write_through(fixture, 1);
	work = work_of_the_nic(fixture);
	lock_the_function(fixture);

	ret = trigger_pull(fixture, trigger);
	if (ret == -EOPNOTSUPP && test_error.missing) {
		print_message("# skip: %s\n", test_error.text);
		skip();
	}
	must_fail(ret, errnum);
	lost = count_what_is_lost(fixture, work);
	if (lost)
		fail_msg("a reset that was refused has taken memory away");
	unlock_the_function();
	must(holder.result);
}

static void vfio_device_reset(void **state)
{
	refused(*state, TRIGGER_RESET, EAGAIN);
}

static void hot_reset(void **state)
{
	refused(*state, TRIGGER_HOT_RESET, EAGAIN);
}

/* A write of config space has no errno for it. */
static void function_level_reset(void **state)
{
	refused(*state, TRIGGER_FLR, 0);
}

/* One that is made takes them away: else the tests above would see nothing. */
static void made(void **state)
{
	struct fixture *fixture = *state;
	long before;

	words = fixture_map_dmabuf(fixture->dmabuf, fixture->size);
	touch_pages(fixture);
	must(trigger_pull(fixture, TRIGGER_RESET));
	must(trigger_undo(fixture, TRIGGER_RESET));
	before = faults();
	touch_pages(fixture);
	assert_int_not_equal(faults() - before, 0);
	assert_int_not_equal(invalidations(fixture->mr), 0);
}

static void find_out_what_is_reached(struct fixture *fixture)
{
	struct ibv_wc wc = { 0 };

	is_reached = !verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, PAGE),
				       mr_remote_at(fixture, 0), &test_error) &&
		     !verbs_wait(&fixture->pair.initiator, &wc, TEST_TIMEOUT_NS, &test_error) &&
		     wc.status == IBV_WC_SUCCESS;
	if (!is_reached)
		print_message("# the NIC does not reach the memory of %s: MRs are looked at, not used\n",
			      vfio_exporter_bdf(fixture->exporter));
}

static int set_up(void **state)
{
	int ret = fixture_setup(state);

	if (!ret)
		find_out_what_is_reached(*state);
	return ret;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	unlock_the_function();
	if (words)
		vfio_exporter_unmap_bar((void *)words, fixture->size);
	words = NULL;
	return fixture_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test(vfio_device_reset),
	test(hot_reset),
	test(function_level_reset),
	test(made),
};

TEST_MAIN("a reset that the PCI core refuses takes no memory away",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
