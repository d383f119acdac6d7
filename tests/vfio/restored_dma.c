/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A BAR that is mapped into the address space of another device by IOMMU_IOAS_MAP_FILE, seen by
 * that device's DMA. With IOMMU_IOAS_MAP_FILE_RESTORE the same IOVA answers again when the memory is
 * back, and faults as long as it is not; without the flag, and after the request, it faults for good.
 *
 * The IOMMU counts the faults. A mapping that was left would not show otherwise: while memory
 * decoding is off no memory answers the DMA, and nothing says so. After the request the BAR itself
 * would show it.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dma_device.h"
#include "fixture.h"

/* edu reaches 28 bits. */
#define IOVA 0x4000000ull
#define SIZE DMA_DEVICE_SIZE
/* The first page is what is read, the second what is written. */
#define TARGET SIZE

static struct dma_device device;

static int set_up(void **state)
{
	int ret;

	if (fixture_setup_exporter(state))
		return -1;
	ret = dma_device_open(&device, &test_error);
	if (ret) {
		print_message("# %s\n", test_error.text);
		fixture_teardown(state);
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	dma_device_close(&device);
	return fixture_teardown(state);
}

/* Faults that the IOMMUs have reported: one for each page of DMA here, as one copy is one page. */
static uint64_t iommu_faults(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	uint64_t faults = 0;
	char line[1024];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *at = strchr(line, ':');
		char *end;

		if (!at || !strstr(line, "dmar"))
			continue;
		for (at++;; at = end) {
			unsigned long long count = strtoull(at, &end, 10);

			/* The name of the controller follows the processors' counts. */
			if (end == at || (*end != ' ' && *end != '\n'))
				break;
			faults += count;
		}
	}
	fclose(file);
	return faults;
}

/* The interrupt of a fault comes soon after the DMA, and not with it. */
static void must_have_faulted(uint64_t before)
{
	const int64_t deadline = clock_now_ns() + TEST_TIMEOUT_NS;

	while (iommu_faults() == before) {
		if (clock_now_ns() > deadline)
			fail_msg("the DMA has not faulted: the IOVA has a translation");
		sched_yield();
	}
	assert_int_equal(iommu_faults(), before + 1);
}

static void map(struct fixture *fixture, uint32_t flags)
{
	int ret = ioas_map_file_flags(&device.ioas, fixture->dmabuf, 0, fixture->size, IOVA, flags);

	if (ret == -ENOTTY || ret == -EOPNOTSUPP)
		fail_msg("this kernel's iommufd refuses IOMMU_IOAS_MAP_FILE with the flags 0x%x (%d)",
			 flags, ret);
	must(ret);
}

static void unmap(struct fixture *fixture)
{
	assert_int_equal(ioas_unmap(&device.ioas, IOVA, fixture->size), fixture->size);
}

/* From the first page of the BAR to the second. */
static void must_copy(struct fixture *fixture, uint32_t seed)
{
	const uint64_t faults = iommu_faults();

	fill_pattern(fixture->window, SIZE, seed);
	memset(fixture->window + TARGET, 0, SIZE);
	must(dma_device_load(&device, IOVA, &test_error));
	must(dma_device_store(&device, IOVA + TARGET, &test_error));
	must_hold_pattern(fixture->window + TARGET, SIZE, seed);
	assert_int_equal(iommu_faults(), faults);
}

static void must_not_reach_it(void)
{
	const uint64_t faults = iommu_faults();

	must(dma_device_store(&device, IOVA + TARGET, &test_error));
	must_have_faulted(faults);
}

static void each_time_it_comes_back(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, IOMMU_IOAS_MAP_FILE_RESTORE);
	must_copy(fixture, 0);
	for_each_round(i) {
		fixture_revoke(fixture);
		must_not_reach_it();
		fixture_unrevoke(fixture);
		must_copy(fixture, i + 1);
	}
	unmap(fixture);
	must_not_reach_it();
}

static void after_a_reset(void **state)
{
	struct fixture *fixture = *state;

	if (!vfio_exporter_can_reset(fixture->exporter))
		test_skip("the exporter cannot be reset");
	map(fixture, IOMMU_IOAS_MAP_FILE_RESTORE);
	must(vfio_exporter_reset(fixture->exporter, &test_error));
	must_copy(fixture, 1);
	unmap(fixture);
}

static void not_without_the_flag(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, 0);
	must_copy(fixture, 1);
	fixture_revoke(fixture);
	must_not_reach_it();
	fixture_unrevoke(fixture);
	must_not_reach_it();
	unmap(fixture);
	map(fixture, IOMMU_IOAS_MAP_FILE_RESTORE);
	must_copy(fixture, 2);
	unmap(fixture);
}

/* The BAR answers all the time, so it would show what reaches it. */
static void never_after_the_request(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, IOMMU_IOAS_MAP_FILE_RESTORE);
	must_copy(fixture, 1);
	must(vfio_exporter_revoke(fixture->exporter, fixture->dmabuf, &test_error));
	fill_pattern(fixture->window + TARGET, SIZE, 2);
	must_not_reach_it();
	must_hold_pattern(fixture->window + TARGET, SIZE, 2);
	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	must_not_reach_it();
	must_hold_pattern(fixture->window + TARGET, SIZE, 2);
	unmap(fixture);
}

static void nor_if_it_comes_while_revoked(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, IOMMU_IOAS_MAP_FILE_RESTORE);
	fixture_revoke(fixture);
	must(vfio_exporter_revoke(fixture->exporter, fixture->dmabuf, &test_error));
	fixture_unrevoke(fixture);
	fill_pattern(fixture->window + TARGET, SIZE, 1);
	must_not_reach_it();
	must_hold_pattern(fixture->window + TARGET, SIZE, 1);
	unmap(fixture);
}

static void not_what_was_unmapped(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, IOMMU_IOAS_MAP_FILE_RESTORE);
	fixture_revoke(fixture);
	unmap(fixture);
	must_fail(ioas_map_file_flags(&device.ioas, fixture->dmabuf, 0, fixture->size, IOVA,
				      IOMMU_IOAS_MAP_FILE_RESTORE), ENODEV);
	fixture_unrevoke(fixture);
	must_not_reach_it();
	map(fixture, IOMMU_IOAS_MAP_FILE_RESTORE);
	must_copy(fixture, 1);
	unmap(fixture);
}

static void flag_of_a_file(void **state)
{
	struct fixture *fixture = *state;
	int file = must_sys(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));

	must_fail(ioas_map_file_flags(&device.ioas, file, 0, SIZE, IOVA, IOMMU_IOAS_MAP_FILE_RESTORE),
		  EINVAL);
	close(file);
	must_fail(ioas_map_file_flags(&device.ioas, -1, 0, SIZE, IOVA, IOMMU_IOAS_MAP_FILE_RESTORE),
		  EBADF);
	must_fail(ioas_map_file_flags(&device.ioas, fixture->dmabuf, 0, SIZE, IOVA,
				      IOMMU_IOAS_MAP_FILE_RESTORE << 1), EOPNOTSUPP);
}

#define test_with_device(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test_with_device(each_time_it_comes_back),
	test_with_device(after_a_reset),
	test_with_device(not_without_the_flag),
	test_with_device(never_after_the_request),
	test_with_device(nor_if_it_comes_while_revoked),
	test_with_device(not_what_was_unmapped),
	test_with_device(flag_of_a_file),
};

int main(int argc, char **argv)
{
	int ret;

	test_parse_cases(argc, argv, "a BAR that iommufd maps again when its memory is back, "
			 "by another device's DMA", tests, TEST_COUNT(tests));
	test_require(TEST_NEEDS_EXPORTER);
	/* On metal there is none: a skip. */
	ret = dma_device_open(&device, &test_error);
	if (ret)
		test_cannot_start();
	dma_device_close(&device);
	return cmocka_run_group_tests_name(program_invocation_short_name, tests, NULL, NULL) ?
		       EXIT_STATUS_FAILED : 0;
}
