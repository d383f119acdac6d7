/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* One dma-buf of several ranges of a BAR: its MR shows them one after the other, in the order given. */
#include <string.h>
#include <unistd.h>

#include "fixture.h"

#define MAX_RANGES 3

static void place(struct fixture *fixture, const struct vfio_range *ranges, unsigned int count)
{
	struct vfio_range in_bar[MAX_RANGES];
	struct ibv_mr *own = fixture->mr;
	size_t length = 0, at = 0;
	int dmabuf;

	for (unsigned int i = 0; i < count; i++) {
		in_bar[i] = ranges[i];
		in_bar[i].offset += test_options.offset;
		length += ranges[i].length;
	}
	dmabuf = must(vfio_exporter_export(fixture->exporter, test_options.bar, in_bar, count,
					   &test_error));
	must(verbs_reg_dmabuf(&fixture->peer, dmabuf, 0, length, 0, VERBS_ACCESS_ALL, &fixture->mr,
			      &test_error));

	for (unsigned int round = 0; round < 2; round++) {
		/* One write over all ranges; what lies between them must stay. */
		memset(fixture->window, 0xee, fixture->size);
		fill_pattern(fixture->buffer.address, length, count + round);
		must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, (uint32_t)length),
				      mr_remote_at(fixture, 0), &test_error));
		must_complete(&fixture->pair.initiator, IBV_WC_SUCCESS);

		at = 0;
		for (unsigned int i = 0; i < count; i++) {
			assert_memory_equal(fixture->window + ranges[i].offset,
					    (uint8_t *)fixture->buffer.address + at, ranges[i].length);
			memset(fixture->window + ranges[i].offset, 0xee, ranges[i].length);
			at += ranges[i].length;
		}
		for (size_t i = 0; i < fixture->size; i++)
			assert_int_equal(fixture->window[i], 0xee);

		/* The revoke takes all of it, and all of it comes back. */
		fixture_revoke(fixture);
		must(verbs_post_write(&fixture->pair.initiator, 1,
				      buffer_at(fixture, 0, PAGE),
				      mr_remote_at(fixture, length - PAGE), &test_error));
		must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
		fixture_unrevoke(fixture);
		must(verbs_pair_recycle(&fixture->pair, &test_error));
	}
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = own;
	close(dmabuf);
}

static void two_ranges(void **state)
{
	const struct vfio_range ranges[] = { { 0, 4 * PAGE }, { 8 * PAGE, 4 * PAGE } };

	place(*state, ranges, 2);
}

static void two_neighbours(void **state)
{
	const struct vfio_range ranges[] = { { 0, 4 * PAGE }, { 4 * PAGE, 4 * PAGE } };

	place(*state, ranges, 2);
}

static void three_ranges_out_of_order(void **state)
{
	const struct vfio_range ranges[] = {
		{ 12 * PAGE, PAGE }, { 2 * PAGE, 3 * PAGE }, { 7 * PAGE, 2 * PAGE },
	};

	place(*state, ranges, 3);
}

/* An MR over a part that begins in one range and ends in the next. */
static void part_across_the_seam(void **state)
{
	const uint64_t offset = 3 * PAGE;
	struct fixture *fixture = *state;
	struct ibv_mr *own = fixture->mr;
	const struct vfio_range ranges[] = {
		{ test_options.offset, 4 * PAGE }, { test_options.offset + 8 * PAGE, 4 * PAGE },
	};
	int dmabuf;

	dmabuf = must(vfio_exporter_export(fixture->exporter, test_options.bar, ranges, 2,
					   &test_error));
	must(verbs_reg_dmabuf(&fixture->peer, dmabuf, offset, 2 * PAGE, offset, VERBS_ACCESS_ALL,
			      &fixture->mr, &test_error));
	memset(fixture->window, 0xee, fixture->size);
	fill_pattern(fixture->buffer.address, 2 * PAGE, 9);
	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, 2 * PAGE),
			      mr_remote_at(fixture, offset), &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_SUCCESS);
	assert_memory_equal(fixture->window + 3 * PAGE, fixture->buffer.address, PAGE);
	assert_memory_equal(fixture->window + 8 * PAGE, (uint8_t *)fixture->buffer.address + PAGE, PAGE);
	assert_int_equal(fixture->window[2 * PAGE], 0xee);
	assert_int_equal(fixture->window[4 * PAGE], 0xee);
	assert_int_equal(fixture->window[9 * PAGE], 0xee);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = own;
	close(dmabuf);
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(two_ranges),
	test_with_fixture(two_neighbours),
	test_with_fixture(three_ranges_out_of_order),
	test_with_fixture(part_across_the_seam),
};

TEST_MAIN("a dma-buf of two and three ranges: data lands in the right places",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
