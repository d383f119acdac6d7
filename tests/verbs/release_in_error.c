/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The firmware of the NIC dies, and what moves the data lives on. Then an MR of lent memory is released: it
 * is deregistered, its process is killed, or the driver takes the device down. No command reaches the
 * device for that. When the exporter takes its memory back after it, no importer is left to be called, and yet
 * nothing of the NIC may reach the memory: the write that it had begun before must not arrive. -n gives the
 * rounds of each case.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "departure.h"
#include "hooked_function.h"

#define WRITE "rdma_write"
#define MOVED_TIMEOUT_NS patience_ns(20 * NS_PER_S)
#define LOOK_AGAIN_NS (5 * NS_PER_MS)

enum { LENGTH = 32 };

/* Where the driver is stopped: it has seen that the device is dead, or it has taken it down. */
static const char has_noticed[] = "mlx5_error_sw_reset";
static const char has_unloaded[] = "mlx5_recover_device";

static struct hooked_function driver;
static pid_t child;

/*
 * Its data is in the work request, which the NIC has read by the time that it holds it: once that goes on,
 * it needs no other memory than where it writes to.
 */
static int post_inline_write(struct verbs_pair *pair, uint32_t rkey)
{
	uint8_t data[LENGTH];
	struct ibv_sge sge = { .addr = (uintptr_t)data, .length = LENGTH };
	struct ibv_send_wr wr = {
		.sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_RDMA_WRITE,
		.send_flags = IBV_SEND_INLINE | IBV_SEND_SIGNALED, .wr.rdma.rkey = rkey,
	}, *bad;

	memset(data, 0xa5, sizeof(data));
	return -ibv_post_send(pair->initiator.qp, &wr, &bad);
}

static int make_pair(struct verbs_peer *peer, struct verbs_pair *pair)
{
	const struct verbs_qp_options options = { .max_inline = LENGTH };

	return verbs_pair_create(peer, &options, pair, &test_error);
}

/* In a process of its own: it registers the dma-buf, writes to it, and waits for its end. */
static void __attribute__((noreturn)) write_and_wait(const struct fixture *fixture)
{
	const struct verbs_peer_options options = {
		.device = test_options.device, .port = test_options.port,
		.gid_index = test_options.gid_index,
	};
	struct verbs_peer peer = { 0 };
	struct verbs_pair pair = { 0 };
	struct ibv_mr *mr;

	if (verbs_peer_open(&peer, &options, &test_error) || make_pair(&peer, &pair) ||
	    verbs_reg_dmabuf(&peer, fixture->dmabuf, 0, fixture->size, 0, VERBS_ACCESS_ALL, &mr,
			     &test_error) || post_inline_write(&pair, mr->rkey)) {
		print_error("# the process that is to be killed: %s\n", test_error.text);
		_exit(EXIT_STATUS_FAILED);
	}
	for (;;)
		pause();
}

static void firmware_dies(struct race *race)
{
	/* It does not reset itself when the driver asks it to, as that would forget all keys. */
	must(lab_control_request(race->fixture->lab, json_pack("{s:s, s:b}", "command", "fatal", "for_good", 1),
				 NULL, &test_error));
	hooked_function_wait(&driver);
}

/* The NIC goes on with what it has held: it reaches memory, or is refused to. */
static void let_it_write(struct race *race)
{
	const struct timespec again = { .tv_nsec = LOOK_AGAIN_NS };
	const int64_t deadline = clock_now_ns() + MOVED_TIMEOUT_NS;
	struct fixture *fixture = race->fixture;
	uint64_t written = lab_counter(fixture, "bytes_written");
	uint64_t refused = lab_counter(fixture, "dma.no_bus_master");
	uint64_t strays = lab_counter(fixture, "dma.unmapped_accesses");

	must(knob_release(fixture->lab, WRITE, &test_error));
	while (lab_counter(fixture, "bytes_written") == written &&
	       lab_counter(fixture, "dma.no_bus_master") == refused &&
	       lab_counter(fixture, "dma.unmapped_accesses") == strays) {
		if (clock_now_ns() > deadline)
			fail_msg("the NIC has not gone on with the write that it had held");
		nanosleep(&again, NULL);
	}
}

static void take_back(struct race *race, unsigned int losses)
{
	struct fixture *fixture = race->fixture;

	race_revoke(race, TRIGGER_REVOKE);
	race_revoke_join(race, RACE_PROMPT_NS);
	let_it_write(race);
	race_must_be_sealed(race, false);
	hooked_function_close(&driver);
	fixture_close_nic(fixture);
	must(trigger_undo(fixture, race->trigger));
	race_nic_comes_back(race);
	must_write_through(fixture, losses);
	race_was_lost_times(race, losses);
}

static void begin(struct race *race, unsigned int round, const char *function)
{
	if (!race_faults(race))
		race_is_not_for_this_nic("the model of this NIC has no firmware that could die");
	must_write_through(race->fixture, round);
	race_watch_nic(race);
	must(knob_set(race->fixture->lab, WRITE, KNOB_HOLD, 1, 0, &test_error));
	hooked_function_hold(&driver, function, HOOKED_ANYBODY, FUNCTION_HOOK_HOLD_BEFORE);
}

static void deregistered(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	for_each_round(i) {
		struct verbs_pair pair = { 0 };

		must(make_pair(&fixture->peer, &pair));
		begin(race, i, has_noticed);
		must(post_inline_write(&pair, fixture->mr->rkey));
		must(knob_wait_held(fixture->lab, WRITE, &test_error));
		firmware_dies(race);
		assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
		fixture->mr = NULL;
		verbs_pair_destroy(&pair);
		take_back(race, i + 1);
	}
	race_report(race, "an MR was deregistered from a NIC whose firmware had died");
}

static void killed(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	for_each_round(i) {
		begin(race, i, has_noticed);
		/* Its own MR is what the test is about. */
		assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
		fixture->mr = NULL;
		fflush(NULL);
		child = fork();
		assert_int_not_equal(child, -1);
		if (!child)
			write_and_wait(fixture);
		must(knob_wait_held(fixture->lab, WRITE, &test_error));
		firmware_dies(race);
		kill(child, SIGKILL);
		must_sys(waitpid(child, NULL, 0));
		child = 0;
		take_back(race, i + 1);
	}
	race_report(race, "a process was killed whose NIC's firmware had died");
}

static void taken_down(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	for_each_round(i) {
		struct verbs_pair pair = { 0 };

		must(make_pair(&fixture->peer, &pair));
		begin(race, i, has_unloaded);
		must(post_inline_write(&pair, fixture->mr->rkey));
		must(knob_wait_held(fixture->lab, WRITE, &test_error));
		firmware_dies(race);
		verbs_pair_destroy(&pair);
		take_back(race, i + 1);
	}
	race_report(race, "the driver took down a NIC whose firmware had died");
}

static int tear_down(void **state)
{
	struct race *race = *state;

	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		child = 0;
	}
	hooked_function_close(&driver);
	if (race->fixture->lab)
		knob_release(race->fixture->lab, WRITE, NULL);
	return race_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, race_setup_recovering, tear_down)

static const struct CMUnitTest tests[] = {
	test(deregistered),
	test(killed),
	test(taken_down),
};

TEST_MAIN("an MR is released while the NIC's firmware is dead and its data path is not; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
