/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * An MR is deregistered while its memory is taken back, and the NIC lets one of the two wait: the
 * other waits too, for both must know that the key is dead when they return. Afterwards both have
 * succeeded. -n gives the rounds of each case; memory decoding off and the request take turns in them.
 */

#include "held_faults.h"
#include "race.h"

/* From here on the MR is the call's. */
static void start_dereg(struct race *race, struct race_call *dereg)
{
	struct ibv_mr *mr = race->fixture->mr;

	race->fixture->mr = NULL;
	race_call(race, dereg, race_dereg_call, mr);
}

/* The MR is gone, and the memory is back; a new MR serves. */
static void must_serve_anew(struct race *race, uint32_t seed)
{
	assert_null(race_give_back(race));
	must_write_through(race->fixture, seed);
}

/* operation is what the NIC holds of the deregistration. */
static void revoke_behind_dereg(struct race *race, const char *operation, unsigned int i)
{
	struct fixture *fixture = race->fixture;
	uint32_t rkey = fixture->mr->rkey;
	static struct race_call dereg;
	int64_t released;

	start_dereg(race, &dereg);
	must(knob_wait_held(fixture->lab, operation, &test_error));
	race_revoke(race, race_trigger_of(i));
	released = clock_now_ns();
	must(knob_release(fixture->lab, operation, &test_error));
	race_revoke_join(race, RACE_PROMPT_NS);
	race_revoke_waited_until(race, released);
	race_call_join(race, &dereg, "the deregistration");
	assert_int_equal(dereg.result, 0);
	race_must_refuse(race, rkey);
	race_must_be_sealed(race, true);
	must_serve_anew(race, i);
}

static void dereg_waits_for_the_device(void **state)
{
	struct race *race = *state;

	must_write_through(race->fixture, 0);
	for_each_round(i) {
		must(knob_set(race->fixture->lab, race->invalidation, KNOB_HOLD, -1, 0, &test_error));
		revoke_behind_dereg(race, race->invalidation, i);
	}
	race_report(race, "every revoke met a deregistration that the NIC held");
}

/* mlx5 destroys the key by a command where it cannot do it by a work request. */
static void dereg_waits_for_a_command(void **state)
{
	struct race *race = *state;
	struct lab_control *lab = race->fixture->lab;

	if (!race_faults(race))
		race_is_not_for_this_nic("a deregistration is one command here: dereg_waits_for_the_device");
	must_write_through(race->fixture, 0);
	for_each_round(i) {
		must(knob_set(lab, "umr", KNOB_FAIL, 1, 0, &test_error));
		must(knob_set(lab, "DESTROY_MKEY", KNOB_HOLD, 1, 0, &test_error));
		revoke_behind_dereg(race, "DESTROY_MKEY", i);
	}
	race_report(race, "every revoke met a DESTROY_MKEY that the NIC held");
}

static void revoke_waits_for_the_device(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	must_write_through(fixture, 0);
	for_each_round(i) {
		uint32_t rkey = fixture->mr->rkey;
		static struct race_call dereg;
		int64_t released;

		must(knob_set(fixture->lab, race->invalidation, KNOB_HOLD, -1, 0, &test_error));
		race_revoke(race, race_trigger_of(i));
		must(knob_wait_held(fixture->lab, race->invalidation, &test_error));
		start_dereg(race, &dereg);
		released = clock_now_ns();
		must(knob_release(fixture->lab, race->invalidation, &test_error));
		race_revoke_join(race, RACE_PROMPT_NS);
		race_revoke_waited_until(race, released);
		race_call_join(race, &dereg, "the deregistration");
		assert_int_equal(dereg.result, 0);
		assert_true(dereg.returned >= released);
		race_must_refuse(race, rkey);
		race_must_be_sealed(race, true);
		must_serve_anew(race, i);
	}
	race_report(race, "every deregistration met a revoke that the NIC held");
}

/* Neither waits for a fault that the driver has not heard of. */
static void dereg_with_a_fault_at_the_device(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	if (!race_faults(race))
		race_is_not_for_this_nic("this NIC does not fault");
	for_each_round(i) {
		static struct race_call dereg;
		uint64_t faults;

		fixture_revoke(fixture);
		fixture_unrevoke(fixture);
		must(lab_hold_faults(fixture->lab, &faults, &test_error));
		must(verbs_post_write(&fixture->pair.initiator, i, buffer_at(fixture, 0, 4096),
				      mr_remote_at(fixture, 0), &test_error));
		must(lab_wait_faults(fixture->lab, faults + 1, &test_error));
		start_dereg(race, &dereg);
		race_revoke(race, race_trigger_of(i));
		race_revoke_join(race, RACE_PROMPT_NS);
		race_call_join(race, &dereg, "the deregistration");
		assert_int_equal(dereg.result, 0);
		must(lab_release_faults(fixture->lab, &test_error));
		must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
		must(verbs_pair_recycle(&fixture->pair, &test_error));
		race_must_be_sealed(race, true);
		must_serve_anew(race, i);
	}
	race_report(race, "every pair of them met a fault that the NIC held");
}

static int tear_down(void **state)
{
	struct race *race = *state;

	if (race->fixture->lab) {
		knob_release(race->fixture->lab, "page_fault", NULL);
		knob_release(race->fixture->lab, "DESTROY_MKEY", NULL);
	}
	return race_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, race_setup, tear_down)

static const struct CMUnitTest tests[] = {
	test(dereg_waits_for_the_device),
	test(dereg_waits_for_a_command),
	test(revoke_waits_for_the_device),
	test(dereg_with_a_fault_at_the_device),
};

TEST_MAIN("an MR is deregistered while its memory is taken back; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
