/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Each allocation that a call makes in the kernel fails once. A call that is refused for want of memory
 * says so and leaves nothing behind; a revoke needs none, and is not refused.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "failing_allocation.h"
#include "ioas.h"
#include "leftovers.h"
#include "race.h"

#define IOVA 0x10000000ull
/* More than any call here makes. */
#define NTH_MAX 5000

struct swept {
	struct fixture *fixture;
	int lent;			/* the dma-buf that is registered, */
	size_t length;			/* all of it */
	struct ioas ioas;
	struct ibv_mr *mr;
	int dmabuf;
	void *mapping;
};

/* A call that may be refused, and what undoes it where it was not. */
struct call {
	const char *what;
	int (*make)(struct swept *swept);	/* 0 or -errno */
	int (*undo)(struct swept *swept);
	int errnum;				/* that it may give beside ENOMEM */
};

static struct swept sweep_of(struct fixture *fixture)
{
	return (struct swept){ .fixture = fixture, .lent = fixture->dmabuf, .length = fixture->size };
}

/* How often the call was refused until it made fewer allocations than that. */
static unsigned int sweep(struct swept *swept, const struct call *call)
{
	unsigned int refused = 0, nth;
	bool failed = true;

	for (nth = 1; failed && nth < NTH_MAX; nth++) {
		int ret;

		failing_allocation_arm(nth);
		ret = call->make(swept);
		failed = failing_allocation_disarm();
		if (ret && (!failed || (ret != -ENOMEM && ret != -call->errnum)))
			fail_msg("%s, whose allocation %u %s: %s", call->what, nth,
				 failed ? "failed" : "would have failed", strerror(-ret));
		refused += ret != 0;
		if (!ret)
			must(call->undo(swept));
	}
	assert_false(failed);
	print_message("# %s: %u allocations, refused for %u of them\n", call->what, nth - 2, refused);
	return refused;
}

static int register_mr(struct swept *swept)
{
	swept->mr = ibv_reg_dmabuf_mr(swept->fixture->peer.pd, 0, swept->length, 0, swept->lent,
				      VERBS_ACCESS_ALL);
	return swept->mr ? 0 : -errno;
}

static int dereg_mr(struct swept *swept)
{
	return -ibv_dereg_mr(swept->mr);
}

static int export(struct swept *swept)
{
	swept->dmabuf = fixture_export(swept->fixture, 0, swept->fixture->size);
	return swept->dmabuf < 0 ? swept->dmabuf : 0;
}

static int close_dmabuf(struct swept *swept)
{
	return close(swept->dmabuf) ? -errno : 0;
}

static int map_file(struct swept *swept)
{
	return ioas_map_file(&swept->ioas, swept->fixture->dmabuf, 0, swept->fixture->size, IOVA);
}

static int unmap_file(struct swept *swept)
{
	int64_t length = ioas_unmap(&swept->ioas, IOVA, swept->fixture->size);

	return length < 0 ? (int)length : 0;
}

/* And looks at it: a fault that finds no memory is made again. */
static int map_to_cpu(struct swept *swept)
{
	int ret = vfio_dmabuf_map(swept->fixture->dmabuf, swept->fixture->size, &swept->mapping, &test_error);

	if (!ret)
		*(volatile uint64_t *)swept->mapping;
	return ret;
}

static int unmap_from_cpu(struct swept *swept)
{
	return vfio_exporter_unmap_bar(swept->mapping, swept->fixture->size);
}

static const struct call registration = { "registration", register_mr, dereg_mr, ENOMEM };
static const struct call deregistration = { "deregistration", dereg_mr, register_mr, ENOMEM };
static const struct call exporting = { "export", export, close_dmabuf, ENOMEM };
/* With CONFIG_IOMMUFD_TEST it does not find its objects where it is told to fail. */
static const struct call file_mapping = { "iommufd's mapping", map_file, unmap_file, ENOENT };
static const struct call cpu_mapping = { "the CPU's mapping", map_to_cpu, unmap_from_cpu, ENOMEM };

/* Once without a failure, so that what is made at the first call only is there. */
static unsigned int must_survive(struct swept *swept, const struct call *call)
{
	must(call->make(swept));
	must(call->undo(swept));
	return sweep(swept, call);
}

static void registration_is_refused(void **state)
{
	struct race *race = *state;
	struct swept swept = sweep_of(race->fixture);

	must_write_through(race->fixture, 1);
	assert_int_not_equal(must_survive(&swept, &registration), 0);
	must_write_through(race->fixture, 2);
	must(register_mr(&swept));
	must(dereg_mr(&swept));
	must_write_through(race->fixture, 3);
}

static void registration_of_ranges_is_refused(void **state)
{
	struct race *race = *state;
	struct swept swept = sweep_of(race->fixture);

	swept.lent = must(fixture_export_ranges(race->fixture));
	swept.length = FIXTURE_RANGES_SIZE;
	assert_int_not_equal(must_survive(&swept, &registration), 0);
	must(register_mr(&swept));
	must(dereg_mr(&swept));
	close(swept.lent);
}

/* Where it is, the MR is as it was. */
static void deregistration_is_refused(void **state)
{
	struct race *race = *state;
	struct swept swept = sweep_of(race->fixture);

	must(register_mr(&swept));
	sweep(&swept, &deregistration);
	must(dereg_mr(&swept));
	must_write_through(race->fixture, 1);
}

static void export_is_refused(void **state)
{
	struct race *race = *state;
	struct swept swept = sweep_of(race->fixture);

	assert_int_not_equal(must_survive(&swept, &exporting), 0);
	must_write_through(race->fixture, 1);
}

static void mapping_is_refused(void **state)
{
	struct race *race = *state;
	struct swept swept = sweep_of(race->fixture);

	must(ioas_open(&swept.ioas));
	assert_int_not_equal(must_survive(&swept, &file_mapping), 0);
	ioas_close(&swept.ioas);
	assert_int_not_equal(must_survive(&swept, &cpu_mapping), 0);
	must_write_through(race->fixture, 1);
}

/* Objects of that slab cache, -1 if nobody can tell. */
static long count_objects(const char *cache)
{
	char line[512], name[64];
	long active, count = -1;
	FILE *file = fopen("/proc/slabinfo", "re");

	if (!file)
		return -1;
	while (count < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %ld", name, &active) == 2 && !strcmp(name, cache))
			count = active;
	fclose(file);
	return count;
}

/* The NIC's address space would be used up one day. */
static void io_addresses_are_given_back(void **state)
{
	struct race *race = *state;
	struct swept swept = sweep_of(race->fixture);
	long before, after;

	if (count_objects("iommu_iova") < 0) {
		print_message("# skip: no iommu_iova in /proc/slabinfo: the kernel needs CONFIG_SLUB_DEBUG "
			      "and no CONFIG_SLAB_MERGE_DEFAULT, as the flavour kasan\n");
		skip();
	}
	must_survive(&swept, &registration);
	before = count_objects("iommu_iova");
	for_each_round(i)
		sweep(&swept, &registration);
	after = count_objects("iommu_iova");
	print_message("# ranges of IO addresses: %ld before, %ld after %u times\n", before, after,
		      test_rounds.done);
	/* Those that were given back are kept for the next who asks, a few for each processor. */
	if (after - before > test_rounds.done / 2)
		fail_msg("%ld ranges of IO addresses were not given back", after - before);
}

static void revoke_needs_no_memory(void **state)
{
	static const enum trigger triggers[] = { TRIGGER_COMMAND, TRIGGER_REVOKE };
	struct race *race = *state;
	struct fixture *fixture = race->fixture;
	unsigned int failed = 0;

	for (size_t i = 0; i < 2; i++) {
		race->failed_one = true;
		for (race->fail_nth = 1; race->failed_one; race->fail_nth++) {
			must_write_through(fixture, race->fail_nth);
			race_revoke(race, triggers[i]);
			race_revoke_join(race, RACE_PROMPT_NS);
			failed += race->failed_one;
			race_must_refuse(race, fixture->mr->rkey);
			race_must_be_sealed(race, true);
			race_dereg(race_give_back(race));
		}
		print_message("# %s: %u allocations\n", trigger_name(triggers[i]), race->fail_nth - 2);
	}
	must_write_through(fixture, failed);
}

/* Nobody would hear of a refusal: the register is written. */
static void giving_back_needs_no_memory(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;
	bool failed = true;

	for (unsigned int nth = 1; failed; nth++) {
		struct ibv_mr *old = NULL;

		must_write_through(fixture, nth);
		race_revoke(race, TRIGGER_COMMAND);
		race_revoke_join(race, RACE_PROMPT_NS);
		failing_allocation_arm(nth);
		must(trigger_undo(fixture, TRIGGER_COMMAND));
		failed = failing_allocation_disarm();
		if (!race_faults(race)) {
			old = fixture->mr;
			fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
		}
		race_dereg(old);
		must_write_through(fixture, nth);
	}
}

static int forget_leaks(void **state)
{
	(void)state;
	leftovers_forget_leaks();
	return 0;
}

static int look_for_leaks(void **state)
{
	int ret = leftovers_dmabufs(&test_error);

	(void)state;
	if (!ret)
		ret = leftovers_leaks(&test_error);
	if (!ret || ret == -ENOENT)
		return 0;
	print_error("# %s\n", test_error.text);
	return -1;
}

static const struct CMUnitTest tests[] = {
	test_race(registration_is_refused),
	test_race(registration_of_ranges_is_refused),
	test_race(deregistration_is_refused),
	test_race(export_is_refused),
	test_race(mapping_is_refused),
	test_race(io_addresses_are_given_back),
	test_race(revoke_needs_no_memory),
	test_race(giving_back_needs_no_memory),
};

int main(int argc, char **argv)
{
	test_parse_cases(argc, argv,
			 "each allocation of a call fails once; -n gives how often registrations are refused",
			 tests, TEST_COUNT(tests));
	test_require(TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB);
	if (failing_allocation_prepare(&test_error))
		test_cannot_start();
	return cmocka_run_group_tests_name("failed_allocation", tests, forget_leaks, look_for_leaks) ?
		EXIT_STATUS_FAILED : 0;
}
