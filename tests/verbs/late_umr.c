/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * mlx5: a change of a memory key is late, or its completion is not reported, and the NIC is not dead. A
 * registration waits longer than a revoke would, also while all of the NIC stands still; a revoke whose
 * interrupt is lost looks for its completion by itself. The NIC is not cut off.
 */
#include <time.h>

#include "race.h"

/* Longer than a revoke waits, and much shorter than a registration does. */
#define LATE_S 8
/* It stands still that often, each time as long as QEMU puts up with. */
#define STOPS 3
#define STOP_MS 3000
#define EVENT "completion_event"

static const struct timespec late = { .tv_sec = LATE_S };

static void must_be_as_before(struct race *race, unsigned int round)
{
	must_write_through(race->fixture, round);
	race_was_lost_times(race, 0);
}

static void register_meanwhile(struct race *race, struct race_call *call,
			       struct race_registration *registration)
{
	struct fixture *fixture = race->fixture;

	if (!race_faults(race))
		race_is_not_for_this_nic("it has no UMRs");
	must_write_through(fixture, 0);
	*registration = (struct race_registration){ .fixture = fixture, .dmabuf = fixture->dmabuf };
	must(knob_set(fixture->lab, race->invalidation, KNOB_HOLD, 1, 0, &test_error));
	race_call(race, call, race_register_call, registration);
	must(knob_wait_held(fixture->lab, race->invalidation, &test_error));
}

static void end_registration(struct race *race, struct race_call *call,
			     struct race_registration *registration)
{
	if (race_call_is_over(race, call))
		fail_msg("the registration did not wait for the NIC: %d", call->result);
	must(knob_release(race->fixture->lab, race->invalidation, &test_error));
	race_call_join(race, call, "a registration");
	test_error = call->err;
	must(call->result);
	assert_int_equal(ibv_dereg_mr(registration->mr), 0);
}

static void registration_is_late(void **state)
{
	static struct race_registration registration;
	static struct race_call call;
	struct race *race = *state;

	register_meanwhile(race, &call, &registration);
	/* What is late is late by the clock; there is no event to wait for. */
	nanosleep(&late, NULL);
	end_registration(race, &call, &registration);
	must_be_as_before(race, 1);
}

static void nic_stands_still(void **state)
{
	static struct race_registration registration;
	static struct race_call call;
	struct race *race = *state;

	register_meanwhile(race, &call, &registration);
	for (int i = 0; i < STOPS; i++)
		must(lab_control_request(race->fixture->lab,
					 json_pack("{s:s, s:i}", "command", "stop", "ms", STOP_MS), NULL,
					 &test_error));
	end_registration(race, &call, &registration);
	must_be_as_before(race, 1);
}

static void event_is_lost(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	if (!race_faults(race))
		race_is_not_for_this_nic("it has no UMRs");
	for_each_round(i) {
		must_write_through(fixture, i);
		must(knob_set(fixture->lab, EVENT, KNOB_DROP, 1, 0, &test_error));
		race_revoke(race, race_trigger_of(i));
		race_revoke_join(race, RACE_PROMPT_NS);
		race_must_be_sealed(race, true);
		race_dereg(race_give_back(race));
		must_be_as_before(race, i);
	}
	race_report(race, "the NIC did not tell of the completion that a revoke waited for");
}

static int tear_down(void **state)
{
	struct race *race = *state;

	if (race->fixture->lab)
		knob_release(race->fixture->lab, EVENT, NULL);
	return race_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, race_setup_recovering, tear_down)

static const struct CMUnitTest tests[] = {
	test(registration_is_late),
	test(nic_stands_still),
	test(event_is_lost),
};

TEST_MAIN("a change of a memory key is late, or not reported; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
