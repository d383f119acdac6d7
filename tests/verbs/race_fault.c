/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A page fault of the NIC is under way while its memory is taken back: at the device, at the driver,
 * or on the way back. The revoke waits for a translation that the driver is making, and for no other
 * part of a fault. What the fault was for does not reach the memory after the revoke has returned.
 * -n gives the rounds of each case; memory decoding off and the request take turns in them.
 */

#include <stdio.h>

#include "held_faults.h"
#include "race.h"

#define ANSWER "page_fault_resume"

/* A write of the whole buffer that finds no translation. */
static void write_into_nothing(struct race *race, uint32_t seed)
{
	struct fixture *fixture = race->fixture;

	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	fill_pattern(fixture->buffer.address, fixture->size, seed);
	must(verbs_post_write(&fixture->pair.initiator, seed,
			      buffer_at(fixture, 0, (uint32_t)fixture->size),
			      mr_remote_at(fixture, 0), &test_error));
}

static void must_end_refused(struct race *race)
{
	must_complete(&race->fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	race_must_be_sealed(race, true);
	must(verbs_pair_recycle(&race->fixture->pair, &test_error));
}

static void must_serve(struct race *race, uint32_t seed)
{
	race_dereg(race_give_back(race));
	must_write_through(race->fixture, seed);
}

/* The driver has not heard of it, and hears of it when there is nothing any more. */
static void fault_at_the_device(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;
	uint64_t faults;

	for_each_round(i) {
		must(lab_hold_faults(fixture->lab, &faults, &test_error));
		write_into_nothing(race, i);
		must(lab_wait_faults(fixture->lab, faults + 1, &test_error));
		race_revoke(race, race_trigger_of(i));
		race_revoke_join(race, RACE_PROMPT_NS);
		assert_int_equal(must(knob_held(fixture->lab, "page_fault", &test_error)), 1);
		must(lab_release_faults(fixture->lab, &test_error));
		must_end_refused(race);
		must_serve(race, i);
	}
	race_report(race, "every revoke met a fault that the NIC held");
}

/* The memory is back before the driver hears of the fault: the write is done, and not before. */
static void fault_that_outlasts_the_revoke(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;
	uint64_t faults;

	for_each_round(i) {
		must(lab_hold_faults(fixture->lab, &faults, &test_error));
		write_into_nothing(race, i);
		must(lab_wait_faults(fixture->lab, faults + 1, &test_error));
		race_revoke(race, TRIGGER_COMMAND);
		race_revoke_join(race, RACE_PROMPT_NS);
		race_must_be_sealed(race, true);
		race_dereg(race_give_back(race));
		must(lab_release_faults(fixture->lab, &test_error));
		must_complete(&fixture->pair.initiator, IBV_WC_SUCCESS);
		must_hold_pattern(fixture->window, fixture->size, i);
	}
	race_report(race, "every fault was answered after the memory was back");
}

/* The driver has mapped and said so, and the device has not heard it when the mapping goes. */
static void answer_on_its_way(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	for_each_round(i) {
		must(knob_set(fixture->lab, ANSWER, KNOB_HOLD, 1, 0, &test_error));
		write_into_nothing(race, i);
		must(knob_wait_held(fixture->lab, ANSWER, &test_error));
		race_revoke(race, race_trigger_of(i));
		race_revoke_join(race, RACE_PROMPT_NS);
		assert_int_equal(must(knob_held(fixture->lab, ANSWER, &test_error)), 1);
		must(knob_release(fixture->lab, ANSWER, &test_error));
		must_end_refused(race);
		must_serve(race, i);
	}
	race_report(race, "every revoke met an answer that the NIC held");
}

/* The driver is making the translation: the revoke is behind it, and takes it away again. */
static void translation_in_the_making(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;
	unsigned int written = 0;
	char met[96];

	for_each_round(i) {
		int64_t released;
		struct ibv_wc wc;

		fixture_revoke(fixture);
		fixture_unrevoke(fixture);
		must(knob_set(fixture->lab, "umr", KNOB_HOLD, -1, 0, &test_error));
		fill_pattern(fixture->buffer.address, fixture->size, i);
		must(verbs_post_write(&fixture->pair.initiator, i,
				      buffer_at(fixture, 0, (uint32_t)fixture->size),
				      mr_remote_at(fixture, 0), &test_error));
		must(knob_wait_held(fixture->lab, "umr", &test_error));
		race_revoke(race, race_trigger_of(i));
		released = clock_now_ns();
		must(knob_release(fixture->lab, "umr", &test_error));
		race_revoke_join(race, RACE_PROMPT_NS);
		race_revoke_waited_until(race, released);
		/* It was in time, or it was not. */
		must(verbs_wait(&fixture->pair.initiator, &wc, TEST_TIMEOUT_NS, &test_error));
		written += wc.status == IBV_WC_SUCCESS;
		if (wc.status != IBV_WC_SUCCESS) {
			assert_int_equal(wc.status, IBV_WC_REM_ACCESS_ERR);
			must(verbs_pair_recycle(&fixture->pair, &test_error));
		}
		race_must_refuse(race, fixture->mr->rkey);
		race_must_be_sealed(race, true);
		must_serve(race, i);
	}
	snprintf(met, sizeof(met), "every revoke met a translation in the making, %u writes were in time",
		 written);
	race_report(race, met);
}

static int set_up(void **state)
{
	int ret = race_setup(state);

	if (!ret && !race_faults(*state)) {
		print_error("# setup: this NIC does not fault\n");
		return -1;
	}
	return ret;
}

static int tear_down(void **state)
{
	struct race *race = *state;

	if (race->fixture->lab) {
		knob_release(race->fixture->lab, "page_fault", NULL);
		knob_release(race->fixture->lab, ANSWER, NULL);
	}
	return race_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test(fault_at_the_device),
	test(fault_that_outlasts_the_revoke),
	test(answer_on_its_way),
	test(translation_in_the_making),
};

TEST_MAIN("a page fault is under way while the memory is taken back; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
