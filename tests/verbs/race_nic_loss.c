/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The NIC goes while it is asked to let go of memory that is taken back: its driver is unbound, its PCI
 * function is removed, its firmware dies, and the NIC answers late or never. The revoke returns all the
 * same, within its bound, with the memory out of reach; the NIC that comes back serves. -n gives the
 * rounds of each case; memory decoding off and the request take turns in them.
 */
#include "departure.h"

/* The NIC's driver, or the function itself, is taken away while a revoke waits for the NIC. */
static void leave_meanwhile(struct race *race, enum loss loss, bool answers)
{
	struct fixture *fixture = race->fixture;

	for_each_round(i) {
		static struct departure departure;
		int64_t released = 0;

		must_write_through(fixture, i);
		departure_prepare(race, &departure, loss);
		must(knob_set(fixture->lab, race->invalidation, KNOB_HOLD, answers ? -1 : 1, 0,
			      &test_error));
		race_revoke(race, race_trigger_of(i));
		must(knob_wait_held(fixture->lab, race->invalidation, &test_error));
		departure_begin(race, &departure);
		if (answers) {
			released = clock_now_ns();
			must(knob_release(fixture->lab, race->invalidation, &test_error));
		}
		race_revoke_join(race, answers ? RACE_PROMPT_NS : RACE_UNANSWERED_NS);
		if (answers)
			race_revoke_waited_until(race, released);
		else
			race_nic_was_cut_off(race);
		departure_join(race, &departure);
		race_must_be_sealed(race, answers);
		must(knob_release(fixture->lab, race->invalidation, &test_error));
		race_must_be_sealed(race, answers);
		fixture_close_nic(fixture);
		must(trigger_undo(fixture, race->trigger));
		departure_undo(race, &departure, i);
	}
}

static void driver_leaves(void **state)
{
	leave_meanwhile(*state, LOSS_UNBIND, true);
	race_report(*state, "the driver was unbound while the NIC held a revoke, and then let go");
}

static void driver_leaves_a_dead_nic(void **state)
{
	leave_meanwhile(*state, LOSS_UNBIND, false);
	race_report(*state, "the driver was unbound while the NIC held a revoke for good");
}

static void function_is_removed(void **state)
{
	leave_meanwhile(*state, LOSS_REMOVE, true);
	race_report(*state, "the function was removed while the NIC held a revoke, and then let go");
}

static void dead_function_is_removed(void **state)
{
	leave_meanwhile(*state, LOSS_REMOVE, false);
	race_report(*state, "the function was removed while the NIC held a revoke for good");
}

/* mlx5: the health of the firmware is looked at every two seconds. Its driver resets what is not well. */
static void firmware_dies(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	if (!race_faults(race))
		race_is_not_for_this_nic("the model of this NIC has no firmware that could die");
	for_each_round(i) {
		must_write_through(fixture, i);
		race_watch_nic(race);
		must(knob_set(fixture->lab, race->invalidation, KNOB_HOLD, 1, 0, &test_error));
		race_revoke(race, race_trigger_of(i));
		must(knob_wait_held(fixture->lab, race->invalidation, &test_error));
		must(lab_control_request(fixture->lab, json_pack("{s:s}", "command", "fatal"), NULL,
					 &test_error));
		race_revoke_join(race, RACE_UNANSWERED_NS);
		race_nic_was_cut_off(race);
		race_must_be_sealed(race, false);
		fixture_close_nic(fixture);
		must(trigger_undo(fixture, race->trigger));
		race_nic_comes_back(race);
		must_write_through(fixture, i);
		race_was_lost_times(race, i + 1);
	}
	race_report(race, "the firmware died while the NIC held a revoke");
}

static void set_present(struct race *race, bool present)
{
	must(lab_control_request(race->fixture->lab, json_pack("{s:s, s:b}", "command", "plug", "present",
							       present), NULL, &test_error));
}

/*
 * Pulled out without a word: all reads are ones, nothing is answered. Then the function is removed, as a
 * hotplug slot would have it, put back, and found.
 */
static void pulled_out(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	for_each_round(i) {
		static struct departure departure;

		must_write_through(fixture, i);
		departure_prepare(race, &departure, LOSS_REMOVE);
		must(knob_set(fixture->lab, race->invalidation, KNOB_HOLD, 1, 0, &test_error));
		race_revoke(race, race_trigger_of(i));
		must(knob_wait_held(fixture->lab, race->invalidation, &test_error));
		set_present(race, false);
		race_revoke_join(race, RACE_UNANSWERED_NS);
		race_must_be_sealed(race, false);
		departure_begin(race, &departure);
		departure_join(race, &departure);
		race_must_be_sealed(race, false);
		must(knob_release(fixture->lab, race->invalidation, &test_error));
		fixture_close_nic(fixture);
		must(trigger_undo(fixture, race->trigger));
		set_present(race, true);
		departure_undo(race, &departure, i);
	}
	race_report(race, "the NIC was pulled out while it held a revoke");
}

#define test(name) cmocka_unit_test_setup_teardown(name, race_setup_recovering, race_teardown)

static const struct CMUnitTest tests[] = {
	test(driver_leaves),
	test(driver_leaves_a_dead_nic),
	test(function_is_removed),
	test(dead_function_is_removed),
	test(firmware_dies),
	test(pulled_out),
};

TEST_MAIN("the NIC goes while it is asked to let go of memory; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB | TEST_NEEDS_UNBIND, tests)
