/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A holder of a dma-buf puts a fence on it that does not signal. The request to revoke takes the memory from
 * every importer at once, and returns when the fence has signalled; until then its caller can be killed, and
 * the kernel says what is waited for. The dma-buf is revoked for good all the same, and -EBADFD comes when
 * the fence has signalled, not before.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"
#include "hooked_function.h"
#include "kernel_log.h"
#include "pending_fence.h"
#include "race.h"

/* How long a call must stay where it is to count as waiting. */
#define STAYS_S 1
/* Three times what the kernel waits before it says so. */
#define LOGGED_MS 30000

static struct pending_fence fence;
static pid_t caller;
static int kernel_log = -1;
static struct hooked_function callback;

static void put_a_fence(struct fixture *fixture)
{
	int ret = pending_fence_put(&fence, fixture->dmabuf, &test_error);

	if (ret && test_error.missing)
		test_skip("%s", test_error.text);
	must(ret);
}

/* Returns when the request has taken the memory away. What it still waits for it does not say. */
static void must_be_revoked_soon(struct fixture *fixture)
{
	const int64_t deadline = clock_now_ns() + TEST_TIMEOUT_NS;
	void *address;
	int ret;

	while (!(ret = vfio_dmabuf_map(fixture->dmabuf, PAGE, &address, &test_error))) {
		must_sys(munmap(address, PAGE));
		if (clock_now_ns() > deadline)
			fail_msg("the request has not taken the dma-buf away");
		sched_yield();
	}
	must_fail(ret, ENODEV);
}

static void must_be_out_of_reach(struct race *race)
{
	struct fixture *fixture = race->fixture;
	struct ibv_mr *mr;
	void *address;

	must_fail(vfio_dmabuf_map(fixture->dmabuf, fixture->size, &address, &test_error), ENODEV);
	must_fail(verbs_reg_dmabuf(&fixture->peer, fixture->dmabuf, 0, PAGE, 0, VERBS_ACCESS_ALL, &mr,
				   &test_error), ENODEV);
	race_must_refuse(race, fixture->mr->rkey);
}

static void must_wait(struct race *race)
{
	if (race_call_ends_within(race, &race->revoke, STAYS_S))
		fail_msg("the request returned while a fence was pending");
}

/* Returns the moment before that. */
static int64_t signal_the_fence(void)
{
	int64_t moment = clock_now_ns();

	pending_fence_signal(&fence);
	return moment;
}

static void is_waited_for(void **state)
{
	struct race *race = *state;
	int64_t moment;

	must_write_through(race->fixture, 1);
	put_a_fence(race->fixture);
	race_revoke(race, TRIGGER_REVOKE);
	must_be_revoked_soon(race->fixture);
	must_be_out_of_reach(race);
	must_wait(race);
	moment = signal_the_fence();
	race_revoke_join(race, RACE_UNANSWERED_NS);
	race_revoke_waited_until(race, moment);
	race_must_be_sealed(race, true);
	must_be_out_of_reach(race);
	must_fail(trigger_pull(race->fixture, TRIGGER_REVOKE), EBADFD);
	race_dereg(race_give_back(race));
	must_write_through(race->fixture, 2);
}

static void start_a_caller(struct fixture *fixture)
{
	caller = must_sys(fork());
	if (!caller)
		_exit(trigger_pull(fixture, TRIGGER_REVOKE) ? 1 : 0);
}

static void must_die(void)
{
	struct pollfd gone = { .events = POLLIN };
	int status;

	gone.fd = must_sys(pidfd_open(caller, 0));
	must_sys(kill(caller, SIGKILL));
	if (poll(&gone, 1, TEST_TIMEOUT_NS / NS_PER_MS) != 1)
		fail_msg("a caller that waits for a fence was killed, and is still there after %d s",
			 (int)(TEST_TIMEOUT_NS / NS_PER_S));
	close(gone.fd);
	assert_int_equal(waitpid(caller, &status, 0), caller);
	caller = 0;
	assert_true(WIFSIGNALED(status));
}

/* What it had asked for is done, and the next caller waits for what it waited for. */
static void the_caller_is_killed(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;
	int64_t moment;

	must_write_through(fixture, 1);
	put_a_fence(fixture);
	start_a_caller(fixture);
	must_be_revoked_soon(fixture);
	must_die();
	must_be_out_of_reach(race);
	race_revoke(race, TRIGGER_REVOKE);
	must_wait(race);
	moment = signal_the_fence();
	race_call_join(race, &race->revoke, "the second request");
	must_fail(race->revoke.result, EBADFD);
	race_revoke_waited_until(race, moment);
	must_be_out_of_reach(race);
	must_fail(trigger_pull(fixture, TRIGGER_REVOKE), EBADFD);
	race_dereg(race_give_back(race));
	must_write_through(fixture, 2);
}

/* Several, one after the other; when the fence signals nobody waits for it. */
static void every_caller_is_killed(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	put_a_fence(fixture);
	for (int i = 0; i < 3; i++) {
		start_a_caller(fixture);
		must_be_revoked_soon(fixture);
		must_die();
	}
	must_be_out_of_reach(race);
	signal_the_fence();
	must_fail(trigger_pull(fixture, TRIGGER_REVOKE), EBADFD);
	/* The callers have pulled it, not race_revoke() */
	race->trigger = TRIGGER_REVOKE;
	race_dereg(race_give_back(race));
	must_write_through(fixture, 1);
}

/* Twice, and it is not the same line: it says for how long. */
static void must_be_logged(const char *const *words)
{
	char lines[2][256];

	for (int i = 0; i < 2; i++) {
		must(kernel_log_wait(kernel_log, words, LOGGED_MS, lines[i], sizeof(lines[i]), &test_error));
		print_message("# %s\n", lines[i]);
	}
	assert_string_not_equal(lines[0], lines[1]);
}

static void is_in_the_log(void **state)
{
	static const char *const words[] = { "dma_buf: revoke of a buffer", " s for a fence of sw_sync", NULL };
	struct race *race = *state;

	must_write_through(race->fixture, 1);
	put_a_fence(race->fixture);
	kernel_log = must(kernel_log_open(&test_error));
	race_revoke(race, TRIGGER_REVOKE);
	must_be_logged(words);
	must_wait(race);
	signal_the_fence();
	race_call_join(race, &race->revoke, "the request");
	must(race->revoke.result);
}

/* No fence, but an importer that does not unmap: its callback is answered in its place. */
static void an_importer_is_in_the_log(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;
	const char *words[] = { "dma_buf: has not unmapped a revoked buffer", NULL, NULL };
	char nic[32];

	if (!race_faults(race))
		race_is_not_for_this_nic("the driver's callback is answered on mlx5 only");
	must(driver_bdf_of_ib_device(ibv_get_device_name(fixture->peer.context->device), nic, sizeof(nic),
				     &test_error));
	words[1] = nic;
	must_write_through(fixture, 1);
	hooked_function_answer(&callback, "mlx5_ib_dmabuf_invalidate_cb", HOOKED_THIS_PROCESS, 1, 1, 0);
	kernel_log = must(kernel_log_open(&test_error));
	race_revoke(race, TRIGGER_REVOKE);
	must_be_logged(words);
	must_wait(race);
	/* Its deregistration unmaps. */
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = NULL;
	race_call_join(race, &race->revoke, "the request");
	must(race->revoke.result);
}

static int tear_down(void **state)
{
	struct fixture *fixture = ((struct race *)*state)->fixture;

	/* What a failed test left pending, or mapped, would hold up all that follows. */
	pending_fence_signal(&fence);
	if (callback.is_open && fixture->mr && !ibv_dereg_mr(fixture->mr))
		fixture->mr = NULL;
	hooked_function_close(&callback);
	if (caller > 0)
		waitpid(caller, NULL, 0);
	caller = 0;
	if (kernel_log >= 0)
		close(kernel_log);
	kernel_log = -1;
	return race_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, race_setup, tear_down)

static const struct CMUnitTest tests[] = {
	test(is_waited_for),
	test(the_caller_is_killed),
	test(every_caller_is_killed),
	test(is_in_the_log),
	test(an_importer_is_in_the_log),
};

TEST_MAIN("the request to revoke for good while a fence on the dma-buf is pending",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
