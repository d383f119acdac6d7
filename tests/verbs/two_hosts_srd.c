/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Two hosts over SRD: an EFA is refused a lent BAR whoever its peers are; memory that it may have is
 * written by the other host, until its MR goes. Links that lose, delay or are down end requests, not
 * queue pairs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plain_dmabuf.h"
#include "two_hosts.h"

#define LENGTH 65536u
#define DELAY_US 100000
#define LOSSY_MESSAGES 10u
#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

struct srd_hosts {
	struct fixture *exporter;	/* and its dma-buf */
	struct verbs_peer peer;
	struct remote remote;
	int dmabuf;			/* of ordinary memory */
	uint8_t *memory;
	struct ibv_mr *mr;
};

static struct ibv_mr *register_memory(struct srd_hosts *hosts)
{
	struct ibv_mr *mr;

	must(verbs_reg_dmabuf(&hosts->peer, hosts->dmabuf, 0, LENGTH, 0, ACCESS, &mr, &test_error));
	return mr;
}

static int set_up(void **state)
{
	const struct verbs_peer_options options = { .device = test_options.device, .gid_index = 0 };
	struct srd_hosts *hosts = calloc(1, sizeof(*hosts));
	int ret;

	if (!hosts)
		return -1;
	*state = hosts;
	hosts->remote.socket = -1;
	ret = fixture_setup_exporter((void **)&hosts->exporter);
	if (!ret)
		ret = verbs_peer_open(&hosts->peer, &options, &test_error);
	if (!ret)
		ret = remote_start(&hosts->remote, &hosts->peer, &test_error);
	if (ret) {
		print_error("# setup: %s\n", test_error.text);
		return ret;
	}
	hosts->dmabuf = plain_udmabuf(LENGTH, false);
	hosts->memory = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, hosts->dmabuf, 0);
	assert_true(hosts->memory != MAP_FAILED);
	hosts->mr = register_memory(hosts);
	return 0;
}

static int tear_down(void **state)
{
	struct srd_hosts *hosts = *state;

	if (hosts->exporter)
		lab_mend_link(hosts->exporter->lab);
	remote_stop(&hosts->remote);
	if (hosts->mr)
		ibv_dereg_mr(hosts->mr);
	if (hosts->memory) {
		munmap(hosts->memory, LENGTH);
		close(hosts->dmabuf);
	}
	if (hosts->peer.context)
		verbs_peer_close(&hosts->peer);
	if (hosts->exporter)
		fixture_teardown((void **)&hosts->exporter);
	free(hosts);
	return 0;
}

static void must_write(struct srd_hosts *hosts, uint32_t rkey, uint32_t seed,
		       enum ibv_wc_status expected)
{
	enum ibv_wc_status status;

	must(remote_write(&hosts->remote, (struct verbs_remote){ .rkey = rkey }, LENGTH, seed, &status,
			  &test_error));
	assert_string_equal(ibv_wc_status_str(status), ibv_wc_status_str(expected));
	if (status == IBV_WC_SUCCESS)
		must_hold_pattern(hosts->memory, LENGTH, seed);
}

static void write_and_read(void **state)
{
	struct srd_hosts *hosts = *state;
	enum ibv_wc_status status;

	must_write(hosts, hosts->mr->rkey, 1, IBV_WC_SUCCESS);
	must(remote_read(&hosts->remote, (struct verbs_remote){ .rkey = hosts->mr->rkey }, LENGTH, 1,
			 &status, &test_error));
	assert_int_equal(status, IBV_WC_SUCCESS);
}

static void bar_is_refused(void **state)
{
	struct srd_hosts *hosts = *state;
	struct ibv_mr *mr;

	must_fail(verbs_reg_dmabuf(&hosts->peer, hosts->exporter->dmabuf, 0, LENGTH, 0, ACCESS, &mr,
				   &test_error), EOPNOTSUPP);
	must_write(hosts, hosts->mr->rkey, 2, IBV_WC_SUCCESS);
}

static void memory_region_goes(void **state)
{
	struct srd_hosts *hosts = *state;
	uint32_t rkey = hosts->mr->rkey;

	must_write(hosts, rkey, 3, IBV_WC_SUCCESS);
	assert_int_equal(ibv_dereg_mr(hosts->mr), 0);
	hosts->mr = NULL;
	must_write(hosts, rkey, 4, IBV_WC_REM_ACCESS_ERR);
	must_hold_pattern(hosts->memory, LENGTH, 3);
	hosts->mr = register_memory(hosts);
	/* The same queue pairs: an error ends one request. */
	must_write(hosts, hosts->mr->rkey, 5, IBV_WC_SUCCESS);
}

static void link_that_loses(void **state)
{
	struct srd_hosts *hosts = *state;
	uint64_t lost = lab_counter(hosts->exporter, "link.lost");

	must_set_link(hosts->exporter->lab, json_pack("{s:i, s:i}", "loss", 50, "seed", 5));
	for (uint32_t i = 0; i < LOSSY_MESSAGES; i++)
		must_write(hosts, hosts->mr->rkey, 100 + i, IBV_WC_SUCCESS);
	must_set_link(hosts->exporter->lab, json_pack("{s:i}", "loss", 0));
	lost = lab_counter(hosts->exporter, "link.lost") - lost;
	print_message("# %llu packets were lost\n", (unsigned long long)lost);
	assert_true(lost > 0);
}

static void link_that_delays(void **state)
{
	struct srd_hosts *hosts = *state;
	int64_t start;

	must_set_link(hosts->exporter->lab, json_pack("{s:i}", "delay_us", DELAY_US));
	start = clock_now_ns();
	must_write(hosts, hosts->mr->rkey, 200, IBV_WC_SUCCESS);
	/* The clock of the model's loop may lag by a millisecond. */
	assert_true(clock_now_ns() - start >= (DELAY_US - 1000) * NS_PER_US);
	must_set_link(hosts->exporter->lab, json_pack("{s:i}", "delay_us", 0));
}

static void link_that_is_down(void **state)
{
	struct srd_hosts *hosts = *state;

	must_write(hosts, hosts->mr->rkey, 300, IBV_WC_SUCCESS);
	must_set_link(hosts->exporter->lab, json_pack("{s:b}", "up", 0));
	must_write(hosts, hosts->mr->rkey, 301, IBV_WC_RESP_TIMEOUT_ERR);
	must_hold_pattern(hosts->memory, LENGTH, 300);
	must_set_link(hosts->exporter->lab, json_pack("{s:b}", "up", 1));
	must_write(hosts, hosts->mr->rkey, 302, IBV_WC_SUCCESS);
}

#define two_hosts_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		two_hosts_test(write_and_read),
		two_hosts_test(bar_is_refused),
		two_hosts_test(memory_region_goes),
		two_hosts_test(link_that_loses),
		two_hosts_test(link_that_delays),
		two_hosts_test(link_that_is_down),
	};

	test_parse_cases(argc, argv, "two hosts over SRD", tests, TEST_COUNT(tests));
	test_require(TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC);
	if (remote_is_there(&test_error))
		test_cannot_start();
	return cmocka_run_group_tests_name("two_hosts_srd", tests, NULL, NULL) ? EXIT_STATUS_FAILED :
										  0;
}
