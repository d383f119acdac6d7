/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A dma-buf exported while memory decoding is off is revoked from the start, and serves once it is on. */
#include <unistd.h>

#include "fixture.h"
#include "ioas.h"

#define IOVA 0x10000000ull

static void serves_once_memory_is_on(void **state)
{
	struct fixture *fixture = *state;
	struct ioas ioas = { .fd = -1 };
	int dmabuf;

	must(ioas_open(&ioas));
	fixture_revoke(fixture);
	dmabuf = must(fixture_export(fixture, 0, fixture->size));
	must_fail(ioas_map_file(&ioas, dmabuf, 0, fixture->size, IOVA), ENODEV);
	fixture_unrevoke(fixture);
	must(ioas_map_file(&ioas, dmabuf, 0, fixture->size, IOVA));
	close(dmabuf);
	ioas_close(&ioas);
}

static void does_not_outlive_the_device(void **state)
{
	struct fixture *fixture = *state;
	struct ioas ioas = { .fd = -1 };
	int dmabuf;

	must(ioas_open(&ioas));
	fixture_revoke(fixture);
	dmabuf = must(fixture_export(fixture, 0, fixture->size));
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	must_fail(ioas_map_file(&ioas, dmabuf, 0, fixture->size, IOVA), ENODEV);
	close(dmabuf);
	ioas_close(&ioas);
}

static const struct CMUnitTest tests[] = {
	test_with_exporter(serves_once_memory_is_on),
	test_with_exporter(does_not_outlive_the_device),
};

TEST_MAIN("a dma-buf exported while memory decoding is off is born revoked", TEST_NEEDS_EXPORTER,
	  tests)
