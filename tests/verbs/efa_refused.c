/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The importer that can only pin, on its own driver: an EFA gets no dma-buf of a VFIO device, and
 * is told so before it is asked for anything; of memory that nobody takes back it gets as before.
 */
#include <rdma/efa-abi.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dmabuf_cq.h"
#include "fixture.h"
#include "plain_dmabuf.h"
#include "srd.h"

#define CQ_ENTRIES 256
#define CQ_ENTRY 32
#define HUGE_PAGE (2u << 20)

struct efa {
	struct fixture *exporter;	/* and its dma-buf */
	struct verbs_peer peer;
	struct verbs_buffer buffer;
	struct srd_qp initiator, target;
};

/* The model's counters of what a registration and a CQ cost it, and of all commands. */
struct device_work {
	uint64_t commands, reg_mr, create_cq;
};

static struct verbs_peer_options peer_options(void)
{
	return (struct verbs_peer_options){
		.device = test_options.device, .port = test_options.port, .gid_index = 0,
	};
}

static int set_up(void **state)
{
	const struct verbs_peer_options options = peer_options();
	struct efa *efa = calloc(1, sizeof(*efa));
	int ret;

	if (!efa)
		return -1;
	*state = efa;
	ret = fixture_setup_exporter((void **)&efa->exporter);
	if (ret)
		return ret;
	ret = verbs_peer_open(&efa->peer, &options, &test_error);
	if (!ret)
		ret = verbs_buffer_init(&efa->peer, efa->exporter->size, IBV_ACCESS_LOCAL_WRITE,
					&efa->buffer, &test_error);
	if (!ret)
		ret = srd_qp_create(&efa->peer, &efa->initiator, &test_error);
	if (!ret)
		ret = srd_qp_create(&efa->peer, &efa->target, &test_error);
	if (ret)
		print_error("# setup: %s\n", test_error.text);
	return ret;
}

static int tear_down(void **state)
{
	struct efa *efa = *state;

	srd_qp_destroy(&efa->target);
	srd_qp_destroy(&efa->initiator);
	verbs_buffer_free(&efa->buffer);
	if (efa->peer.context)
		verbs_peer_close(&efa->peer);
	if (efa->exporter)
		fixture_teardown((void **)&efa->exporter);
	free(efa);
	return 0;
}

static struct device_work work_so_far(const struct efa *efa)
{
	return (struct device_work){
		.commands = lab_counter(efa->exporter, "commands"),
		.reg_mr = lab_counter(efa->exporter, "reg_mr"),
		.create_cq = lab_counter(efa->exporter, "create_cq"),
	};
}

/* On metal nobody counts, and this says nothing. */
static void must_not_have_worked(const struct efa *efa, struct device_work before)
{
	struct device_work after = work_so_far(efa);

	assert_int_equal(after.reg_mr, before.reg_mr);
	assert_int_equal(after.create_cq, before.create_cq);
	assert_int_equal(after.commands, before.commands);
}

static struct ibv_mr *register_dmabuf(struct efa *efa, int dmabuf, int access)
{
	return ibv_reg_dmabuf_mr(efa->peer.pd, 0, efa->exporter->size, 0, dmabuf, access);
}

/* Else "nothing was counted" would prove nothing. */
static void counters_count(void **state)
{
	struct efa *efa = *state;
	struct device_work before = work_so_far(efa), after;
	struct ibv_mr *mr;

	if (!efa->exporter->lab)
		test_skip("no counters: this device is no model");
	mr = ibv_reg_mr(efa->peer.pd, efa->buffer.address, efa->buffer.length, 0);
	assert_non_null(mr);
	after = work_so_far(efa);
	assert_int_equal(after.reg_mr, before.reg_mr + 1);
	assert_int_equal(after.commands, before.commands + 1);
	assert_int_equal(ibv_dereg_mr(mr), 0);
}

static void registration_is_refused(void **state)
{
	static const int rights[] = {
		0, IBV_ACCESS_LOCAL_WRITE, IBV_ACCESS_REMOTE_READ,
		IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ,
	};
	struct efa *efa = *state;
	struct device_work before = work_so_far(efa);

	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		must_fail_errno(register_dmabuf(efa, efa->exporter->dmabuf, rights[i]), EOPNOTSUPP);
	must_not_have_worked(efa, before);
}

/* Being unable is said before the state of the memory: it would still be unable later. */
static void registration_is_refused_while_revoked(void **state)
{
	struct efa *efa = *state;
	struct device_work before = work_so_far(efa);

	fixture_revoke(efa->exporter);
	must_fail_errno(register_dmabuf(efa, efa->exporter->dmabuf, IBV_ACCESS_LOCAL_WRITE),
			EOPNOTSUPP);
	fixture_unrevoke(efa->exporter);
	must_fail_errno(register_dmabuf(efa, efa->exporter->dmabuf, IBV_ACCESS_LOCAL_WRITE),
			EOPNOTSUPP);
	must_not_have_worked(efa, before);
}

static int create_cq_in(struct efa *efa, int dmabuf)
{
	const struct efa_ibv_create_cq driver_in = { .cq_entry_size = CQ_ENTRY, .num_sub_cqs = 1 };
	struct efa_ibv_create_cq_resp driver_out;

	return dmabuf_cq_create(efa->peer.context, &(struct dmabuf_cq){
		.dmabuf = dmabuf,
		.length = CQ_ENTRIES * CQ_ENTRY,
		.entries = CQ_ENTRIES,
		.driver = RDMA_DRIVER_EFA,
		.driver_in = &driver_in,
		.driver_in_length = sizeof(driver_in),
		.driver_out = &driver_out,
		.driver_out_length = sizeof(driver_out),
	});
}

/* Its other way to import: memory of a completion queue, which it writes by itself. */
static void completion_queue_is_refused(void **state)
{
	struct efa *efa = *state;
	int plain = plain_udmabuf(HUGE_PAGE, true), ret;
	struct device_work before;

	ret = create_cq_in(efa, plain);
	close(plain);
	if (ret)
		test_skip("this kernel makes no CQ in a dma-buf: %s", strerrorname_np(-ret));
	before = work_so_far(efa);
	must_fail(create_cq_in(efa, efa->exporter->dmabuf), EOPNOTSUPP);
	must_not_have_worked(efa, before);
}

static void must_succeed(int ret, const struct ibv_wc *wc)
{
	must(ret);
	if (wc->status)
		fail_msg("the work request ended with \"%s\"", ibv_wc_status_str(wc->status));
}

/* Written and read back by RDMA, and seen by the CPU. */
static void must_serve(struct efa *efa, int dmabuf)
{
	size_t size = efa->exporter->size;
	struct ibv_mr *mr = register_dmabuf(efa, dmabuf, IBV_ACCESS_LOCAL_WRITE |
					    IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ);
	struct verbs_local local = {
		(uintptr_t)efa->buffer.address, (uint32_t)size, efa->buffer.mr->lkey,
	};
	uint8_t *view = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	struct ibv_wc wc;

	if (!mr)
		fail_msg("the registration failed: %s", strerrorname_np(errno));
	assert_true(view != MAP_FAILED);
	fill_pattern(efa->buffer.address, size, 1);
	must_succeed(srd_write(&efa->initiator, &efa->target, local,
			       (struct verbs_remote){ 0, mr->rkey }, &wc, &test_error), &wc);
	must_hold_pattern(view, size, 1);
	fill_pattern(view, size, 2);
	must_succeed(srd_read(&efa->initiator, &efa->target, local,
			      (struct verbs_remote){ 0, mr->rkey }, &wc, &test_error), &wc);
	must_hold_pattern(efa->buffer.address, size, 2);
	munmap(view, size);
	assert_int_equal(ibv_dereg_mr(mr), 0);
}

static void udmabuf_serves(void **state)
{
	struct efa *efa = *state;
	int dmabuf = plain_udmabuf(efa->exporter->size, false);

	must_serve(efa, dmabuf);
	close(dmabuf);
}

static void heap_serves(void **state)
{
	struct efa *efa = *state;
	int dmabuf = plain_heap_dmabuf(efa->exporter->size);

	must_serve(efa, dmabuf);
	close(dmabuf);
}

/* A refusal leaves nothing behind that would keep the exporter from its memory. */
static void exporter_is_free(void **state)
{
	struct efa *efa = *state;

	must_fail_errno(register_dmabuf(efa, efa->exporter->dmabuf, IBV_ACCESS_LOCAL_WRITE),
			EOPNOTSUPP);
	must(vfio_exporter_revoke(efa->exporter->exporter, efa->exporter->dmabuf, &test_error));
	must_fail_errno(register_dmabuf(efa, efa->exporter->dmabuf, IBV_ACCESS_LOCAL_WRITE),
			EOPNOTSUPP);
}

#define test_with_efa(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test_with_efa(counters_count),
	test_with_efa(registration_is_refused),
	test_with_efa(registration_is_refused_while_revoked),
	test_with_efa(completion_queue_is_refused),
	test_with_efa(udmabuf_serves),
	test_with_efa(heap_serves),
	test_with_efa(exporter_is_free),
};

/* A device without SRD is another NIC: not what this program is about. */
static void require_efa(void)
{
	const struct verbs_peer_options options = peer_options();
	struct verbs_peer peer;
	struct srd_qp qp;
	int ret;

	ret = verbs_peer_open(&peer, &options, &test_error);
	if (ret)
		test_cannot_start();
	ret = srd_qp_create(&peer, &qp, &test_error);
	if (!ret)
		srd_qp_destroy(&qp);
	verbs_peer_close(&peer);
	if (ret)
		test_cannot_start();
}

int main(int argc, char **argv)
{
	test_parse_cases(argc, argv, "an EFA, which can only pin, gets no dma-buf of a VFIO device",
			 tests, TEST_COUNT(tests));
	test_require(TEST_NEEDS_EXPORTER);
	require_efa();
	return cmocka_run_group_tests_name(program_invocation_short_name, tests, NULL, NULL) ?
	       EXIT_STATUS_FAILED : 0;
}
