/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The LAN side's admin queue: it answers by DMA, so not without bus mastering. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "host.h"

#include <cmocka.h>

#define ENABLE 0x80000000u
#define RING 4u
#define DONE 3u
#define UNMAPPED 0x7000000000ull

struct admin {
	struct host *host;
	u16 (*descriptors)[16];
};

static void enable(struct admin *ring, u64 base)
{
	host_write32(ring->host, ADMIN_QUEUE_BASE_LOW, (u32)base);
	host_write32(ring->host, ADMIN_QUEUE_BASE_HIGH, base >> 32);
	host_write32(ring->host, ADMIN_QUEUE_LENGTH, RING | ENABLE);
}

static int set_up(void **state)
{
	struct admin *ring = g_new0(struct admin, 1);

	ring->host = host_new();
	ring->descriptors = (void *)host_alloc(ring->host, HOST_PAGE);
	enable(ring, host_iova(ring->host, ring->descriptors));
	*state = ring;
	return 0;
}

static void answers_by_dma(void **state)
{
	struct admin *ring = *state;

	for (u32 i = 1; i <= 2 * RING; i++) {
		host_write32(ring->host, ADMIN_QUEUE_TAIL, i % RING);
		assert_int_equal(host_read32(ring->host, ADMIN_QUEUE_HEAD), i % RING);
	}
	for (u32 i = 0; i < RING; i++)
		assert_int_equal(ring->descriptors[i][0], DONE);
	assert_int_equal(host_counter(ring->host, "admin_commands"), 2 * RING);
	assert_int_equal(host_counter(ring->host, "admin_unanswered"), 0);
}

static void not_without_bus_mastering(void **state)
{
	struct admin *ring = *state;

	dma_space_set_bus_master(ring->host->base.dma, false);
	host_write32(ring->host, ADMIN_QUEUE_TAIL, 1);
	assert_int_equal(host_read32(ring->host, ADMIN_QUEUE_HEAD), 0);
	assert_int_equal(ring->descriptors[0][0], 0);
	assert_int_equal(host_counter(ring->host, "admin_unanswered"), 1);
	dma_space_set_bus_master(ring->host->base.dma, true);
	host_write32(ring->host, ADMIN_QUEUE_TAIL, 2);
	assert_int_equal(host_read32(ring->host, ADMIN_QUEUE_HEAD), 2);
}

static void what_is_no_ring(void **state)
{
	struct admin *ring = *state;

	host_write32(ring->host, ADMIN_QUEUE_TAIL, RING);
	assert_int_equal(host_counter(ring->host, "admin_commands"), 0);
	enable(ring, UNMAPPED);
	host_write32(ring->host, ADMIN_QUEUE_TAIL, 1);
	assert_int_equal(host_counter(ring->host, "admin_unanswered"), 1);
	host_write32(ring->host, ADMIN_QUEUE_LENGTH, 0);
	host_write32(ring->host, ADMIN_QUEUE_TAIL, 1);
	assert_int_equal(host_counter(ring->host, "admin_unanswered"), 1);
	irdma_device_reset(ring->host->dev);
	assert_int_equal(host_read32(ring->host, ADMIN_QUEUE_LENGTH), 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, host_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(answers_by_dma),
		test(not_without_bus_mastering),
		test(what_is_no_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
