/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The canary with the writer on another machine: it fills a lent BAR with ever
 * new words over two connections, this host revokes, and from the return of the
 * call not one byte of the BAR changes any more, although the writer connects
 * anew and tries again. Then the memory is lent again and the next round begins.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trigger.h"
#include "two_hosts.h"
#include "witness.h"
#include "writer.h"

/* Writes that arrive before a revoke: 1 to so many. */
#define MOST_BEFORE 24

struct canary {
	struct two_hosts hosts;
	uint8_t *witness;	/* NULL without one */
	uint8_t *snapshot;	/* of it, at the return of the revoke */
	unsigned int rounds;
	uint64_t completed, changed_bytes, rounds_changed, strays_before, stale_keys_before;
};

static enum trigger trigger = TRIGGER_COMMAND;

static int set_up(void **state)
{
	struct canary *canary = calloc(1, sizeof(*canary));

	*state = canary;
	if (!canary || two_hosts_set_up(&canary->hosts))
		return -1;
	canary->snapshot = malloc(canary->hosts.fixture->size);
	return canary->snapshot ? 0 : -1;
}

static int tear_down(void **state)
{
	struct canary *canary = *state;

	if (canary->witness)
		witness_unmap(canary->witness, canary->hosts.fixture->size);
	free(canary->snapshot);
	two_hosts_tear_down(&canary->hosts);
	free(canary);
	return 0;
}

static uint64_t strays(struct canary *canary)
{
	return lab_counter(canary->hosts.fixture, "dma.unmapped_accesses") - canary->strays_before;
}

static uint64_t stale_keys(struct canary *canary)
{
	return lab_counter(canary->hosts.fixture, "stale_keys") - canary->stale_keys_before;
}

static void report(struct canary *canary)
{
	print_message("# %u rounds, %" PRIu64 " writes done; changed bytes: %" PRIu64 " (in %" PRIu64
		      " rounds), stray accesses: %" PRIu64 ", stale keys: %" PRIu64 "\n", canary->rounds,
		      canary->completed, canary->changed_bytes, canary->rounds_changed, strays(canary),
		      stale_keys(canary));
}

/* What shows the memory while it is revoked; NULL if nothing does. */
static uint8_t *watched(const struct canary *canary)
{
	if (!canary->witness && trigger == TRIGGER_REVOKE)
		return canary->hosts.fixture->window;
	return canary->witness;
}

static void compare(struct canary *canary)
{
	const uint8_t *memory = watched(canary);
	uint64_t changed = 0;

	if (!memory)
		return;
	for (size_t i = 0; i < canary->hosts.fixture->size; i++)
		changed += ((const volatile uint8_t *)memory)[i] != canary->snapshot[i];
	canary->changed_bytes += changed;
	canary->rounds_changed += changed != 0;
}

/* Until the writer has gone on by that many writes, as its words in the BAR tell. */
static void wait_for_writes(struct canary *canary, uint64_t more)
{
	const volatile uint64_t *words = (const volatile uint64_t *)canary->hosts.fixture->window;
	const size_t step = REMOTE_BLOCK / sizeof(*words);
	const size_t count = canary->hosts.fixture->size / sizeof(*words);
	int64_t end = clock_now_ns() + TEST_TIMEOUT_NS;
	uint64_t first = 0, last = 0;

	for (size_t i = 0; i < count; i += step)
		first = writer_word_sequence(words[i]) > first ? writer_word_sequence(words[i]) : first;
	while (last < first + more) {
		for (size_t i = 0; i < count; i += step)
			last = writer_word_sequence(words[i]) > last ? writer_word_sequence(words[i]) :
								       last;
		if (clock_now_ns() > end)
			fail_msg("the other host has stopped writing");
	}
}

/* A writer that is not refused never ends: then there is no next round. */
static void must_be_refused(struct canary *canary)
{
	struct remote_answer answer;

	if (remote_wait(&canary->hosts.remote, &answer, &test_error)) {
		compare(canary);
		report(canary);
		fail_msg("%s", test_error.text);
	}
	canary->completed += answer.completed;
	for (unsigned int i = 0; i < REMOTE_QPS; i++)
		assert_string_equal(ibv_wc_status_str(answer.status[i]),
				    ibv_wc_status_str(IBV_WC_REM_ACCESS_ERR));
}

static void run(struct canary *canary)
{
	must(remote_run(&canary->hosts.remote, mr_remote_at(canary->hosts.fixture, 0),
			(uint32_t)canary->hosts.fixture->size, &test_error));
}

static void lend_again(struct canary *canary)
{
	struct fixture *fixture = canary->hosts.fixture;
	struct ibv_mr *old = fixture->mr;

	must(trigger_undo(fixture, trigger));
	if (!fixture->window)
		fixture_map_window(fixture);
	if (trigger_effect(trigger) == TRIGGER_IS_FINAL ||
	    !(fixture->peer.attr.odp_caps.general_caps & IBV_ODP_SUPPORT)) {
		fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
		assert_int_equal(ibv_dereg_mr(old), 0);
	}
	must(remote_connect(&canary->hosts.remote, &test_error));
}

static void play_round(struct canary *canary)
{
	run(canary);
	wait_for_writes(canary, 1 + (uint64_t)rand() % MOST_BEFORE);
	/* It would keep the device's file open. */
	if (trigger == TRIGGER_CLOSE)
		fixture_unmap_window(canary->hosts.fixture);
	must(trigger_pull(canary->hosts.fixture, trigger));
	if (watched(canary))
		memcpy(canary->snapshot, watched(canary), canary->hosts.fixture->size);
	canary->rounds++;
	must_be_refused(canary);
	/* With connections that begin after the revoke. */
	must(remote_connect(&canary->hosts.remote, &test_error));
	run(canary);
	must_be_refused(canary);
	compare(canary);
	lend_again(canary);
}

static void map_witness(struct canary *canary)
{
	struct fixture *fixture = canary->hosts.fixture;
	void *address;

	if (!witness_map(vfio_exporter_bdf(fixture->exporter), test_options.bar, test_options.offset,
			 fixture->size, fixture->window, &address, &test_error))
		canary->witness = address;
	else if (test_error.missing && !test_in_lab())
		print_message("# %s\n", test_error.text);
	else
		fail_msg("%s", test_error.text);
}

static void not_a_byte_changes(void **state)
{
	struct canary *canary = *state;

	map_witness(canary);
	memset(canary->hosts.fixture->window, 0, canary->hosts.fixture->size);
	canary->strays_before = lab_counter(canary->hosts.fixture, "dma.unmapped_accesses");
	canary->stale_keys_before = lab_counter(canary->hosts.fixture, "stale_keys");
	for_each_round(i)
		play_round(canary);
	report(canary);
	assert_true(canary->completed > 0);
	assert_int_equal(canary->changed_bytes, 0);
	assert_int_equal(strays(canary), 0);
	assert_int_equal(stale_keys(canary), 0);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 't':
		if (trigger_parse(arg, &trigger) || trigger == TRIGGER_RESET || trigger > TRIGGER_REVOKE)
			argp_error(state, "-t (--trigger) takes command, close or revoke");
		return 0;
	default:
		return options_pass_on(key, state);
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option option_list[] = {
		{ "trigger", 't', "command|close|revoke", 0, "what revokes (default command)", 0 },
		{ 0 },
	};
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(not_a_byte_changes, set_up, tear_down),
	};
	const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	const struct argp program = {
		option_list, parse_option, NULL,
		"the canary over two hosts: after a revoke not one byte of the lent BAR changes; -n gives "
		"the rounds", children, NULL, NULL,
	};

	test_parse_program(&program, argc, argv);
	test_require(TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC);
	if (remote_is_there(&test_error))
		test_cannot_start();
	return cmocka_run_group_tests_name("canary_two_hosts", tests, NULL, NULL) ?
		       EXIT_STATUS_FAILED : 0;
}
