/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Each way to ask VFIO for a wrong dma-buf and the errno it gives; and what a right one is. */
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#define MAX_RANGES 4

struct attempt {
	uint32_t region;
	uint32_t open_flags;
	uint32_t flags;
	uint32_t nr_ranges;
	struct vfio_region_dma_range ranges[MAX_RANGES];
};

static struct attempt good(const struct fixture *fixture)
{
	(void)fixture;
	return (struct attempt){
		.region = test_options.bar,
		.open_flags = O_RDWR | O_CLOEXEC,
		.nr_ranges = 1,
		.ranges = { { test_options.offset, PAGE } },
	};
}

static int try_export(struct fixture *fixture, const struct attempt *attempt)
{
	struct vfio_device_feature_dma_buf *request;
	size_t size = sizeof(*request) + sizeof(attempt->ranges);
	int ret;

	request = calloc(1, size);
	assert_non_null(request);
	request->region_index = attempt->region;
	request->open_flags = attempt->open_flags;
	request->flags = attempt->flags;
	request->nr_ranges = attempt->nr_ranges;
	memcpy(request->dma_ranges, attempt->ranges, sizeof(attempt->ranges));
	ret = vfio_exporter_feature(fixture->exporter, VFIO_DEVICE_FEATURE_GET,
				    VFIO_DEVICE_FEATURE_DMA_BUF, request, size, &test_error);
	free(request);
	return ret;
}

static uint64_t bar_size(struct fixture *fixture)
{
	struct vfio_bar bar;

	must(vfio_exporter_bar(fixture->exporter, test_options.bar, &bar, &test_error));
	return bar.size;
}

/* A good one has the size of its ranges and closes with the process' other files. */
static void right(void **state)
{
	struct fixture *fixture = *state;
	struct attempt attempt = good(fixture);
	int fd;

	fd = must(try_export(fixture, &attempt));
	assert_int_equal(lseek(fd, 0, SEEK_END), PAGE);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);

	attempt.nr_ranges = 3;
	attempt.ranges[1] = (struct vfio_region_dma_range){ 8 * PAGE, 2 * PAGE };
	attempt.ranges[2] = (struct vfio_region_dma_range){ 4 * PAGE, PAGE };
	fd = must(try_export(fixture, &attempt));
	assert_int_equal(lseek(fd, 0, SEEK_END), 4 * PAGE);
	close(fd);

	attempt = good(fixture);
	attempt.ranges[0] = (struct vfio_region_dma_range){ 0, bar_size(fixture) };
	fd = must(try_export(fixture, &attempt));
	close(fd);
}

static void wrong_region(void **state)
{
	struct fixture *fixture = *state;
	struct attempt attempt = good(fixture);
	struct vfio_bar bar;

	/* The ROM, the config space, and what is no region at all. */
	for (attempt.region = VFIO_PCI_ROM_REGION_INDEX; attempt.region < 12; attempt.region++)
		must_fail(try_export(fixture, &attempt), ENODEV);
	/* BARs that this device has not. */
	for (attempt.region = 0; attempt.region < 6; attempt.region++) {
		if (!vfio_exporter_bar(fixture->exporter, attempt.region, &bar, &test_error) && bar.size)
			continue;
		must_fail(try_export(fixture, &attempt), ENODEV);
	}
}

static void no_ranges(void **state)
{
	struct fixture *fixture = *state;
	struct attempt attempt = good(fixture);

	attempt.nr_ranges = 0;
	must_fail(try_export(fixture, &attempt), EINVAL);
}

static void unknown_flags(void **state)
{
	struct fixture *fixture = *state;
	struct attempt attempt = good(fixture);

	for (unsigned int bit = 0; bit < 32; bit++) {
		attempt.flags = 1u << bit;
		must_fail(try_export(fixture, &attempt), EINVAL);
	}
}

static void wrong_ranges(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t size = bar_size(fixture);
	const struct {
		struct vfio_region_dma_range range;
		int errnum;
	} wrong[] = {
		{ { 0, 0 }, EINVAL },			/* empty */
		{ { 1, PAGE }, EINVAL },		/* not at a page */
		{ { 0, PAGE + 1 }, EINVAL },		/* not of pages */
		{ { 0, size + PAGE }, EINVAL },		/* beyond the end */
		{ { size, PAGE }, EINVAL },
		{ { size - PAGE, 2 * PAGE }, EINVAL },
		{ { UINT64_MAX - PAGE + 1, PAGE }, EOVERFLOW },
		{ { PAGE, UINT64_MAX - PAGE + 1 }, EINVAL },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct attempt attempt = good(fixture);

		print_message("# range %#llx + %#llx\n", (unsigned long long)wrong[i].range.offset,
			      (unsigned long long)wrong[i].range.length);
		attempt.ranges[0] = wrong[i].range;
		must_fail(try_export(fixture, &attempt), wrong[i].errnum);
		/* As the last of several it is no better. */
		attempt = good(fixture);
		attempt.nr_ranges = 2;
		attempt.ranges[1] = wrong[i].range;
		must_fail(try_export(fixture, &attempt), wrong[i].errnum);
	}
}

/* The lengths together must not wrap, even if each alone is only too long. */
static void lengths_that_wrap(void **state)
{
	struct fixture *fixture = *state;
	struct attempt attempt = good(fixture);

	attempt.nr_ranges = 2;
	attempt.ranges[0].length = attempt.ranges[1].length = 1ull << 63;
	must_fail(try_export(fixture, &attempt), EINVAL);
}

/* VFIO_DEVICE_FEATURE_DMA_BUF can be got and probed, and a short argsz is refused. */
static void feature_call(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_device_feature_dma_buf request = { .region_index = test_options.bar, .nr_ranges = 1 };

	must(vfio_exporter_feature(fixture->exporter,
				   VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET,
				   VFIO_DEVICE_FEATURE_DMA_BUF, &request, sizeof(request), &test_error));
	must_fail(vfio_exporter_feature(fixture->exporter, VFIO_DEVICE_FEATURE_SET,
					VFIO_DEVICE_FEATURE_DMA_BUF, &request, sizeof(request),
					&test_error), EINVAL);
	must_fail(vfio_exporter_feature(fixture->exporter, VFIO_DEVICE_FEATURE_GET,
					VFIO_DEVICE_FEATURE_DMA_BUF, &request, sizeof(request) - 1,
					&test_error), EINVAL);
}

/*
 * The CPU's way to the BAR is the device's file. A kernel whose VFIO dma-bufs
 * can be mapped shows the BAR there too; nothing else is allowed to happen.
 */
static void mmap_of_the_dmabuf(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *map;

	map = mmap(NULL, fixture->size, PROT_READ | PROT_WRITE, MAP_SHARED, fixture->dmabuf, 0);
	if (map == MAP_FAILED) {
		assert_int_equal(errno, EINVAL);
		return;
	}
	fill_pattern(map, fixture->size, 1);
	must_hold_pattern(fixture->window, fixture->size, 1);
	munmap(map, fixture->size);
}

static void closed_device(void **state)
{
	struct fixture *fixture = *state;
	struct attempt attempt = good(fixture);
	int fd;

	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must_fail(try_export(fixture, &attempt), EBADF);
	/* The dma-buf is the end of its road, its file is still one. */
	assert_int_equal(lseek(fixture->dmabuf, 0, SEEK_END), fixture->size);
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	fd = must(try_export(fixture, &attempt));
	close(fd);
}

static const struct CMUnitTest tests[] = {
	test_with_exporter(right),
	test_with_exporter(wrong_region),
	test_with_exporter(no_ranges),
	test_with_exporter(unknown_flags),
	test_with_exporter(wrong_ranges),
	test_with_exporter(lengths_that_wrap),
	test_with_exporter(feature_call),
	test_with_exporter(mmap_of_the_dmabuf),
	test_with_exporter(closed_device),
};

TEST_MAIN("export: every wrong region, range and flag has its errno", TEST_NEEDS_EXPORTER, tests)
