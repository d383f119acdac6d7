/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * An exporter that moves its buffers, and importers of each level that pin before they map or do
 * not. An importer that can only be revoked must pin: a move would end its use of the buffer, and
 * nothing but a pin keeps the exporter from it.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dmabuf_importer.h"
#include "fixture.h"
#include "moving.h"

#define SIZE 65536

static int open_importer(void)
{
	const int importer = open(DMABUF_IMPORTER_DEVICE, O_RDWR | O_CLOEXEC);

	if (importer < 0)
		test_skip(DMABUF_IMPORTER_DEVICE " is not there (tests/kernel/plain-importer)");
	return importer;
}

/* 0 or a negative errno. */
static int import(int importer, int dmabuf, unsigned int level, bool pin)
{
	const struct dmabuf_importer_import how = { .fd = dmabuf, .level = level, .pin = pin };

	if (!ioctl(importer, DMABUF_IMPORTER_IMPORT, &how))
		return 0;
	if (errno == EOPNOTSUPP)
		test_skip("the kernel has no levels");
	return -errno;
}

static struct dmabuf_importer_state state_of(int importer)
{
	struct dmabuf_importer_state state;

	must_sys(ioctl(importer, DMABUF_IMPORTER_QUERY, &state));
	return state;
}

static struct dmabuf_moving_state state_of_buffer(int dmabuf)
{
	struct dmabuf_moving_state state;

	must(moving_state(dmabuf, &state, &test_error));
	return state;
}

static void revoking_without_a_pin_is_refused(void **state)
{
	const int dmabuf = moving_dmabuf(SIZE), importer = open_importer();

	(void)state;
	assert_int_equal(import(importer, dmabuf, DMABUF_IMPORTER_REVOKING, false), -EINVAL);
	assert_int_equal(state_of_buffer(dmabuf).maps, 0);
	/* The refusal leaves nothing behind that a move would have to wait for. */
	must(moving_move(dmabuf, &test_error));
	close(importer);
	close(dmabuf);
}

static void revoking_with_a_pin_stays(void **state)
{
	const int dmabuf = moving_dmabuf(SIZE), importer = open_importer();

	(void)state;
	assert_int_equal(import(importer, dmabuf, DMABUF_IMPORTER_REVOKING, true), 0);
	must_fail(moving_move(dmabuf, &test_error), EBUSY);
	assert_int_equal(state_of(importer).moves, 0);
	assert_int_equal(state_of(importer).mapped, 1);
	must(moving_revoke(dmabuf, &test_error));
	assert_int_equal(state_of(importer).revokes, 1);
	assert_int_equal(state_of(importer).mapped, 0);
	assert_int_equal(state_of_buffer(dmabuf).pinned, 0);
	close(importer);
	close(dmabuf);
}

/* What a revoke has ended is not mapped again without a new pin, also when the memory is back. */
static void revoking_pins_anew(void **state)
{
	const int dmabuf = moving_dmabuf(SIZE), importer = open_importer();

	(void)state;
	assert_int_equal(import(importer, dmabuf, DMABUF_IMPORTER_REVOKING, true), 0);
	must(moving_revoke(dmabuf, &test_error));
	must(moving_restore(dmabuf, &test_error));
	assert_int_equal(ioctl(importer, DMABUF_IMPORTER_MAP), -1);
	assert_int_equal(errno, EINVAL);
	must(moving_move(dmabuf, &test_error));
	close(importer);
	close(dmabuf);
}

static void faulting_without_a_pin_follows(void **state)
{
	const int dmabuf = moving_dmabuf(SIZE), importer = open_importer();

	(void)state;
	assert_int_equal(import(importer, dmabuf, DMABUF_IMPORTER_FAULTING, false), 0);
	must(moving_move(dmabuf, &test_error));
	assert_int_equal(state_of(importer).moves, 1);
	assert_int_equal(state_of(importer).mapped, 0);
	must_sys(ioctl(importer, DMABUF_IMPORTER_MAP));
	assert_int_equal(state_of(importer).mapped, 1);
	close(importer);
	must(moving_move(dmabuf, &test_error));
	close(dmabuf);
}

static void unsupported_with_a_pin_stays(void **state)
{
	const int dmabuf = moving_dmabuf(SIZE), importer = open_importer();

	(void)state;
	assert_int_equal(import(importer, dmabuf, DMABUF_IMPORTER_UNSUPPORTED, true), 0);
	must_fail(moving_move(dmabuf, &test_error), EBUSY);
	close(importer);
	must(moving_move(dmabuf, &test_error));
	close(dmabuf);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(revoking_without_a_pin_is_refused),
	cmocka_unit_test(revoking_with_a_pin_stays),
	cmocka_unit_test(revoking_pins_anew),
	cmocka_unit_test(faulting_without_a_pin_follows),
	cmocka_unit_test(unsupported_with_a_pin_stays),
};

TEST_MAIN("importers of each level map a buffer that moves, with and without a pin", 0, tests)
