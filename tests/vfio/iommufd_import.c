/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * iommufd as the importer: it can be revoked but cannot fault, so while the
 * memory is revoked it may not map, and what it had mapped stays dead after the
 * un-revoke until it is unmapped and mapped again.
 *
 * That no DMA goes through a dead mapping takes a device that issues some: here
 * only the calls' results are looked at.
 */
#include <unistd.h>

#include "fixture.h"
#include "ioas.h"

#define IOVA 0x10000000ull

static struct ioas ioas;

static int set_up(void **state)
{
	if (fixture_setup_exporter(state))
		return -1;
	return ioas_open(&ioas);
}

static int tear_down(void **state)
{
	ioas_close(&ioas);
	return fixture_teardown(state);
}

static int map(struct fixture *fixture, int dmabuf)
{
	int ret = ioas_map_file(&ioas, dmabuf, 0, fixture->size, IOVA);

	if (ret == -ENOTTY || ret == -EOPNOTSUPP)
		test_skip("this kernel's iommufd does not take VFIO dma-bufs (IOMMU_IOAS_MAP_FILE)");
	return ret;
}

static void map_and_unmap(void **state)
{
	struct fixture *fixture = *state;

	must(map(fixture, fixture->dmabuf));
	must_fail(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size, IOVA), EEXIST);
	assert_int_equal(ioas_unmap(&ioas, IOVA, fixture->size), fixture->size);
	must(map(fixture, fixture->dmabuf));
}

static void refused_while_revoked(void **state)
{
	struct fixture *fixture = *state;

	must(map(fixture, fixture->dmabuf));
	assert_int_equal(ioas_unmap(&ioas, IOVA, fixture->size), fixture->size);
	fixture_revoke(fixture);
	must_fail(map(fixture, fixture->dmabuf), ENODEV);
	fixture_unrevoke(fixture);
	must(map(fixture, fixture->dmabuf));
}

/* The dead mapping is still in the way: only its owner clears it away. */
static void mapping_stays_dead(void **state)
{
	struct fixture *fixture = *state;

	must(map(fixture, fixture->dmabuf));
	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	must_fail(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size, IOVA), EEXIST);
	assert_int_equal(ioas_unmap(&ioas, IOVA, fixture->size), fixture->size);
	must(map(fixture, fixture->dmabuf));
	fixture_revoke(fixture);
	assert_int_equal(ioas_unmap(&ioas, IOVA, fixture->size), fixture->size);
	fixture_unrevoke(fixture);
	must(map(fixture, fixture->dmabuf));
}

static void refused_for_good_after_close(void **state)
{
	struct fixture *fixture = *state;

	must(map(fixture, fixture->dmabuf));
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	assert_int_equal(ioas_unmap(&ioas, IOVA, fixture->size), fixture->size);
	must_fail(map(fixture, fixture->dmabuf), ENODEV);
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	must_fail(map(fixture, fixture->dmabuf), ENODEV);
}

static void beyond_the_end(void **state)
{
	struct fixture *fixture = *state;

	must(map(fixture, fixture->dmabuf));
	assert_int_equal(ioas_unmap(&ioas, IOVA, fixture->size), fixture->size);
	must_fail(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size + PAGE, IOVA), EINVAL);
	must_fail(ioas_map_file(&ioas, fixture->dmabuf, fixture->size, PAGE, IOVA), EINVAL);
}

/* One range only. */
static void several_ranges(void **state)
{
	struct fixture *fixture = *state;
	const struct vfio_range ranges[] = {
		{ test_options.offset, PAGE }, { test_options.offset + 2 * PAGE, PAGE },
	};
	int dmabuf;

	must(map(fixture, fixture->dmabuf));
	dmabuf = must(vfio_exporter_export(fixture->exporter, test_options.bar, ranges, 2,
					   &test_error));
	must_fail(ioas_map_file(&ioas, dmabuf, 0, 2 * PAGE, 2 * IOVA), EOPNOTSUPP);
	close(dmabuf);
}

#define test_with_ioas(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test_with_ioas(map_and_unmap),
	test_with_ioas(refused_while_revoked),
	test_with_ioas(mapping_stays_dead),
	test_with_ioas(refused_for_good_after_close),
	test_with_ioas(beyond_the_end),
	test_with_ioas(several_ranges),
};

TEST_MAIN("iommufd imports a dma-buf: refused while revoked, dead after it until mapped again",
	  TEST_NEEDS_EXPORTER, tests)
