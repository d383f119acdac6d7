/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The canary: writers fill an MR over a VFIO BAR with ever new patterns by RDMA
 * as fast as they can, and others a CPU mapping of the same dma-buf (--cpu-writers).
 * The exporter revokes, and not one byte of the BAR changes any more, although
 * the writers keep trying.
 *
 * From when, and how it is seen:
 * - PCI_COMMAND's memory bit (--trigger=command), close (--trigger=close) and the
 *   request to revoke for good (--trigger=revoke): from the return of the call.
 *   Where there is a witness of the BAR's memory (the lab has one), a snapshot of
 *   it is taken at the return and compared after every writer has been refused
 *   again. Everywhere, once the BAR can be read again, no word in it may carry a
 *   sequence number that was handed out after the return. The request leaves the
 *   BAR as it is, so there its owner's own window will do for a witness.
 * - VFIO_DEVICE_RESET (--trigger=reset) un-revokes before it returns, so what
 *   is promised lies inside the call. The lab holds the NIC's page faults while
 *   it runs: then nobody can map the BAR anew, and whatever changes in it comes
 *   through a translation that should have gone with the revoke.
 *
 * In the lab the model's own count of accesses to unmapped addresses, and of
 * keys that map a window that went away, must stay where it was.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "held_faults.h"
#include "fixture.h"
#include "trigger.h"
#include "witness.h"
#include "writer.h"

#define MAX_WRITERS 8
/* Refusals that each writer must get after the return: the last of them began after it. */
#define REFUSALS 2

struct canary {
	struct fixture *fixture;
	struct writers_meeting meeting;
	struct writer writers[MAX_WRITERS];
	uint8_t *witness;		/* NULL without one */
	void *mapping;			/* the CPU writers', of the dma-buf */
	uint8_t *snapshot;		/* of the witness, at the return of the revoke */
	uint64_t posted_at_return[MAX_WRITERS];
	unsigned int rounds;
	uint64_t changed_bytes, young_words, rounds_changed;
	uint64_t strays_before, stale_keys_before;
};

static enum trigger trigger = TRIGGER_COMMAND;
static unsigned int rdma_writer_count = 2;
static unsigned int cpu_writer_count;
/* The first ones write by RDMA, the others by the CPU. */
static unsigned int writer_count;

/* ---- what is looked at ---- */

static void compare_with_snapshot(struct canary *canary, const volatile uint8_t *memory)
{
	uint64_t changed = 0;

	if (!memcmp((const void *)memory, canary->snapshot, canary->fixture->size))
		return;
	for (size_t i = 0; i < canary->fixture->size; i++)
		changed += memory[i] != canary->snapshot[i];
	canary->changed_bytes += changed;
	canary->rounds_changed++;
}

/* No word may be of a write that was posted after the revoke had returned. */
static void look_for_young_words(struct canary *canary, const volatile uint64_t *words)
{
	size_t per_writer = canary->writers[0].length / sizeof(*words);

	for (size_t i = 0; i < per_writer * writer_count; i++) {
		unsigned int id = (unsigned int)(i / per_writer);

		if (writer_word_sequence(words[i]) > canary->posted_at_return[id])
			canary->young_words++;
	}
}

/* What shows the memory while it is revoked; NULL if nothing does. */
static uint8_t *watched(const struct canary *canary)
{
	if (!canary->witness && trigger == TRIGGER_REVOKE)
		return canary->fixture->window;
	return canary->witness;
}

/* The first thing after the revoking call. */
static void take_snapshot(struct canary *canary)
{
	if (watched(canary))
		memcpy(canary->snapshot, watched(canary), canary->fixture->size);
	for (unsigned int i = 0; i < writer_count; i++)
		canary->posted_at_return[i] = atomic_load(&canary->writers[i].posted);
}

/* ---- rounds ---- */

/* Device accesses to unmapped addresses, and keys that map a window which went away. */
static uint64_t strays(struct canary *canary)
{
	return lab_counter(canary->fixture, "dma.unmapped_accesses") - canary->strays_before;
}

static uint64_t stale_keys(struct canary *canary)
{
	return lab_counter(canary->fixture, "stale_keys") - canary->stale_keys_before;
}

static void report(struct canary *canary)
{
	uint64_t completed = 0, refused = 0;

	for (unsigned int i = 0; i < writer_count; i++) {
		completed += atomic_load(&canary->writers[i].completed);
		refused += atomic_load(&canary->writers[i].refused);
	}
	print_message("# %u rounds, %u writers (%u by the CPU), %" PRIu64 " writes done, %" PRIu64
		      " refused; changed bytes: %" PRIu64 " (in %" PRIu64 " rounds), words younger than the revoke: %" PRIu64
		      ", stray accesses: %" PRIu64 ", stale keys: %" PRIu64 "\n", canary->rounds,
		      writer_count, cpu_writer_count, completed, refused, canary->changed_bytes, canary->rounds_changed,
		      canary->young_words, strays(canary), stale_keys(canary));
}

static void start_writing(struct canary *canary)
{
	int written;

	writers_run(canary->writers, writer_count);
	written = writers_wait_completed(canary->writers, writer_count, 1 + (uint64_t)rand() % 24,
					 &test_error);
	if (written)
		report(canary);
	must(written);
}

/* Everything from the return of the revoke to the moment when nobody writes any more. */
static void after_the_return(struct canary *canary)
{
	int refused;

	canary->rounds++;
	atomic_fetch_add(&canary->meeting.epoch, 1);
	take_snapshot(canary);
	refused = writers_wait_refused(canary->writers, writer_count, REFUSALS, &test_error);
	if (watched(canary))
		compare_with_snapshot(canary, watched(canary));
	/* With writers that are not even refused there is no next round. */
	if (refused)
		report(canary);
	must(refused);
	must(writers_park(canary->writers, writer_count, &test_error));
}

/* What the writers write to: the MR's key, and a mapping in place of the last one. */
static void map_for_cpu_writers(struct canary *canary)
{
	struct fixture *fixture = canary->fixture;

	if (!cpu_writer_count)
		return;
	if (canary->mapping)
		must_sys(munmap(canary->mapping, fixture->size));
	canary->mapping = fixture_map_dmabuf(fixture->dmabuf, fixture->size);
}

static void set_targets(struct canary *canary)
{
	for (unsigned int i = 0; i < writer_count; i++) {
		struct writer *writer = &canary->writers[i];

		writer->rkey = canary->fixture->mr->rkey;
		if (i >= rdma_writer_count)
			writer->mapping = (void *)((uint8_t *)canary->mapping + writer->iova);
	}
}

/* The memory is lent again; the writers get the new key. */
static void lend_again(struct canary *canary)
{
	struct fixture *fixture = canary->fixture;
	struct ibv_mr *old_mr = fixture->mr;

	must(trigger_undo(fixture, trigger));
	atomic_fetch_add(&canary->meeting.epoch, 1);
	if (!fixture->window)
		fixture_map_window(fixture);
	look_for_young_words(canary, (const volatile uint64_t *)fixture->window);
	if (canary->witness)
		compare_with_snapshot(canary, fixture->window);
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	assert_int_equal(ibv_dereg_mr(old_mr), 0);
	map_for_cpu_writers(canary);
	set_targets(canary);
}

/* An MR of an importer that faults serves again; another's is dead, and there is a new one. */
static bool comes_back(const struct fixture *fixture)
{
	return fixture->peer.attr.odp_caps.general_caps & IBV_ODP_SUPPORT;
}

static void round_of_command(struct canary *canary)
{
	struct fixture *fixture = canary->fixture;

	start_writing(canary);
	must(vfio_exporter_set_memory(fixture->exporter, false, &test_error));
	after_the_return(canary);
	if (!comes_back(fixture)) {
		lend_again(canary);
		return;
	}
	must(vfio_exporter_set_memory(fixture->exporter, true, &test_error));
	atomic_fetch_add(&canary->meeting.epoch, 1);
	look_for_young_words(canary, (const volatile uint64_t *)fixture->window);
	if (canary->witness)
		compare_with_snapshot(canary, fixture->window);
}

static void round_of_what_is_final(struct canary *canary)
{
	/* It would keep the device's file open. */
	if (trigger == TRIGGER_CLOSE)
		fixture_unmap_window(canary->fixture);
	start_writing(canary);
	must(trigger_pull(canary->fixture, trigger));
	after_the_return(canary);
	lend_again(canary);
}

static void round_of_reset(struct canary *canary)
{
	struct fixture *fixture = canary->fixture;
	uint64_t faults;
	int parked;

	canary->rounds++;
	start_writing(canary);
	must(lab_hold_faults(fixture->lab, &faults, &test_error));
	must(vfio_exporter_reset(fixture->exporter, &test_error));
	take_snapshot(canary);
	/* Every writer's next access has run into a missing translation. */
	parked = lab_wait_faults(fixture->lab, faults + writer_count, &test_error);
	compare_with_snapshot(canary, canary->witness);
	look_for_young_words(canary, (const volatile uint64_t *)canary->witness);
	if (parked)
		report(canary);
	must(parked);
	must(lab_release_faults(fixture->lab, &test_error));
	must(writers_wait_completed(canary->writers, writer_count, 1, &test_error));
	must(writers_park(canary->writers, writer_count, &test_error));
}

static void play_round(struct canary *canary)
{
	switch (trigger) {
	case TRIGGER_COMMAND:
		round_of_command(canary);
		break;
	case TRIGGER_RESET:
		round_of_reset(canary);
		break;
	default:
		round_of_what_is_final(canary);
		break;
	}
}

/* ---- the test ---- */

static void start_writers(struct canary *canary)
{
	struct fixture *fixture = canary->fixture;

	/* Words of no writer yet, older than all. */
	memset(fixture->window, 0, fixture->size);
	map_for_cpu_writers(canary);
	for (unsigned int i = 0; i < writer_count; i++) {
		struct writer *writer = &canary->writers[i];

		writer->id = i;
		writer->meeting = &canary->meeting;
		/* Whole blocks, and words that tell by their place whose they are. */
		writer->length = fixture->size / writer_count / WRITER_BLOCK * WRITER_BLOCK;
		writer->iova = i * writer->length;
	}
	set_targets(canary);
	for (unsigned int i = 0; i < writer_count; i++)
		must(writer_start(&canary->writers[i], &fixture->peer, &test_error));
}

static int set_up(void **state)
{
	struct canary *canary;
	int ret;

	ret = fixture_setup(state);
	if (ret)
		return ret;
	canary = calloc(1, sizeof(*canary));
	assert_non_null(canary);
	canary->fixture = *state;
	writers_meeting_init(&canary->meeting);
	canary->snapshot = malloc(canary->fixture->size);
	*state = canary;
	return canary->snapshot ? 0 : -1;
}

static int tear_down(void **state)
{
	struct canary *canary = *state;
	void *fixture = canary->fixture;

	for (unsigned int i = 0; i < writer_count; i++)
		writer_stop(&canary->writers[i]);
	if (canary->mapping)
		munmap(canary->mapping, canary->fixture->size);
	if (canary->witness)
		witness_unmap(canary->witness, canary->fixture->size);
	free(canary->snapshot);
	free(canary);
	return fixture_teardown(&fixture);
}

static void map_witness(struct canary *canary)
{
	struct fixture *fixture = canary->fixture;
	void *address;

	if (!witness_map(vfio_exporter_bdf(fixture->exporter), test_options.bar, test_options.offset,
			 fixture->size, fixture->window, &address, &test_error))
		canary->witness = address;
	else if (test_error.missing && !test_in_lab())
		print_message("# %s\n", test_error.text);
	else
		fail_msg("%s", test_error.text);
}

static void must_have_failed_properly(struct canary *canary)
{
	for (unsigned int i = 0; i < writer_count; i++) {
		struct writer *writer = &canary->writers[i];

		if (atomic_load(&writer->other_errors))
			fail_msg("writer %u: %llu writes ended otherwise than in success or \"%s\": \"%s\"", i,
				 atomic_load(&writer->other_errors),
				 ibv_wc_status_str(IBV_WC_REM_ACCESS_ERR),
				 ibv_wc_status_str(atomic_load(&writer->last_status)));
		if (atomic_load(&writer->late))
			fail_msg("writer %u: %llu writes that began after the revoke succeeded", i,
				 atomic_load(&writer->late));
	}
}

static void not_a_byte_changes(void **state)
{
	struct canary *canary = *state;
	struct fixture *fixture = canary->fixture;

	canary->strays_before = lab_counter(fixture, "dma.unmapped_accesses");
	canary->stale_keys_before = lab_counter(fixture, "stale_keys");
	map_witness(canary);
	if (trigger == TRIGGER_RESET && (!canary->witness || !fixture->lab))
		test_skip("what happens inside VFIO_DEVICE_RESET can only be seen with the lab's "
			  "control port and witness");
	start_writers(canary);
	for_each_round(i)
		play_round(canary);

	report(canary);
	assert_int_equal(canary->changed_bytes, 0);
	assert_int_equal(canary->young_words, 0);
	must_have_failed_properly(canary);
	assert_int_equal(strays(canary), 0);
	assert_int_equal(stale_keys(canary), 0);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 't':
		if (trigger_parse(arg, &trigger) || trigger > TRIGGER_REVOKE)
			argp_error(state, "-t (--trigger) takes command, close, reset or revoke");
		return 0;
	case 'w':
		if (parse_unsigned(arg, 0, MAX_WRITERS, &rdma_writer_count))
			argp_error(state, "-w (--writers) takes 0 to %d", MAX_WRITERS);
		return 0;
	case 'c':
		if (parse_unsigned(arg, 0, MAX_WRITERS, &cpu_writer_count))
			argp_error(state, "-c (--cpu-writers) takes 0 to %d", MAX_WRITERS);
		return 0;
	case ARGP_KEY_END:
		writer_count = rdma_writer_count + cpu_writer_count;
		if (!writer_count || writer_count > MAX_WRITERS)
			argp_error(state, "there are 1 to %d writers", MAX_WRITERS);
		/* They fault a mapping in again before the reset returns, as they may. */
		if (cpu_writer_count && trigger == TRIGGER_RESET)
			argp_error(state, "a reset shows nothing of writers by the CPU");
		return 0;
	default:
		return options_pass_on(key, state);
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option option_list[] = {
		{ "trigger", 't', "command|close|reset|revoke", 0, "what revokes (default command)", 0 },
		{ "writers", 'w', "N", 0, "writing threads, a QP each (default 2)", 0 },
		{ "cpu-writers", 'c', "N", 0, "threads that write through a CPU mapping (default 0)", 0 },
		{ 0 },
	};
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(not_a_byte_changes, set_up, tear_down),
	};
	const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	const struct argp program = {
		option_list, parse_option, NULL,
		"the canary: after a revoke not one byte of the lent BAR changes; -n gives the rounds",
		children, NULL, NULL,
	};

	test_parse_program(&program, argc, argv);
	test_require(TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC);
	return cmocka_run_group_tests_name("canary", tests, NULL, NULL) ? EXIT_STATUS_FAILED : 0;
}
