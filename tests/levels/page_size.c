/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * mlx5: a buffer moves from one contiguous run of memory to single pages, and the fault that follows
 * changes the page size of the MR's key, by five work requests. One of them fails. The MR may be lost by
 * that, but nothing reaches the pages where the buffer was once it has moved on. -n gives the rounds; the
 * work request that fails is another one in each.
 */
#include <unistd.h>

#include "moving.h"
#include "race.h"

/* 2 MiB of 4 KiB pages, which is one page of the NIC as long as it is contiguous. */
#define ORDER 9
#define SIZE (PAGE << ORDER)
/* The first entries are the last ones to be loaded. */
#define BEYOND_THE_FIRST ((size_t)64 << 10)
#define STEPS 5

enum { LENGTH = 4096 };

struct moving_mr {
	int dmabuf;
	struct ibv_mr *mr;
};

static struct moving_mr lend(struct fixture *fixture)
{
	struct moving_mr lent = { .dmabuf = moving_dmabuf(SIZE) };

	must(moving_lay_out(lent.dmabuf, ORDER, &test_error));
	must(moving_move(lent.dmabuf, &test_error));
	must(verbs_reg_dmabuf(&fixture->peer, lent.dmabuf, 0, SIZE, 0, VERBS_ACCESS_ALL, &lent.mr, &test_error));
	return lent;
}

static enum ibv_wc_status write_to(struct fixture *fixture, struct ibv_mr *mr, uint64_t offset)
{
	const struct verbs_remote to = { .address = offset, .rkey = mr->rkey };
	struct ibv_wc wc;

	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, LENGTH), to, &test_error));
	must(verbs_wait(&fixture->pair.initiator, &wc, TEST_TIMEOUT_NS, &test_error));
	if (wc.status != IBV_WC_SUCCESS)
		must(verbs_pair_recycle(&fixture->pair, &test_error));
	return wc.status;
}

/* One fault, which is not tried again when it has failed. */
static int prefetch(struct fixture *fixture, struct ibv_mr *mr)
{
	struct ibv_sge all = { .addr = 0, .length = SIZE, .lkey = mr->lkey };

	return ibv_advise_mr(fixture->peer.pd, IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE, IBV_ADVISE_MR_FLAG_FLUSH,
			     &all, 1);
}

static void must_not_be_spoiled(int dmabuf, unsigned int step)
{
	struct dmabuf_moving_state state;

	must(moving_state(dmabuf, &state, &test_error));
	if (state.spoiled)
		fail_msg("%u pages of the place before were written to after work request %u had failed",
			 state.spoiled, step);
}

static void fail_at(struct race *race, unsigned int step)
{
	struct fixture *fixture = race->fixture;
	struct moving_mr lent = lend(fixture);
	uint64_t umrs;

	assert_int_equal(write_to(fixture, lent.mr, BEYOND_THE_FIRST), IBV_WC_SUCCESS);
	must(moving_lay_out(lent.dmabuf, 0, &test_error));
	must(moving_move(lent.dmabuf, &test_error));

	umrs = lab_counter(fixture, "umrs");
	must(knob_set_later(fixture->lab, race->invalidation, KNOB_FAIL, (int)step - 1, 1, 0, &test_error));
	assert_int_not_equal(prefetch(fixture, lent.mr), 0);
	must(knob_release(fixture->lab, race->invalidation, &test_error));
	umrs = lab_counter(fixture, "umrs") - umrs;
	print_message("# work request %u failed of %llu\n", step, (unsigned long long)umrs);

	must(moving_move(lent.dmabuf, &test_error));
	write_to(fixture, lent.mr, BEYOND_THE_FIRST);
	must_not_be_spoiled(lent.dmabuf, step);
	write_to(fixture, lent.mr, 0);
	must_not_be_spoiled(lent.dmabuf, step);
	assert_int_equal(ibv_dereg_mr(lent.mr), 0);
	close(lent.dmabuf);
}

static void one_step_fails(void **state)
{
	struct race *race = *state;

	if (!race_faults(race))
		race_is_not_for_this_nic("it has no page size that changes");
	for_each_round(i)
		fail_at(race, STEPS - i % STEPS);
	must_write_through(race->fixture, 1);
	race_was_lost_times(race, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(one_step_fails, race_setup_recovering, race_teardown),
};

TEST_MAIN("a change of the page size of an MR fails half way; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
