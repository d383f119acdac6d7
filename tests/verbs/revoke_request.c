/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The request to revoke for good, with RDMA as the importer: one dma-buf dies and
 * the others do not, nobody is told that it is done before it is, and neither a
 * signal nor the end of the caller or of the importer keeps it from being done.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "held_umr.h"
#include "process.h"
#include "trigger.h"

/* How long a call must stay where it is to count as waiting. */
#define STAYS_NS patience_ns(200 * NS_PER_MS)

static struct process importer;

static void must_fail_remotely(struct fixture *fixture)
{
	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, 4096),
			      mr_remote_at(fixture, 0), &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
}

static void must_fail_locally(struct fixture *fixture)
{
	struct verbs_remote remote = {
		.address = (uintptr_t)fixture->buffer.address, .rkey = fixture->buffer.mr->rkey,
	};

	must(verbs_post_write(&fixture->pair.initiator, 1, mr_local_at(fixture, 0, 4096), remote,
			      &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_LOC_PROT_ERR);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
}

static void must_be_dead(struct fixture *fixture)
{
	struct ibv_mr *mr;

	must_fail_remotely(fixture);
	must_fail_locally(fixture);
	must_fail(verbs_reg_dmabuf(&fixture->peer, fixture->dmabuf, 0, 4096, 0, VERBS_ACCESS_ALL, &mr,
				   &test_error), ENODEV);
	must_fail(trigger_pull(fixture, TRIGGER_REVOKE), EBADFD);
}

/* The range is lent again while the old MR is still there. */
static void must_serve_again(struct fixture *fixture, uint32_t seed)
{
	struct ibv_mr *old = fixture->mr;

	must(trigger_undo(fixture, TRIGGER_REVOKE));
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	assert_int_not_equal(fixture->mr->rkey, old->rkey);
	must_write_through(fixture, seed);
	assert_int_equal(ibv_dereg_mr(old), 0);
	must_write_through(fixture, seed + 1);
}

static void it_and_no_other(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_mr *own = fixture->mr, *second, *other;
	int dmabuf = must(fixture_export(fixture, 0, fixture->size));

	second = fixture_register(fixture, fixture->dmabuf, fixture->size);
	other = fixture_register(fixture, dmabuf, fixture->size);
	must_write_through(fixture, 1);
	must(trigger_pull(fixture, TRIGGER_REVOKE));
	must_be_dead(fixture);
	fixture->mr = second;
	must_be_dead(fixture);
	fixture->mr = other;
	must_write_through(fixture, 2);
	fixture->mr = own;
	must_serve_again(fixture, 3);
	assert_int_equal(ibv_dereg_mr(second), 0);
	assert_int_equal(ibv_dereg_mr(other), 0);
	close(dmabuf);
}

static void while_temporarily_revoked(void **state)
{
	struct fixture *fixture = *state;
	uint64_t umrs;

	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	umrs = lab_counter(fixture, "umrs");
	must(trigger_pull(fixture, TRIGGER_REVOKE));
	/* The importer has let go already: it only frees the key, so that no access asks for the memory again. */
	if (fixture->lab)
		assert_int_equal(lab_counter(fixture, "umrs") - umrs, 1);
	must_be_dead(fixture);
	fixture_unrevoke(fixture);
	must_be_dead(fixture);
	must_serve_again(fixture, 2);
}

/* The MR is all that holds it when its files are closed, and it still goes on being dead. */
static void held_by_the_mr(void **state)
{
	struct fixture *fixture = *state;

	must_write_through(fixture, 1);
	must(trigger_pull(fixture, TRIGGER_REVOKE));
	close(fixture->dmabuf);
	fixture->dmabuf = -1;
	must_fail_remotely(fixture);
	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	must_fail_remotely(fixture);
	must_serve_again(fixture, 2);
}

/* ---- a revoke that is held up at the device ---- */

struct caller {
	pthread_t thread;
	struct fixture *fixture;
	int result;
};

static void *call(void *argument)
{
	struct caller *caller = argument;

	caller->result = trigger_pull(caller->fixture, TRIGGER_REVOKE);
	return NULL;
}

static void start(struct caller *caller, struct fixture *fixture)
{
	caller->fixture = fixture;
	assert_int_equal(pthread_create(&caller->thread, NULL, call, caller), 0);
}

static void must_stay(struct caller *caller)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += STAYS_NS;
	until.tv_sec += until.tv_nsec / NS_PER_S;
	until.tv_nsec %= NS_PER_S;
	assert_int_equal(pthread_timedjoin_np(caller->thread, NULL, &until), ETIMEDOUT);
}

static void need_lab(struct fixture *fixture)
{
	if (!fixture->lab)
		test_skip("a revoke can be held up in the lab only");
}

static void second_caller_waits_too(void **state)
{
	struct fixture *fixture = *state;
	struct caller first, second;

	need_lab(fixture);
	must_write_through(fixture, 1);
	must(lab_hold_umrs(fixture->lab, &test_error));
	start(&first, fixture);
	must(lab_wait_umr(fixture->lab, &test_error));
	start(&second, fixture);
	must_stay(&second);
	must_stay(&first);
	must(lab_release_umrs(fixture->lab, &test_error));
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	must(first.result);
	must_fail(second.result, EBADFD);
	must_be_dead(fixture);
	must_serve_again(fixture, 2);
}

/* Registering while it goes on has to wait or to fail, and must not map. */
static void *register_it(void *argument)
{
	struct caller *caller = argument;
	struct ibv_mr *mr;

	caller->result = verbs_reg_dmabuf(&caller->fixture->peer, caller->fixture->dmabuf, 0, 4096, 0,
					  VERBS_ACCESS_ALL, &mr, &test_error);
	return NULL;
}

static void nobody_maps_meanwhile(void **state)
{
	struct fixture *fixture = *state;
	struct caller first, second = { .fixture = fixture };

	need_lab(fixture);
	must_write_through(fixture, 1);
	must(lab_hold_umrs(fixture->lab, &test_error));
	start(&first, fixture);
	must(lab_wait_umr(fixture->lab, &test_error));
	assert_int_equal(pthread_create(&second.thread, NULL, register_it, &second), 0);
	must_stay(&first);
	must(lab_release_umrs(fixture->lab, &test_error));
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	must(first.result);
	must_fail(second.result, ENODEV);
	must_be_dead(fixture);
}

static void nothing(int signum)
{
	(void)signum;
}

static void a_signal_changes_nothing(void **state)
{
	const struct sigaction interrupting = { .sa_handler = nothing };
	struct fixture *fixture = *state;
	struct caller caller;

	need_lab(fixture);
	must_sys(sigaction(SIGUSR1, &interrupting, NULL));
	must_write_through(fixture, 1);
	must(lab_hold_umrs(fixture->lab, &test_error));
	start(&caller, fixture);
	must(lab_wait_umr(fixture->lab, &test_error));
	pthread_kill(caller.thread, SIGUSR1);
	must_stay(&caller);
	must(lab_release_umrs(fixture->lab, &test_error));
	pthread_join(caller.thread, NULL);
	must(caller.result);
	must_be_dead(fixture);
	must_serve_again(fixture, 2);
}

static void the_caller_is_killed(void **state)
{
	struct fixture *fixture = *state;
	int status;
	pid_t caller;

	need_lab(fixture);
	must_write_through(fixture, 1);
	must(lab_hold_umrs(fixture->lab, &test_error));
	caller = must_sys(fork());
	if (!caller)
		_exit(trigger_pull(fixture, TRIGGER_REVOKE) ? 1 : 0);
	must(lab_wait_umr(fixture->lab, &test_error));
	must_sys(kill(caller, SIGKILL));
	must(lab_release_umrs(fixture->lab, &test_error));
	assert_int_equal(waitpid(caller, &status, 0), caller);
	assert_true(WIFSIGNALED(status));
	must_be_dead(fixture);
	must_serve_again(fixture, 2);
}

static void the_importer_is_killed(void **state)
{
	struct fixture *fixture = *state;
	struct caller caller;

	need_lab(fixture);
	must(importer_lend(&importer, fixture->dmabuf, fixture->size, &test_error));
	assert_int_equal(must(importer_write(&importer, 1, &test_error)), IBV_WC_SUCCESS);
	must(lab_hold_umrs(fixture->lab, &test_error));
	start(&caller, fixture);
	must(lab_wait_umr(fixture->lab, &test_error));
	process_kill(&importer);
	must_stay(&caller);
	must(lab_release_umrs(fixture->lab, &test_error));
	pthread_join(caller.thread, NULL);
	process_reap(&importer);
	must(caller.result);
	must_be_dead(fixture);
	must_serve_again(fixture, 2);
}

static int set_up(void **state)
{
	if (importer_start(&importer, &test_error)) {
		print_error("# setup: %s\n", test_error.text);
		return -1;
	}
	return fixture_setup(state);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	/* What a failed test left held would hold up all that follows. */
	if (fixture->lab)
		lab_release_umrs(fixture->lab, NULL);
	process_reap(&importer);
	return fixture_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test(it_and_no_other),
	test(while_temporarily_revoked),
	test(held_by_the_mr),
	test(second_caller_waits_too),
	test(nobody_maps_meanwhile),
	test(a_signal_changes_nothing),
	test(the_caller_is_killed),
	test(the_importer_is_killed),
};

TEST_MAIN("the request to revoke for good, with RDMA as the importer",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
