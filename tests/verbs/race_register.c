/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * An MR is registered while its memory is taken back, and the registration is held where it hurts.
 *
 * In dma_buf_dynamic_attach(), before it returns (tests/kernel/function-hook): the exporter calls an
 * importer that does not know its own attachment yet, mlx5 and irdma alike.
 *
 * By the NIC. mlx5 attaches to the dma-buf, has the NIC make a key (CREATE_MKEY, held here), and maps: the
 * revoke comes between attach and map. It finds nobody who maps, waits for nobody, and the registration
 * that goes on afterwards is refused; or serves, if the memory is back by then. irdma attaches, pins and
 * maps under one lock and tells the NIC under it, too (REG_MR, held here): the revoke comes between map
 * and the end of the registration, waits for it, and kills the MR. What it was told before that lasts: a
 * registration that was revoked in the attach is refused, although the memory is back.
 * -n gives the rounds of each case; memory decoding off and the request take turns in them.
 */
#include <stdlib.h>

#include "hooked_function.h"
#include "race.h"

static struct hooked_function attach;

static const char *held_operation(const struct race *race)
{
	return race_faults(race) ? "CREATE_MKEY" : "REG_MR";
}

/*
 * Keys that the driver keeps from earlier MRs need no command; they are used up by registrations that
 * last until the end of the test.
 */
struct kept {
	struct ibv_mr **mrs;
	unsigned int count, room;
};

static void keep(struct kept *kept, struct ibv_mr *mr)
{
	if (kept->count == kept->room) {
		kept->room = kept->room * 2 + 64;
		kept->mrs = reallocarray(kept->mrs, kept->room, sizeof(*kept->mrs));
		assert_non_null(kept->mrs);
	}
	kept->mrs[kept->count++] = mr;
}

static void dereg_kept(struct kept *kept)
{
	for (unsigned int i = 0; i < kept->count; i++)
		assert_int_equal(ibv_dereg_mr(kept->mrs[i]), 0);
	free(kept->mrs);
}

/* Until one of them is held. */
static void start_registration(struct race *race, struct race_registration *registration,
			       struct race_call *call, struct kept *kept)
{
	const char *operation = held_operation(race);
	struct fixture *fixture = race->fixture;

	must(knob_set(fixture->lab, operation, KNOB_HOLD, 1, 0, &test_error));
	for (;;) {
		int held = 0;
		bool over = false;

		*registration = (struct race_registration){ .fixture = fixture, .dmabuf = fixture->dmabuf };
		race_call(race, call, race_register_call, registration);
		while (!held && !over) {
			held = must(knob_held(fixture->lab, operation, &test_error));
			over = !held && race_call_is_over(race, call);
		}
		if (held)
			return;
		must(call->result);
		keep(kept, registration->mr);
	}
}

/* Where a registration is held. */
enum place { PLACE_IN_ATTACH, PLACE_AT_THE_NIC };

static void start_at(struct race *race, enum place place, struct race_registration *registration,
		     struct race_call *call, struct kept *kept)
{
	struct fixture *fixture = race->fixture;

	if (place == PLACE_AT_THE_NIC) {
		start_registration(race, registration, call, kept);
		return;
	}
	hooked_function_hold(&attach, "dma_buf_dynamic_attach", HOOKED_THIS_PROCESS,
			     FUNCTION_HOOK_HOLD_AFTER);
	*registration = (struct race_registration){ .fixture = fixture, .dmabuf = fixture->dmabuf };
	race_call(race, call, race_register_call, registration);
	hooked_function_wait(&attach);
}

static void go_on(struct race *race, enum place place)
{
	if (place == PLACE_AT_THE_NIC)
		must(knob_release(race->fixture->lab, held_operation(race), &test_error));
	else
		hooked_function_release(&attach);
}

static void after_the_attach(struct race *race, enum place place, bool back_in_time)
{
	struct fixture *fixture = race->fixture;
	struct kept kept = { 0 };

	for_each_round(i) {
		static struct race_registration registration;
		static struct race_call call;
		int64_t released;

		must_write_through(fixture, i);
		start_at(race, place, &registration, &call, &kept);
		race_revoke(race, back_in_time ? TRIGGER_COMMAND : race_trigger_of(i));
		race_revoke_join(race, RACE_PROMPT_NS);
		race_must_refuse(race, fixture->mr->rkey);
		race_must_be_sealed(race, true);
		if (back_in_time)
			race_dereg(race_give_back(race));
		released = clock_now_ns();
		go_on(race, place);
		race_call_join(race, &call, "the registration");
		assert_true(call.returned >= released);
		if (back_in_time && race_faults(race)) {
			must(call.result);
			race_dereg(fixture->mr);
			fixture->mr = registration.mr;
		} else {
			must_fail(call.result, ENODEV);
		}
		if (!back_in_time) {
			race_must_be_sealed(race, true);
			race_dereg(race_give_back(race));
		}
		must_write_through(fixture, i + 1);
	}
	dereg_kept(&kept);
}

static void revoked_in_the_attach(void **state)
{
	struct race *race = *state;

	after_the_attach(race, PLACE_IN_ATTACH, false);
	race_report(race, "every revoke met a registration that had attached and did not know it");
}

static void revoked_and_back_in_the_attach(void **state)
{
	struct race *race = *state;

	after_the_attach(race, PLACE_IN_ATTACH, true);
	race_report(race, "every registration saw the memory go and come back while it attached");
}

static void revoked_between_attach_and_map(void **state)
{
	struct race *race = *state;

	if (!race_faults(race))
		race_is_not_for_this_nic("irdma attaches and maps without a word to the NIC between them");
	after_the_attach(race, PLACE_AT_THE_NIC, false);
	race_report(race, "every revoke met a registration that had attached and not mapped");
}

static void revoked_and_back_between_attach_and_map(void **state)
{
	struct race *race = *state;

	if (!race_faults(race))
		race_is_not_for_this_nic("irdma attaches and maps without a word to the NIC between them");
	after_the_attach(race, PLACE_AT_THE_NIC, true);
	race_report(race, "every registration had attached, saw the memory go and come back, and mapped");
}

/* What the NIC is told under the lock: the revoke waits, and kills what was just registered. */
static void revoked_between_map_and_end(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	if (race_faults(race))
		race_is_not_for_this_nic("mlx5's mapping is a fault like others: race_fault");
	for_each_round(i) {
		struct kept kept = { 0 };
		static struct race_registration registration;
		static struct race_call call;
		int64_t released;

		must_write_through(fixture, i);
		start_registration(race, &registration, &call, &kept);
		race_revoke(race, race_trigger_of(i));
		released = clock_now_ns();
		must(knob_release(fixture->lab, held_operation(race), &test_error));
		race_revoke_join(race, RACE_PROMPT_NS);
		race_revoke_waited_until(race, released);
		race_call_join(race, &call, "the registration");
		must(call.result);
		race_must_refuse(race, fixture->mr->rkey);
		race_must_refuse(race, registration.mr->rkey);
		race_must_be_sealed(race, true);
		race_dereg(registration.mr);
		race_dereg(race_give_back(race));
		dereg_kept(&kept);
	}
	race_report(race, "every revoke met a registration that had mapped and not ended");
}

static int tear_down(void **state)
{
	struct race *race = *state;

	hooked_function_close(&attach);
	if (race->fixture->lab)
		knob_release(race->fixture->lab, held_operation(race), NULL);
	return race_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, race_setup, tear_down)

static const struct CMUnitTest tests[] = {
	test(revoked_in_the_attach),
	test(revoked_and_back_in_the_attach),
	test(revoked_between_attach_and_map),
	test(revoked_and_back_between_attach_and_map),
	test(revoked_between_map_and_end),
};

TEST_MAIN("an MR is registered while its memory is taken back; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
