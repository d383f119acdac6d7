/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * irdma goes, and with it a CQ of the kernel's own (the MAD layer's), whose completions are polled by a
 * work item that is late, or whose last event is late. What it finds must not be freed: KASAN tells, or
 * the test itself where nothing may be queued. And the work that polls the control queue's CQ is late:
 * it must have ended before the driver polls that CQ itself. -n gives the rounds of each case.
 */
#include "departure.h"
#include "hooked_function.h"

/* Everybody's calls: threads of the kernel are among those who are late. */
static struct hooked_function first, second, poll;

static void hold_before(struct hooked_function *hook, const char *function)
{
	hooked_function_hold(hook, function, HOOKED_ANYBODY, FUNCTION_HOOK_HOLD_BEFORE);
}

/* The QPs that are left are the kernel's. */
static void prepare(struct race *race, struct departure *departure, unsigned int round)
{
	if (race_faults(race))
		race_is_not_for_this_nic("it is about irdma");
	must_write_through(race->fixture, round);
	departure_prepare(race, departure, LOSS_UNBIND);
	fixture_close_nic(race->fixture);
}

/* For the work to be queued, on a busy machine. */
#define SOON_MS patience(2000)

/*
 * The driver makes up the completions of what a QP in error state still had (irdma_flush_worker), once
 * those of the NIC were polled. They are on a list of the CQ when the QP is destroyed; unless the work
 * that polled those of the NIC took so long that it found them, too.
 */
static void polled_after_the_qp_is_freed(void **state)
{
	struct race *race = *state;
	unsigned int late = 0;

	for_each_round(i) {
		static struct departure departure;
		struct hooked_function *qp_in_error = &first, *flush = &second, *cq_is_freed = &second;

		prepare(race, &departure, i);
		hooked_function_hold(qp_in_error, "irdma_modify_qp_to_err", HOOKED_ANYBODY,
				     FUNCTION_HOOK_HOLD_AFTER);
		hold_before(flush, "irdma_flush_worker");
		departure_begin(race, &departure);
		hooked_function_wait(qp_in_error);
		hooked_function_wait(flush);
		hold_before(&poll, "ib_cq_poll_work");
		hooked_function_release(flush);
		late += hooked_function_met(&poll, SOON_MS);
		hold_before(cq_is_freed, "ib_free_cq");
		hooked_function_release(qp_in_error);
		/* The QP is freed by then, and the CQ waits for the work. */
		hooked_function_wait(cq_is_freed);
		hooked_function_release(&poll);
		hooked_function_release(cq_is_freed);
		departure_join(race, &departure);
		departure_undo(race, &departure, i);
	}
	print_message("# the work was late in %u rounds of %u\n", late, test_rounds.done);
	assert_int_not_equal(late, 0);
}

/* The NIC's event comes when the work was cancelled, and before the driver forgets the CQ. */
static void event_after_the_work_was_cancelled(void **state)
{
	struct race *race = *state;

	for_each_round(i) {
		static struct departure departure;
		struct lab_control *lab = race->fixture->lab;
		struct hooked_function *cq_is_destroyed = &first, *event = &second;

		prepare(race, &departure, i);
		must(knob_set(lab, "completion_event", KNOB_HOLD, -1, 0, &test_error));
		hold_before(cq_is_destroyed, "irdma_destroy_cq");
		departure_begin(race, &departure);
		hooked_function_wait(cq_is_destroyed);
		if (!must(knob_held(lab, "completion_event", &test_error)))
			fail_msg("the NIC had no event for the CQ");
		hold_before(&poll, "ib_cq_poll_work");
		hooked_function_watch(event, "irdma_process_ceq", HOOKED_ANYBODY);
		must(knob_release(lab, "completion_event", &test_error));
		hooked_function_wait(event);
		hooked_function_release(cq_is_destroyed);
		departure_join(race, &departure);
		if (hooked_function_met(&poll, 0))
			fail_msg("the work of a CQ that is freed was queued");
		departure_undo(race, &departure, i);
	}
}

/*
 * The last command but one destroys CEQ 0, and the driver polls for its completion without a lock. The
 * work that the events of that CEQ queued polls the same CQ: both could take the completion.
 */
static void completion_of_a_command_is_taken_once(void **state)
{
	struct race *race = *state;
	unsigned int both = 0;

	for_each_round(i) {
		static struct departure departure;
		struct hooked_function *work = &first, *ceqs_go = &second, *driver_polls = &poll;

		prepare(race, &departure, i);
		hooked_function_watch(ceqs_go, "irdma_destroy_pble_prm", HOOKED_ANYBODY);
		hooked_function_watch(driver_polls, "irdma_sc_cceq_destroy_done", HOOKED_ANYBODY);
		hold_before(work, "cqp_compl_worker");
		departure_begin(race, &departure);
		hooked_function_wait(work);
		hooked_function_wait(ceqs_go);
		both += hooked_function_met(driver_polls, SOON_MS);
		hooked_function_release(work);
		hooked_function_wait(driver_polls);
		departure_join(race, &departure);
		departure_undo(race, &departure, i);
	}
	print_message("# the driver polled beside its work in %u rounds of %u\n", both, test_rounds.done);
	assert_int_equal(both, 0);
}

static int tear_down(void **state)
{
	struct race *race = *state;

	if (race->fixture->lab)
		knob_release(race->fixture->lab, "completion_event", NULL);
	hooked_function_close(&first);
	hooked_function_close(&second);
	hooked_function_close(&poll);
	return race_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, race_setup_recovering, tear_down)

static const struct CMUnitTest tests[] = {
	test(polled_after_the_qp_is_freed),
	test(event_after_the_work_was_cancelled),
	test(completion_of_a_command_is_taken_once),
};

TEST_MAIN("irdma goes while the work of a CQ is late; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB | TEST_NEEDS_UNBIND, tests)
