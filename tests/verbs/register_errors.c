/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Each way to ask for a wrong dma-buf MR and the errno it gives; none leaves anything behind. */
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"

#define ACCESS VERBS_ACCESS_ALL

static struct ibv_mr *reg(struct fixture *fixture, uint64_t offset, size_t length, uint64_t iova,
			  int fd, int access)
{
	return ibv_reg_dmabuf_mr(fixture->peer.pd, offset, length, iova, fd, access);
}

static void closed_fd(void **state)
{
	struct fixture *fixture = *state;
	int fd = must_sys(dup(fixture->dmabuf));

	close(fd);
	must_fail_errno(reg(fixture, 0, 4096, 0, fd, ACCESS), EBADF);
	must_fail_errno(reg(fixture, 0, 4096, 0, -1, ACCESS), EBADF);
}

static void fd_that_is_no_dmabuf(void **state)
{
	struct fixture *fixture = *state;
	int fd = must_sys(open("/dev/zero", O_RDWR | O_CLOEXEC));

	must_fail_errno(reg(fixture, 0, 4096, 0, fd, ACCESS), EINVAL);
	close(fd);
	must_fail_errno(reg(fixture, 0, 4096, 0, vfio_exporter_device_fd(fixture->exporter), ACCESS),
			EINVAL);
}

static void nothing(void **state)
{
	struct fixture *fixture = *state;

	must_fail_errno(reg(fixture, 0, 0, 0, fixture->dmabuf, ACCESS), EINVAL);
}

static void beyond_the_end(void **state)
{
	struct fixture *fixture = *state;

	must_fail_errno(reg(fixture, 0, fixture->size + 1, 0, fixture->dmabuf, ACCESS), EINVAL);
	must_fail_errno(reg(fixture, fixture->size, PAGE, 0, fixture->dmabuf, ACCESS), EINVAL);
	must_fail_errno(reg(fixture, PAGE, fixture->size, 0, fixture->dmabuf, ACCESS), EINVAL);
}

static void overflow(void **state)
{
	struct fixture *fixture = *state;

	must_fail_errno(reg(fixture, UINT64_MAX - PAGE + 1, PAGE, 0, fixture->dmabuf, ACCESS), EINVAL);
	must_fail_errno(reg(fixture, UINT64_MAX - PAGE + 1, 2 * PAGE, 0, fixture->dmabuf, ACCESS), EINVAL);
	must_fail_errno(reg(fixture, PAGE, SIZE_MAX, 0, fixture->dmabuf, ACCESS), EINVAL);
}

/* The device translates whole pages, so both must lie at the same place in a page. */
static void iova_at_another_place_in_the_page(void **state)
{
	struct fixture *fixture = *state;

	must_fail_errno(reg(fixture, 0, 4096, 1, fixture->dmabuf, ACCESS), EINVAL);
	must_fail_errno(reg(fixture, 512, 4096, 0x10000, fixture->dmabuf, ACCESS), EINVAL);
}

static void unsupported_access(void **state)
{
	static const int wrong[] = {
		/* Remote writes and atomics want local write. */
		IBV_ACCESS_REMOTE_WRITE, IBV_ACCESS_REMOTE_ATOMIC,
		/* A dma-buf MR faults without it being asked to. */
		ACCESS | IBV_ACCESS_ON_DEMAND,
		ACCESS | IBV_ACCESS_MW_BIND, ACCESS | IBV_ACCESS_ZERO_BASED,
		ACCESS | IBV_ACCESS_HUGETLB, 1 << 19,
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		print_message("# access flags %#x\n", wrong[i]);
		must_fail_errno(reg(fixture, 0, 4096, 0, fixture->dmabuf, wrong[i]), EINVAL);
	}
}

static void revoked_for_a_while(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_mr *mr;

	fixture_revoke(fixture);
	must_fail_errno(reg(fixture, 0, 4096, 0, fixture->dmabuf, ACCESS), ENODEV);
	fixture_unrevoke(fixture);
	mr = reg(fixture, 0, 4096, 0, fixture->dmabuf, ACCESS);
	assert_non_null(mr);
	assert_int_equal(ibv_dereg_mr(mr), 0);
}

static void revoked_for_good(void **state)
{
	struct fixture *fixture = *state;

	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must_fail_errno(reg(fixture, 0, 4096, 0, fixture->dmabuf, ACCESS), ENODEV);
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	must_fail_errno(reg(fixture, 0, 4096, 0, fixture->dmabuf, ACCESS), ENODEV);
}

/* What may look wrong and is not: an offset, a part, an IOVA far away, read only. */
static void right_ones(void **state)
{
	const struct {
		uint64_t offset;
		size_t length;
		uint64_t iova;
		int access;
	} right[] = {
		{ PAGE, PAGE, 0, ACCESS },
		{ 0, 1, 0, ACCESS },
		{ 100, 4096, 0x7fff12340064, ACCESS },
		{ 0, 4096, 0x10000, 0 },
		{ 0, 4096, 0x10000, IBV_ACCESS_REMOTE_READ },
		{ 0, 4096, 0x10000, ACCESS | IBV_ACCESS_RELAXED_ORDERING },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct ibv_mr *mr = reg(fixture, right[i].offset, right[i].length, right[i].iova,
					fixture->dmabuf, right[i].access);

		if (!mr)
			fail_msg("right[%zu]: %s", i, strerrorname_np(errno));
		assert_int_equal(ibv_dereg_mr(mr), 0);
	}
}

/* A dma-buf of ordinary memory, whose exporter never revokes, registers as it always did. */
static void dmabuf_of_ordinary_memory(void **state)
{
	struct fixture *fixture = *state;
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = 65536 };
	int device, fd;
	struct ibv_mr *mr;

	device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (device < 0)
		test_skip("/dev/udmabuf is not there (CONFIG_UDMABUF)");
	create.memfd = (uint32_t)must_sys(memfd_create("udmabuf", MFD_ALLOW_SEALING | MFD_CLOEXEC));
	must_sys(ftruncate((int)create.memfd, (off_t)create.size));
	must_sys(fcntl((int)create.memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	fd = must_sys(ioctl(device, UDMABUF_CREATE, &create));
	mr = reg(fixture, 0, create.size, 0, fd, ACCESS);
	assert_non_null(mr);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	close(fd);
	close((int)create.memfd);
	close(device);
}

/* After all the refusals the good MR serves as before. */
static void nothing_was_left_behind(void **state)
{
	struct fixture *fixture = *state;

	closed_fd(state);
	fd_that_is_no_dmabuf(state);
	nothing(state);
	beyond_the_end(state);
	overflow(state);
	iova_at_another_place_in_the_page(state);
	unsupported_access(state);
	revoked_for_a_while(state);
	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	must_write_through(fixture, 2);
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(closed_fd),
	test_with_fixture(fd_that_is_no_dmabuf),
	test_with_fixture(nothing),
	test_with_fixture(beyond_the_end),
	test_with_fixture(overflow),
	test_with_fixture(iova_at_another_place_in_the_page),
	test_with_fixture(unsupported_access),
	test_with_fixture(revoked_for_a_while),
	test_with_fixture(revoked_for_good),
	test_with_fixture(right_ones),
	test_with_fixture(dmabuf_of_ordinary_memory),
	test_with_fixture(nothing_was_left_behind),
};

TEST_MAIN("registration: every wrong fd, size, offset and right has its errno",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
