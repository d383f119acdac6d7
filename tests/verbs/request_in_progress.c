/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * While the request for one dma-buf waits for the importer to let go, what is asked of the exporter and of
 * its other dma-bufs is done: writes of PCI_COMMAND that leave memory decoding on, export, attach, mmap and
 * faults of the CPU and of the NIC. All of it returns before the request does, which the test alone ends.
 */
#include "hooked_function.h"
#include "meanwhile.h"

/* mlx5 gives up a NIC that has not answered for five seconds. */
#define HELD_AT_THE_NIC_S 4
#define HELD_IN_THE_DRIVER_S ((time_t)(TEST_TIMEOUT_NS / NS_PER_S))
#define SEED 7

static struct meanwhile other;
static struct hooked_function hook;

/* The request is held; it goes on, and does what it is for, when release() was called. */
static void must_go_on(enum meanwhile_step first, enum meanwhile_step last, time_t seconds,
		       void (*release)(void))
{
	struct race *race = other.race;
	unsigned int waiting = meanwhile_count_waiting(&other, first, last, seconds);
	bool over = race_call_is_over(race, &race->revoke);

	release();
	if (over)
		fail_msg("the request returned while its importer was held");
	if (waiting)
		fail_msg("%u calls waited for the request of another dma-buf", waiting);
	race_revoke_join(race, RACE_UNANSWERED_NS);
	meanwhile_must_have_succeeded(&other, first, last);
	race_must_refuse(race, race->fixture->mr->rkey);
	race_must_be_sealed(race, true);
}

static void release_the_nic(void)
{
	struct race *race = other.race;

	must(knob_release(race->fixture->lab, race->invalidation, &test_error));
}

static void release_the_driver(void)
{
	hooked_function_release(&hook);
}

static void hold_at_the_nic(struct race *race)
{
	must_write_through(race->fixture, 1);
	must(knob_set(race->fixture->lab, race->invalidation, KNOB_HOLD, -1, 0, &test_error));
	race_revoke(race, TRIGGER_REVOKE);
	must(knob_wait_held(race->fixture->lab, race->invalidation, &test_error));
}

static void at_the_nic(void **state)
{
	hold_at_the_nic(*state);
	must_go_on(0, MEANWHILE_WITHOUT_NIC, HELD_AT_THE_NIC_S, release_the_nic);
}

static void bus_mastering(void **state)
{
	hold_at_the_nic(*state);
	must_go_on(MEANWHILE_BUS_MASTER, MEANWHILE_COUNT, HELD_AT_THE_NIC_S, release_the_nic);
}

/* Neither MR has a translation after it; then the first gets one again. */
static void make_the_nic_fault(struct race *race)
{
	struct fixture *fixture = race->fixture;

	other.mr = fixture_register(fixture, other.dmabuf, fixture->size);
	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	must_write_through(fixture, 1);
	fill_pattern(fixture->buffer.address, fixture->size, SEED);
}

/* The NIC is free for others, and nothing is given up however long it takes. */
static void in_the_driver(void **state)
{
	struct race *race = *state;

	if (!race_faults(race))
		race_is_not_for_this_nic("the driver's callback is held on mlx5 only");
	make_the_nic_fault(race);
	hooked_function_hold(&hook, "mlx5_ib_dmabuf_invalidate_cb", HOOKED_THIS_PROCESS,
			     FUNCTION_HOOK_HOLD_BEFORE);
	race_revoke(race, TRIGGER_REVOKE);
	hooked_function_wait(&hook);
	must_go_on(0, MEANWHILE_ALL, HELD_IN_THE_DRIVER_S, release_the_driver);
	must_hold_pattern(other.words, race->fixture->size, SEED);
}

/* The same calls without any request: what keeps them waiting above is no other. */
static void without_it(void **state)
{
	struct race *race = *state;
	enum meanwhile_step last = race_faults(race) ? MEANWHILE_ALL : MEANWHILE_WITHOUT_NIC;

	if (race_faults(race))
		make_the_nic_fault(race);
	assert_int_equal(meanwhile_count_waiting(&other, 0, last, HELD_IN_THE_DRIVER_S), 0);
	meanwhile_must_have_succeeded(&other, 0, last);
	if (race_faults(race))
		must_hold_pattern(other.words, race->fixture->size, SEED);
	assert_int_equal(meanwhile_count_waiting(&other, MEANWHILE_BUS_MASTER, MEANWHILE_COUNT,
						 HELD_IN_THE_DRIVER_S), 0);
	meanwhile_must_have_succeeded(&other, MEANWHILE_BUS_MASTER, MEANWHILE_COUNT);
	must_write_through(race->fixture, 2);
}

static int tear_down(void **state)
{
	struct race *race = *state;

	/* What a failed test left held would hold up all that follows. */
	hooked_function_close(&hook);
	knob_release(race->fixture->lab, race->invalidation, NULL);
	meanwhile_teardown(&other);
	return race_teardown(state);
}

static int set_up(void **state)
{
	int ret = race_setup(state);

	if (ret)
		return ret;
	ret = meanwhile_setup(&other, *state);
	if (ret) {
		print_error("# setup: %s\n", test_error.text);
		tear_down(state);
	}
	return ret;
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test(at_the_nic),
	test(bus_mastering),
	test(in_the_driver),
	test(without_it),
};

TEST_MAIN("what is asked of an exporter while the request for one of its dma-bufs waits for the importer",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
