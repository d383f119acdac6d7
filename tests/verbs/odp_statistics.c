/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A revoke shows in the MR's ODP statistics (rdma statistic show mr): its pages, and one event handled. */
#include <unistd.h>

#include "fixture.h"
#include "rdma_tool.h"

struct statistics {
	json_int_t faulted, faults_handled;
	json_int_t invalidated, invalidations_handled;
};

/* False if the kernel shows none of this MR. */
static bool read_statistics(const struct ibv_mr *mr, struct statistics *statistics)
{
	json_t *list = rdma_tool_ask("rdma -j statistic show mr"), *entry, *itself = rdma_tool_mr(mr);
	json_int_t number = json_integer_value(json_object_get(itself, "mrn"));
	bool shown = false;
	size_t i;

	json_array_foreach(list, i, entry) {
		if (json_integer_value(json_object_get(entry, "mrn")) != number)
			continue;
		shown = !json_unpack(entry, "{s:I, s:I, s:I, s:I}", "page_faults", &statistics->faulted,
				     "page_faults_handled", &statistics->faults_handled,
				     "page_invalidations", &statistics->invalidated,
				     "page_invalidations_handled", &statistics->invalidations_handled);
	}
	json_decref(itself);
	json_decref(list);
	return shown;
}

static void must_read_statistics(struct fixture *fixture, struct statistics *statistics)
{
	if (!read_statistics(fixture->mr, statistics))
		test_skip("this kernel shows no ODP statistics of dma-buf MRs");
}

static void one_event_a_revoke(void **state)
{
	struct fixture *fixture = *state;
	const json_int_t pages = (json_int_t)fixture->size / sysconf(_SC_PAGESIZE);
	struct statistics before, after;

	must_write_through(fixture, 1);
	must_read_statistics(fixture, &before);
	for (json_int_t i = 1; i <= 5; i++) {
		fixture_revoke(fixture);
		must_read_statistics(fixture, &after);
		assert_int_equal(after.invalidations_handled - before.invalidations_handled, i);
		assert_int_equal(after.invalidated - before.invalidated, i * pages);

		/* The un-revoke touches no importer; the next access brings the whole MR back. */
		fixture_unrevoke(fixture);
		must_read_statistics(fixture, &after);
		assert_int_equal(after.invalidations_handled - before.invalidations_handled, i);
		must_write_through(fixture, 1 + (uint32_t)i);
		must_read_statistics(fixture, &after);
		assert_int_equal(after.faults_handled - before.faults_handled, i);
		assert_int_equal(after.faulted - before.faulted, i * pages);
	}
}

/* What is not mapped has nothing to lose, so a second revoke in a row does not count. */
static void nothing_to_lose(void **state)
{
	struct fixture *fixture = *state;
	struct statistics before, after;

	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	must_read_statistics(fixture, &before);
	fixture_unrevoke(fixture);
	fixture_revoke(fixture);
	must_read_statistics(fixture, &after);
	assert_int_equal(after.invalidations_handled, before.invalidations_handled);
	assert_int_equal(after.invalidated, before.invalidated);
	fixture_unrevoke(fixture);
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(one_event_a_revoke),
	test_with_fixture(nothing_to_lose),
};

TEST_MAIN("a revoke shows in the MR's ODP statistics", TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
