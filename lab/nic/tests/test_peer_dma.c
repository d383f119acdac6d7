// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory that came without a file: the device asks the host to move the bytes, and what the host
 * wants in the meantime. All that the host says is in the socket before the device waits.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "server_fixture.h"

#define PEER 0x200000ull
#define PEER_PAGES 64
#define CHUNK (64u << 10)
#define REPLY 1
#define ERROR_REPLY 0x21

struct dma_access {
	uint64_t iova, count;
};

struct region_access {
	uint64_t offset;
	uint32_t region, count;
	uint8_t data[4];
};

static int setup(void **state)
{
	struct fixture *fix;
	int ret = fixture_setup(state);

	fix = *state;
	fixture_bus_master(fix, 1);
	assert_int_equal(host_dma_map(&fix->host, PEER, PEER_PAGES * PAGE, -1, 0, 3), 0);
	return ret;
}

static struct dma_space *dma(struct fixture *fix)
{
	return pci_device_dma(fix->pci);
}

static void answer(struct fixture *fix, uint16_t id, uint16_t command, uint32_t error,
		   const struct dma_access *access, const void *data, size_t len)
{
	struct host_header header = {
		.id = id, .command = command, .flags = error ? ERROR_REPLY : REPLY, .error = error,
		.size = sizeof(header) + (error ? 0 : sizeof(*access) + len),
	};

	host_send_raw(&fix->host, &header, sizeof(header), NULL, 0);
	if (!error)
		host_send_raw(&fix->host, access, sizeof(*access), NULL, 0);
	if (!error && len)
		host_send_raw(&fix->host, data, len, NULL, 0);
}

static void take(struct fixture *fix, void *data, size_t len)
{
	assert_int_equal(recv(fix->host.fd, data, len, MSG_DONTWAIT | MSG_WAITALL), len);
}

/* The device's own message; its data, if it has any, is left to be taken. */
static void must_ask(struct fixture *fix, uint16_t id, uint16_t command, uint64_t iova,
		     uint64_t count)
{
	struct host_header header;
	struct dma_access access;

	take(fix, &header, sizeof(header));
	take(fix, &access, sizeof(access));
	assert_int_equal(header.id, id);
	assert_int_equal(header.command, command);
	assert_int_equal(header.flags, 0);
	assert_int_equal(header.size, sizeof(header) + sizeof(access) +
			 (command == HOST_DMA_WRITE ? count : 0));
	assert_int_equal(access.iova, iova);
	assert_int_equal(access.count, count);
}

static void must_ask_to_write(struct fixture *fix, uint16_t id, uint64_t iova, const char *text)
{
	char data[16];

	must_ask(fix, id, HOST_DMA_WRITE, iova, strlen(text));
	take(fix, data, strlen(text));
	assert_memory_equal(data, text, strlen(text));
}

static void the_host_moves_the_bytes(void **state)
{
	struct fixture *fix = *state;
	const struct dma_access access = { PEER + 8, 4 };
	char data[5] = "";

	answer(fix, 0, HOST_DMA_WRITE, 0, &access, NULL, 0);
	assert_int_equal(dma_write(dma(fix), PEER + 8, "lent", 4), 0);
	must_ask_to_write(fix, 0, PEER + 8, "lent");
	answer(fix, 1, HOST_DMA_READ, 0, &access, "back", 4);
	assert_int_equal(dma_read(dma(fix), PEER + 8, data, 4), 0);
	must_ask(fix, 1, HOST_DMA_READ, PEER + 8, 4);
	assert_string_equal(data, "back");
	assert_int_equal(fixture_count(fix, "dma.by_host"), 2);
}

static void what_it_cannot_do(void **state)
{
	struct fixture *fix = *state;
	const struct dma_access access = { PEER, 4 };
	char data[8];

	answer(fix, 0, HOST_DMA_WRITE, EFAULT, NULL, NULL, 0);
	assert_int_equal(dma_write(dma(fix), PEER, "lent", 4), -EFAULT);
	answer(fix, 1, HOST_DMA_READ, 0, &access, "back", 4); /* less than was asked for */
	assert_int_equal(dma_read(dma(fix), PEER, data, 8), -EIO);
	must_ask_to_write(fix, 0, PEER, "lent");
	must_ask(fix, 1, HOST_DMA_READ, PEER, 8);
	assert_null(dma_atomic_target(dma(fix), PEER, 8));
	fixture_bus_master(fix, 0);
	assert_int_equal(dma_write(dma(fix), PEER, "lent", 4), -EPERM);
}

static void the_tail_comes_last(void **state)
{
	struct fixture *fix = *state;
	const struct dma_access access = { PEER, 4 };

	answer(fix, 0, HOST_DMA_WRITE, 0, &access, NULL, 0);
	answer(fix, 1, HOST_DMA_WRITE, 0, &access, NULL, 0);
	assert_int_equal(dma_write_publish(dma(fix), PEER, "bodytail", 8, 4), 0);
	must_ask_to_write(fix, 0, PEER, "body");
	must_ask_to_write(fix, 1, PEER + 4, "tail");
}

static void questions_are_answered_meanwhile(void **state)
{
	struct fixture *fix = *state;
	const struct dma_access access = { PEER, 4 };
	const struct region_access scratch = { COPY_SCRATCH, 0, 4, { 0 } };
	struct reply reply;
	uint16_t id;

	host_write_value(&fix->host, 0, COPY_SCRATCH, 0x11223344, 4);
	id = host_send(&fix->host, HOST_REGION_READ, 0, &scratch, 16, NULL, 0);
	answer(fix, 0, HOST_DMA_WRITE, 0, &access, NULL, 0);
	assert_int_equal(dma_write(dma(fix), PEER, "lent", 4), 0);
	must_ask_to_write(fix, 0, PEER, "lent");
	host_receive(&fix->host, id, &reply);
	assert_memory_equal(reply.data + 16, "\x44\x33\x22\x11", 4);
}

static void registers_are_written_after_it(void **state)
{
	struct fixture *fix = *state;
	const struct dma_access access = { PEER, 4 };
	struct region_access scratch = { COPY_SCRATCH, 0, 4, { 1 } };
	struct reply reply;
	uint16_t id;

	host_send(&fix->host, HOST_REGION_WRITE, HOST_NO_REPLY, &scratch, 20, NULL, 0);
	scratch.data[0] = 2;
	id = host_send(&fix->host, HOST_REGION_WRITE, 0, &scratch, 20, NULL, 0);
	answer(fix, 0, HOST_DMA_WRITE, 0, &access, NULL, 0);
	assert_int_equal(dma_write(dma(fix), PEER, "lent", 4), 0);
	must_ask_to_write(fix, 0, PEER, "lent");
	/* Who waited was told at once; the order is kept. */
	host_receive(&fix->host, id, &reply);
	assert_int_equal(reply.size, 16);
	ev_run(fix->loop, EVRUN_NOWAIT);
	assert_int_equal(host_read_value(&fix->host, 0, COPY_SCRATCH, 4), 2);
}

static void a_reset_ends_it(void **state)
{
	struct fixture *fix = *state;
	const struct dma_access access = { PEER, 4 };
	uint64_t resets = fixture_count(fix, "copy.resets");
	struct reply reply;
	uint16_t id;

	id = host_send(&fix->host, HOST_RESET, 0, NULL, 0, NULL, 0);
	assert_int_equal(dma_write(dma(fix), PEER, "lent", 4), -EIO);
	assert_int_equal(fixture_count(fix, "copy.resets"), resets);
	assert_int_equal(dma_write(dma(fix), PEER, "lent", 4), -EPERM);
	must_ask_to_write(fix, 0, PEER, "lent");
	host_receive(&fix->host, id, &reply);
	ev_run(fix->loop, EVRUN_NOWAIT);
	assert_int_equal(fixture_count(fix, "copy.resets"), resets + 1);
	/* The answer comes too late, and is none to anything. */
	answer(fix, 0, HOST_DMA_WRITE, 0, &access, NULL, 0);
	assert_int_equal(host_read_value(&fix->host, 0, COPY_SCRATCH, 4), 0);
	fixture_bus_master(fix, 1);
	answer(fix, 1, HOST_DMA_WRITE, 0, &access, NULL, 0);
	assert_int_equal(dma_write(dma(fix), PEER, "lent", 4), 0);
}

static void a_window_goes_in_the_middle(void **state)
{
	struct fixture *fix = *state;
	struct {
		uint32_t argsz, flags;
		uint64_t iova, size;
	} unmap = { sizeof(unmap), 0, PEER, PEER_PAGES * PAGE };
	const struct dma_access access = { PEER, CHUNK };
	static uint8_t data[2 * CHUNK];
	struct reply reply;
	uint16_t id;

	id = host_send(&fix->host, HOST_DMA_UNMAP, 0, &unmap, sizeof(unmap), NULL, 0);
	answer(fix, 0, HOST_DMA_READ, 0, &access, data, CHUNK);
	/* What was asked for before is still answered. */
	assert_int_equal(dma_read(dma(fix), PEER, data, CHUNK), 0);
	must_ask(fix, 0, HOST_DMA_READ, PEER, CHUNK);
	host_receive(&fix->host, id, &reply);
	assert_int_equal(dma_space_windows(dma(fix)), 0);
	assert_int_equal(dma_read(dma(fix), PEER, data, 1), -EFAULT);
	assert_int_equal(fixture_count(fix, "dma.unmapped_accesses"), 1);
}

static void the_next_window_is_gone(void **state)
{
	struct fixture *fix = *state;
	struct {
		uint32_t argsz, flags;
		uint64_t iova, size;
	} unmap = { sizeof(unmap), 0, PEER + PEER_PAGES * PAGE, PAGE };
	const struct dma_access access = { unmap.iova - 4, 4 };
	uint8_t data[8];

	assert_int_equal(host_dma_map(&fix->host, unmap.iova, PAGE, -1, 0, 3), 0);
	host_send(&fix->host, HOST_DMA_UNMAP, HOST_NO_REPLY, &unmap, sizeof(unmap), NULL, 0);
	answer(fix, 0, HOST_DMA_READ, 0, &access, "back", 4);
	assert_int_equal(dma_read(dma(fix), unmap.iova - 4, data, 8), -EFAULT);
	must_ask(fix, 0, HOST_DMA_READ, unmap.iova - 4, 4);
	assert_int_equal(fixture_count(fix, "dma.unmapped_accesses"), 1);
}

static void a_host_that_is_gone(void **state)
{
	struct fixture *fix = *state;

	close(fix->host.fd);
	fix->host.fd = -1;
	assert_int_equal(dma_write(dma(fix), PEER, "lent", 4), -EIO);
	ev_run(fix->loop, EVRUN_NOWAIT);
	assert_int_equal(dma_space_windows(dma(fix)), 0);
}

static void a_host_that_says_nothing(void **state)
{
	struct fixture *fix = *state;

	pci_device_set_patience(fix->pci, 10);
	assert_int_equal(dma_write(dma(fix), PEER, "lent", 4), -ETIMEDOUT);
	must_ask_to_write(fix, 0, PEER, "lent");
	assert_int_equal(host_read_value(&fix->host, 0, COPY_SCRATCH, 4), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_host_moves_the_bytes),
		TEST(what_it_cannot_do),
		TEST(the_tail_comes_last),
		TEST(questions_are_answered_meanwhile),
		TEST(registers_are_written_after_it),
		TEST(a_reset_ends_it),
		TEST(a_window_goes_in_the_middle),
		TEST(the_next_window_is_gone),
		TEST(a_host_that_is_gone),
		TEST(a_host_that_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
