/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The peer of a lent BAR is another machine: this host lends and takes back, remote_writer on the
 * other writes. What a link that loses, delays or is down, and a peer that is gone, do to RC.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "driver.h"
#include "trigger.h"
#include "two_hosts.h"

#define LENGTH 65536u
#define DELAY_US 100000
#define LOSSY_MESSAGES 10u
/* Of retries that are used up; the sum of the QPs' timeouts is far below. */
#define GONE_NS patience_ns(40 * NS_PER_S)

static int set_up(void **state)
{
	struct two_hosts *hosts = calloc(1, sizeof(*hosts));

	*state = hosts;
	return hosts ? two_hosts_set_up(hosts) : -1;
}

static int tear_down(void **state)
{
	two_hosts_tear_down(*state);
	free(*state);
	return 0;
}

static void must_write(struct two_hosts *hosts, uint32_t seed, enum ibv_wc_status expected)
{
	enum ibv_wc_status status;

	must(remote_write(&hosts->remote, mr_remote_at(hosts->fixture, 0), LENGTH, seed, &status,
			  &test_error));
	assert_string_equal(ibv_wc_status_str(status), ibv_wc_status_str(expected));
	if (status == IBV_WC_SUCCESS)
		must_hold_pattern(hosts->fixture->window, LENGTH, seed);
}

static void write_and_read(void **state)
{
	struct two_hosts *hosts = *state;
	enum ibv_wc_status status;

	must_write(hosts, 1, IBV_WC_SUCCESS);
	must(remote_read(&hosts->remote, mr_remote_at(hosts->fixture, 0), LENGTH, 1, &status,
			 &test_error));
	assert_int_equal(status, IBV_WC_SUCCESS);
	must_write(hosts, 2, IBV_WC_SUCCESS);
}

/* A key of this host's that is none over there, and the other way round: it is looked up here. */
static void wrong_key(void **state)
{
	struct two_hosts *hosts = *state;
	enum ibv_wc_status status;
	struct verbs_remote wrong = { .rkey = hosts->fixture->mr->rkey ^ 0xa5 };

	must(remote_write(&hosts->remote, wrong, LENGTH, 1, &status, &test_error));
	assert_int_equal(status, IBV_WC_REM_ACCESS_ERR);
	must(remote_connect(&hosts->remote, &test_error));
	must_write(hosts, 3, IBV_WC_SUCCESS);
}

/* An MR of an importer that faults serves again; another's is dead, and there is a new one. */
static void lend_again(struct two_hosts *hosts, enum trigger trigger)
{
	struct fixture *fixture = hosts->fixture;
	struct ibv_mr *old = fixture->mr;

	must(trigger_undo(fixture, trigger));
	if (trigger_effect(trigger) == TRIGGER_IS_FINAL ||
	    !(fixture->peer.attr.odp_caps.general_caps & IBV_ODP_SUPPORT)) {
		fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
		assert_int_equal(ibv_dereg_mr(old), 0);
	}
	must(remote_connect(&hosts->remote, &test_error));
}

static void refused_and_lent_again(struct two_hosts *hosts, enum trigger trigger)
{
	uint32_t seed = 10 + 10 * trigger;

	must_write(hosts, seed, IBV_WC_SUCCESS);
	must(trigger_pull(hosts->fixture, trigger));
	must_write(hosts, seed + 1, IBV_WC_REM_ACCESS_ERR);
	/* It makes no difference whether the connection is older than the revoke. */
	must(remote_connect(&hosts->remote, &test_error));
	must_write(hosts, seed + 2, IBV_WC_REM_ACCESS_ERR);
	lend_again(hosts, trigger);
	must_hold_pattern(hosts->fixture->window, LENGTH, seed);
	must_write(hosts, seed + 3, IBV_WC_SUCCESS);
}

static void revoked_by_command(void **state)
{
	refused_and_lent_again(*state, TRIGGER_COMMAND);
}

static void revoked_by_request(void **state)
{
	refused_and_lent_again(*state, TRIGGER_REVOKE);
}

/* ---- the lab's links ---- */

static void link_that_loses(void **state)
{
	struct two_hosts *hosts = *state;
	uint64_t lost = lab_counter(hosts->fixture, "link.lost");

	must_set_link(hosts->fixture->lab, json_pack("{s:i, s:i}", "loss", 50, "seed", 5));
	for (uint32_t i = 0; i < LOSSY_MESSAGES; i++)
		must_write(hosts, 100 + i, IBV_WC_SUCCESS);
	must_set_link(hosts->fixture->lab, json_pack("{s:i}", "loss", 0));
	lost = lab_counter(hosts->fixture, "link.lost") - lost;
	print_message("# %llu packets were lost\n", (unsigned long long)lost);
	assert_true(lost > 0);
}

static int64_t time_of_a_write(struct two_hosts *hosts, uint32_t seed)
{
	int64_t start = clock_now_ns();

	must_write(hosts, seed, IBV_WC_SUCCESS);
	return clock_now_ns() - start;
}

static void link_that_delays(void **state)
{
	struct two_hosts *hosts = *state;
	int64_t before = time_of_a_write(hosts, 200), delayed;

	must_set_link(hosts->fixture->lab, json_pack("{s:i}", "delay_us", DELAY_US));
	delayed = time_of_a_write(hosts, 201);
	must_set_link(hosts->fixture->lab, json_pack("{s:i}", "delay_us", 0));
	print_message("# a write takes %lld us, and %lld us with a delay of %d us\n",
		      (long long)(before / NS_PER_US), (long long)(delayed / NS_PER_US), DELAY_US);
	/* The clock of the model's loop may lag by a millisecond. */
	assert_true(delayed >= (DELAY_US - 1000) * NS_PER_US);
}

/* Until the other host's words come in. */
static void wait_for_words(struct two_hosts *hosts)
{
	const volatile uint64_t *word = (const volatile uint64_t *)hosts->fixture->window;
	int64_t end = clock_now_ns() + TEST_TIMEOUT_NS;
	uint64_t first = *word;

	while (*word == first)
		if (clock_now_ns() > end)
			fail_msg("nothing arrives from the other host");
}

/* What is on its way while the memory is taken back comes too late. */
static void delayed_past_the_revoke(void **state)
{
	struct two_hosts *hosts = *state;
	static uint8_t snapshot[LENGTH];
	struct remote_answer answer;

	must_write(hosts, 210, IBV_WC_SUCCESS);
	must_set_link(hosts->fixture->lab, json_pack("{s:i}", "delay_us", 5 * DELAY_US));
	must(remote_run(&hosts->remote, mr_remote_at(hosts->fixture, 0), LENGTH, &test_error));
	/* The next ones are posted by then, and wait for their time. */
	wait_for_words(hosts);
	must(trigger_pull(hosts->fixture, TRIGGER_REVOKE));
	memcpy(snapshot, hosts->fixture->window, LENGTH);
	must(remote_wait(&hosts->remote, &answer, &test_error));
	must_set_link(hosts->fixture->lab, json_pack("{s:i}", "delay_us", 0));
	for (unsigned int i = 0; i < REMOTE_QPS; i++)
		assert_int_equal(answer.status[i], IBV_WC_REM_ACCESS_ERR);
	assert_memory_equal(snapshot, hosts->fixture->window, LENGTH);
	lend_again(hosts, TRIGGER_REVOKE);
	must_write(hosts, 211, IBV_WC_SUCCESS);
}

static void must_have_given_up(struct two_hosts *hosts)
{
	struct remote_answer answer;
	int64_t start = clock_now_ns();

	must(remote_wait(&hosts->remote, &answer, &test_error));
	for (unsigned int i = 0; i < REMOTE_QPS; i++)
		assert_string_equal(ibv_wc_status_str(answer.status[i]),
				    ibv_wc_status_str(IBV_WC_RETRY_EXC_ERR));
	assert_true(answer.completed > 0);
	assert_true(clock_now_ns() - start < GONE_NS);
}

static void link_that_is_down(void **state)
{
	struct two_hosts *hosts = *state;

	must(remote_run(&hosts->remote, mr_remote_at(hosts->fixture, 0), LENGTH, &test_error));
	wait_for_words(hosts);
	must_set_link(hosts->fixture->lab, json_pack("{s:b}", "up", 0));
	must_have_given_up(hosts);
	must_set_link(hosts->fixture->lab, json_pack("{s:b}", "up", 1));
	must(remote_connect(&hosts->remote, &test_error));
	must_write(hosts, 300, IBV_WC_SUCCESS);
}

/* ---- a peer that is gone ---- */

static struct ibv_wc write_there(struct two_hosts *hosts)
{
	struct verbs_qp *qp = &hosts->remote.qp[0].rc;
	struct ibv_wc wc;

	must(verbs_post_write(qp, 1, buffer_at(hosts->fixture, 0, 4096), hosts->remote.lent,
			      &test_error));
	must(verbs_wait(qp, &wc, GONE_NS, &test_error));
	return wc;
}

/* Its process has ended, and its QPs with it. */
static void peer_that_was_killed(void **state)
{
	struct two_hosts *hosts = *state;

	assert_int_equal(write_there(hosts).status, IBV_WC_SUCCESS);
	assert_int_equal(system("exec $PEER pkill -KILL -x remote_writer"), 0);
	assert_int_equal(waitpid(hosts->remote.pid, NULL, 0), hosts->remote.pid);
	hosts->remote.pid = 0;
	assert_string_equal(ibv_wc_status_str(write_there(hosts).status),
			    ibv_wc_status_str(IBV_WC_RETRY_EXC_ERR));
	must_fail(remote_connect(&hosts->remote, &test_error), ECONNRESET);
}

static void peer_whose_driver_is_unbound(void **state)
{
	struct two_hosts *hosts = *state;
	char bdf[32], driver[32], command[256];

	if (driver_may_unbind(&test_error))
		test_skip("%s", test_error.text);
	must(driver_bdf_of_ib_device(ibv_get_device_name(hosts->fixture->peer.context->device), bdf,
				     sizeof(bdf), &test_error));
	must(driver_name(bdf, driver, sizeof(driver), &test_error));
	assert_int_equal(write_there(hosts).status, IBV_WC_SUCCESS);
	/* The other host is the same machine once more. */
	snprintf(command, sizeof(command),
		 "exec $PEER sh -c 'echo %s > /sys/bus/pci/drivers/%s/unbind'", bdf, driver);
	assert_int_equal(system(command), 0);
	assert_string_equal(ibv_wc_status_str(write_there(hosts).status),
			    ibv_wc_status_str(IBV_WC_RETRY_EXC_ERR));
	snprintf(command, sizeof(command),
		 "exec $PEER sh -c 'echo %s > /sys/bus/pci/drivers/%s/bind'", bdf, driver);
	assert_int_equal(system(command), 0);
	remote_stop(&hosts->remote);
	must(remote_start(&hosts->remote, &hosts->fixture->peer, &test_error));
	must_write(hosts, 400, IBV_WC_SUCCESS);
}

static bool unbind;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case 'u':
		unbind = true;
		return 0;
	default:
		return options_pass_on(key, state);
	}
}

#define two_hosts_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	static const struct argp_option option_list[] = {
		{ "unbind", 'u', NULL, 0, "unbinds the driver of the other host's NIC, and only that", 0 },
		{ 0 },
	};
	static const struct CMUnitTest tests[] = {
		two_hosts_test(write_and_read),
		two_hosts_test(wrong_key),
		two_hosts_test(revoked_by_command),
		two_hosts_test(revoked_by_request),
		two_hosts_test(link_that_loses),
		two_hosts_test(link_that_delays),
		two_hosts_test(delayed_past_the_revoke),
		two_hosts_test(link_that_is_down),
		two_hosts_test(peer_that_was_killed),
	};
	static const struct CMUnitTest unbind_tests[] = {
		two_hosts_test(peer_whose_driver_is_unbound),
	};
	const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	const struct argp program = {
		option_list, parse_option, NULL, "two hosts: the peer of a lent BAR is another machine",
		children, NULL, NULL,
	};
	int failed;

	test_parse_program(&program, argc, argv);
	test_require(TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC);
	if (remote_is_there(&test_error))
		test_cannot_start();
	failed = unbind ? cmocka_run_group_tests_name("two_hosts", unbind_tests, NULL, NULL) :
			  cmocka_run_group_tests_name("two_hosts", tests, NULL, NULL);
	return failed ? EXIT_STATUS_FAILED : 0;
}
