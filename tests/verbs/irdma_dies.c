/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The importer that pins and can be revoked, on its own driver: irdma registers a dma-buf of a VFIO
 * device, a revoke takes the key from the device by one command and at once, and the MR is dead from
 * then on: an un-revoke does not bring it back, and it can be deregistered like any other.
 *
 * Nothing is allocated for it. The case that shows it answers for a function of the kernel
 * (tests/kernel/function-hook).
 *
 * A queue pair of irdma cannot leave the error state: there are new ones after each error.
 */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "hooked_function.h"
#include "trigger.h"

#define LENGTH 4096
#define OFFSET 8192
#define INTEL 0x8086

/* The model's counters of what a registration, its end, and everything cost. */
struct device_work {
	uint64_t commands, reg_mr, dealloc_stag;
};

static struct device_work work_so_far(const struct fixture *fixture)
{
	return (struct device_work){
		.commands = lab_counter(fixture, "commands"),
		.reg_mr = lab_counter(fixture, "reg_mr"),
		.dealloc_stag = lab_counter(fixture, "dealloc_stag"),
	};
}

/* On metal nobody counts, and this says nothing. */
static void must_have_cost(const struct fixture *fixture, struct device_work before,
			   unsigned int registrations, unsigned int deallocations)
{
	struct device_work after = work_so_far(fixture);

	if (!fixture->lab)
		return;
	assert_int_equal(after.reg_mr - before.reg_mr, registrations);
	assert_int_equal(after.dealloc_stag - before.dealloc_stag, deallocations);
	assert_int_equal(after.commands - before.commands, registrations + deallocations);
}

/* Where the driver gets the requests of its commands. */
static struct hooked_function requests;

/* The model counts from its start on, and tests before this one may have broken its driver on purpose. */
static uint64_t stale_before, strays_before;

static int set_up(void **state)
{
	int ret = fixture_setup(state);

	if (ret)
		return ret;
	stale_before = lab_counter(*state, "stale_keys");
	strays_before = lab_counter(*state, "dma.unmapped_accesses");
	return 0;
}

/* Nothing was reached that is not the device's any more, and no key is left that could. */
static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	uint64_t stale = lab_counter(fixture, "stale_keys") - stale_before;
	uint64_t strays = lab_counter(fixture, "dma.unmapped_accesses") - strays_before;
	int ret;

	hooked_function_close(&requests);
	ret = fixture_teardown(state);
	if (stale || strays)
		print_error("# %lu stale keys, %lu stray accesses\n", stale, strays);
	return stale || strays ? -1 : ret;
}

static void renew_pair(struct fixture *fixture)
{
	verbs_pair_destroy(&fixture->pair);
	must(verbs_pair_create(&fixture->peer, NULL, &fixture->pair, &test_error));
}

static struct verbs_remote own_memory(const struct fixture *fixture, size_t offset)
{
	return (struct verbs_remote){
		.address = (uintptr_t)fixture->buffer.address + offset,
		.rkey = fixture->buffer.mr->rkey,
	};
}

static void must_serve(struct fixture *fixture, uint32_t seed)
{
	must_write_through(fixture, seed);
	fill_pattern(fixture->window, fixture->size, seed + 1);
	must(verbs_post_read(&fixture->pair.initiator, 1,
			     buffer_at(fixture, 0, (uint32_t)fixture->size), mr_remote_at(fixture, 0),
			     &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_SUCCESS);
	must_hold_pattern(fixture->buffer.address, fixture->size, seed + 1);
}

/* By its remote key and by its local one, in both directions. */
static void must_be_dead(struct fixture *fixture)
{
	struct verbs_qp *initiator = &fixture->pair.initiator;

	must(verbs_post_write(initiator, 1, buffer_at(fixture, OFFSET, LENGTH),
			      mr_remote_at(fixture, OFFSET), &test_error));
	must_complete(initiator, IBV_WC_REM_ACCESS_ERR);
	assert_int_equal(verbs_qp_state(initiator), IBV_QPS_ERR);
	renew_pair(fixture);
	must(verbs_post_read(initiator, 1, buffer_at(fixture, OFFSET, LENGTH),
			     mr_remote_at(fixture, OFFSET), &test_error));
	must_complete(initiator, IBV_WC_REM_ACCESS_ERR);
	renew_pair(fixture);
	must(verbs_post_write(initiator, 1, mr_local_at(fixture, OFFSET, LENGTH),
			      own_memory(fixture, OFFSET), &test_error));
	must_complete(initiator, IBV_WC_LOC_PROT_ERR);
	renew_pair(fixture);
	must(verbs_post_read(initiator, 1, mr_local_at(fixture, OFFSET, LENGTH),
			     own_memory(fixture, OFFSET), &test_error));
	must_complete(initiator, IBV_WC_LOC_PROT_ERR);
	renew_pair(fixture);
}

/* Else "it cost one command" would prove nothing. */
static void registration_is_one_command(void **state)
{
	struct fixture *fixture = *state;
	struct device_work before;
	struct ibv_mr *mr;

	must_serve(fixture, 1);
	before = work_so_far(fixture);
	mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	must_have_cost(fixture, before, 1, 0);
	before = work_so_far(fixture);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	must_have_cost(fixture, before, 0, 1);
	must_serve(fixture, 3);
}

static void a_revoke_is_one_command(void **state)
{
	struct fixture *fixture = *state;
	struct device_work before = work_so_far(fixture);

	fixture_revoke(fixture);
	must_have_cost(fixture, before, 0, 1);
	fixture_unrevoke(fixture);
	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	must_have_cost(fixture, before, 0, 1);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = NULL;
	must_have_cost(fixture, before, 0, 1);
}

static void dead_while_revoked_and_after(void **state)
{
	struct fixture *fixture = *state;

	must_serve(fixture, 1);
	fill_pattern(fixture->window, fixture->size, 7);
	fixture_revoke(fixture);
	must_be_dead(fixture);
	fixture_unrevoke(fixture);
	must_hold_pattern(fixture->window, fixture->size, 7);
	must_be_dead(fixture);
	must_hold_pattern(fixture->window, fixture->size, 7);
}

/* Both sides of a message learn of it, and what else was to be received is flushed. */
static void receive_buffer(void **state)
{
	struct fixture *fixture = *state;
	struct verbs_qp *responder = &fixture->pair.responder;

	fill_pattern(fixture->window, fixture->size, 7);
	for (unsigned int i = 0; i < 4; i++)
		must(verbs_post_recv(responder, i, mr_local_at(fixture, OFFSET, LENGTH),
				     &test_error));
	fixture_revoke(fixture);
	must(verbs_post_send(&fixture->pair.initiator, 9, buffer_at(fixture, 0, LENGTH),
			     &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_REM_OP_ERR);
	assert_int_equal(must_complete(responder, IBV_WC_LOC_PROT_ERR).wr_id, 0);
	for (unsigned int i = 1; i < 4; i++)
		assert_int_equal(must_complete(responder, IBV_WC_WR_FLUSH_ERR).wr_id, i);
	fixture_unrevoke(fixture);
	must_hold_pattern(fixture->window, fixture->size, 7);
}

static void queued_work_is_flushed(void **state)
{
	struct fixture *fixture = *state;
	struct verbs_qp *initiator = &fixture->pair.initiator;

	fixture_revoke(fixture);
	for (unsigned int i = 0; i < 8; i++)
		must(verbs_post_write(initiator, i, buffer_at(fixture, i * LENGTH, LENGTH),
				      mr_remote_at(fixture, i * LENGTH), &test_error));
	assert_int_equal(must_complete(initiator, IBV_WC_REM_ACCESS_ERR).wr_id, 0);
	for (unsigned int i = 1; i < 8; i++)
		assert_int_equal(must_complete(initiator, IBV_WC_WR_FLUSH_ERR).wr_id, i);
	fixture_unrevoke(fixture);
}

static void other_memory_goes_on(void **state)
{
	struct fixture *fixture = *state;
	int dmabuf = must(fixture_export(fixture, 0, fixture->size));
	struct ibv_mr *own = fixture->mr, *other = fixture_register(fixture, dmabuf, fixture->size);

	if (!vfio_exporter_can_revoke(fixture->exporter))
		test_skip("this kernel takes back nothing but whole devices");
	must(trigger_pull(fixture, TRIGGER_REVOKE));
	for (unsigned int i = 0; i < 16; i++) {
		must(verbs_post_write(&fixture->pair.initiator, i, buffer_at(fixture, 0, LENGTH),
				      own_memory(fixture, LENGTH), &test_error));
		must_complete(&fixture->pair.initiator, IBV_WC_SUCCESS);
	}
	fixture->mr = other;
	must_serve(fixture, 5);
	fixture->mr = own;
	must_be_dead(fixture);
	assert_int_equal(ibv_dereg_mr(other), 0);
}

/* The range is lent anew: the dma-buf after an un-revoke, a new one after the request. */
static void registers_again(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_mr *dead = fixture->mr, *mr;

	fixture_revoke(fixture);
	must_fail(verbs_reg_dmabuf(&fixture->peer, fixture->dmabuf, 0, fixture->size, 0,
				   VERBS_ACCESS_ALL, &mr, &test_error), ENODEV);
	fixture_unrevoke(fixture);
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	assert_int_not_equal(fixture->mr->rkey, dead->rkey);
	must_serve(fixture, 1);
	assert_int_equal(ibv_dereg_mr(dead), 0);
	must_serve(fixture, 3);
}

static void dereg_while_revoked(void **state)
{
	struct fixture *fixture = *state;
	struct device_work before;

	fixture_revoke(fixture);
	before = work_so_far(fixture);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	must_have_cost(fixture, before, 0, 0);
	fixture_unrevoke(fixture);
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	must_serve(fixture, 1);
}

/* Each way to take the memory back kills it, also one that gives it back before it returns. */
static void any_revoke(void **state)
{
	struct fixture *fixture = *state;
	unsigned int pulled = 0;

	for (enum trigger trigger = 0; trigger < TRIGGER_COUNT; trigger++) {
		struct device_work before = work_so_far(fixture);
		int ret;

		if (trigger == TRIGGER_CLOSE)
			fixture_unmap_window(fixture);
		ret = trigger_pull(fixture, trigger);
		if (ret == -EOPNOTSUPP) {
			print_message("# no %s here: %s\n", trigger_name(trigger), test_error.text);
			continue;
		}
		must(ret);
		pulled++;
		print_message("# %s\n", trigger_name(trigger));
		must_have_cost(fixture, before, 0, 1);
		must(trigger_undo(fixture, trigger));
		if (trigger == TRIGGER_CLOSE)
			fixture_map_window(fixture);
		must_be_dead(fixture);
		assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
		fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
		must_serve(fixture, 10 * pulled);
	}
	assert_true(pulled >= 2);
}

#define ALL_CALLS 100

/* There is no memory for one more request: neither a revoke nor a dereg needs it. */
static void no_request_is_left(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_mr *other = fixture_register(fixture, fixture->dmabuf, fixture->size);
	uint64_t resets = lab_counter(fixture, "resets");
	struct device_work before = work_so_far(fixture);

	hooked_function_answer(&requests, "irdma_alloc_and_get_cqp_request", HOOKED_THIS_PROCESS, 1,
			       ALL_CALLS, 0);
	assert_int_equal(ibv_dereg_mr(other), 0);
	must_have_cost(fixture, before, 0, 1);
	fixture_revoke(fixture);
	must_have_cost(fixture, before, 0, 2);
	hooked_function_close(&requests);
	assert_int_equal(lab_counter(fixture, "resets"), resets);
	fixture_unrevoke(fixture);
	must_be_dead(fixture);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	must_serve(fixture, 1);
}

#define test_dies(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test_dies(registration_is_one_command),
	test_dies(a_revoke_is_one_command),
	test_dies(dead_while_revoked_and_after),
	test_dies(receive_buffer),
	test_dies(queued_work_is_flushed),
	test_dies(other_memory_goes_on),
	test_dies(registers_again),
	test_dies(dereg_while_revoked),
	test_dies(any_revoke),
	/* The last: a driver that fails here has the NIC reset. */
	test_dies(no_request_is_left),
};

/* Another vendor's importer is not what this program is about. */
static void require_irdma(void)
{
	const struct verbs_peer_options options = {
		.device = test_options.device,
		.port = test_options.port,
		.gid_index = test_options.gid_index,
	};
	struct verbs_peer peer;
	bool is_other;

	if (verbs_peer_open(&peer, &options, &test_error))
		test_cannot_start();
	is_other = peer.attr.orig_attr.vendor_id != INTEL;
	if (is_other)
		error_missing(&test_error, 0, "%s is no device of irdma",
			      ibv_get_device_name(peer.context->device));
	verbs_peer_close(&peer);
	if (is_other)
		test_cannot_start();
}

int main(int argc, char **argv)
{
	test_parse_cases(argc, argv, "irdma: a revoke kills the MR for good, by one command",
			 tests, TEST_COUNT(tests));
	test_require(TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC);
	require_irdma();
	return cmocka_run_group_tests_name(program_invocation_short_name, tests, NULL, NULL) ?
	       EXIT_STATUS_FAILED : 0;
}
