/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Each DMA mapping that a registration makes fails once, as when an IOMMU has no room left: without an
 * IOMMU's addresses (pt) they are made range by range, and those before the one that fails are unmade;
 * with them (translated) all ranges go to one stretch of addresses. The registration is refused, the
 * NIC holds nothing, and a later one serves. CONFIG_DMA_API_DEBUG (the flavour lockdep) tells of what is
 * unmapped and never was, or is left.
 *
 * A page fault for which nothing can be mapped refuses the access, and the next one is served. -n gives
 * the rounds of these.
 */
#include <unistd.h>

#include "hooked_function.h"
#include "race.h"

/* More than any registration here makes. */
#define NTH_MAX 200

/* What the kernel maps by, and what it returns when it cannot. */
static const struct {
	const char *function;
	__s64 failure;
} mappings[] = {
	{ "dma_map_phys", ~0 },		/* DMA_MAPPING_ERROR */
	{ "dma_iova_link", -ENOMEM },
	{ "dma_iova_sync", -ENOMEM },
};

static struct hooked_function hook;

struct lent {
	struct fixture *fixture;
	int dmabuf;
	size_t length;
};

static int try_registration(const struct lent *lent, struct ibv_mr **mr)
{
	*mr = ibv_reg_dmabuf_mr(lent->fixture->peer.pd, 0, lent->length, 0, lent->dmabuf, VERBS_ACCESS_ALL);
	return *mr ? 0 : -errno;
}

/* How often a registration was refused until it made fewer calls than that. */
static unsigned int sweep(const struct lent *lent, const char *function, __s64 failure)
{
	unsigned int refused = 0, nth;
	bool failed = true;

	for (nth = 1; failed && nth < NTH_MAX; nth++) {
		struct ibv_mr *mr;
		int ret;

		hooked_function_answer(&hook, function, HOOKED_THIS_PROCESS, nth, 1, failure);
		ret = try_registration(lent, &mr);
		failed = hooked_function_met(&hook, 0);
		if (ret && (!failed || ret != -ENOMEM))
			fail_msg("registration, whose %s() %u %s: %s", function, nth,
				 failed ? "failed" : "would have failed", strerrorname_np(-ret));
		refused += ret != 0;
		if (mr)
			assert_int_equal(ibv_dereg_mr(mr), 0);
	}
	assert_false(failed);
	print_message("# %s(): %u calls, refused for %u of them\n", function, nth - 2, refused);
	return refused;
}

static void must_survive(const struct lent *lent)
{
	unsigned int refused = 0;
	struct ibv_mr *mr;

	/* What is made at the first registration only is there then. */
	must(try_registration(lent, &mr));
	assert_int_equal(ibv_dereg_mr(mr), 0);
	for (size_t i = 0; i < sizeof(mappings) / sizeof(mappings[0]); i++)
		refused += sweep(lent, mappings[i].function, mappings[i].failure);
	hooked_function_close(&hook);
	assert_int_not_equal(refused, 0);
	must(try_registration(lent, &mr));
	assert_int_equal(ibv_dereg_mr(mr), 0);
}

static void one_range(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	must_write_through(fixture, 1);
	must_survive(&(struct lent){ fixture, fixture->dmabuf, fixture->size });
	must_write_through(fixture, 2);
}

static void several_ranges(void **state)
{
	struct race *race = *state;
	struct lent lent = { race->fixture, must(fixture_export_ranges(race->fixture)), FIXTURE_RANGES_SIZE };

	must_survive(&lent);
	close(lent.dmabuf);
	must_write_through(race->fixture, 1);
}

/*
 * The next access faults, and for it the driver's worker asks the exporter for the mapping: that fails so
 * often.
 */
static void fail_next_fault(struct race *race, unsigned int round, unsigned int failures)
{
	if (!race_faults(race))
		race_is_not_for_this_nic("it does not fault");
	must_write_through(race->fixture, round);
	race_revoke(race, TRIGGER_COMMAND);
	race_revoke_join(race, RACE_PROMPT_NS);
	race_dereg(race_give_back(race));
	hooked_function_answer(&hook, "dma_buf_phys_vec_to_sgt", HOOKED_ANYBODY, 1, failures, -ENOMEM);
}

/* mlx5 tries again, without what it would have mapped in advance. */
static void fault_is_served_by_a_second_try(void **state)
{
	struct race *race = *state;

	for_each_round(i) {
		fail_next_fault(race, i, 1);
		must_write_through(race->fixture, i + 1);
		assert_true(hooked_function_met(&hook, 0));
	}
}

static void fault_is_refused(void **state)
{
	struct race *race = *state;

	for_each_round(i) {
		fail_next_fault(race, i, FUNCTION_HOOK_CALLS_MAX);
		race_must_refuse(race, race->fixture->mr->rkey);
		assert_true(hooked_function_met(&hook, 0));
		hooked_function_close(&hook);
		must_write_through(race->fixture, i + 1);
	}
}

static int tear_down(void **state)
{
	hooked_function_close(&hook);
	return race_teardown(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, race_setup, tear_down)

static const struct CMUnitTest tests[] = {
	test(one_range),
	test(several_ranges),
	test(fault_is_served_by_a_second_try),
	test(fault_is_refused),
};

TEST_MAIN("each DMA mapping of a registration fails once, and that of a fault; -n gives the rounds of that",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
