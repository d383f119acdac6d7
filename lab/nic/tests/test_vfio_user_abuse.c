// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Messages in pieces, in heaps, and wrong ones: an error reply, or the end of the connection. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "server_fixture.h"

struct dma_map {
	struct host_header header;
	uint32_t argsz, flags;
	uint64_t offset, iova, size;
};

static struct dma_map map_message(struct host *host, uint64_t iova)
{
	return (struct dma_map){
		.header = { .id = host->next_id++, .command = HOST_DMA_MAP,
			    .size = sizeof(struct dma_map) },
		.argsz = 32,
		.flags = 3,
		.iova = iova,
		.size = PAGE,
	};
}

/* Cut at every place, with the descriptor on every piece in turn. */
static void message_in_two_pieces(void **state)
{
	struct fixture *fix = *state;
	struct dma_space *dma = pci_device_dma(fix->pci);
	struct reply reply;

	for (size_t cut = 1; cut < sizeof(struct dma_map); cut++) {
		for (unsigned int piece = 0; piece < 2; piece++) {
			struct dma_map map = map_message(&fix->host, 0);

			host_send_raw(&fix->host, &map, cut, &fix->memory_fd, piece == 0);
			ev_run(fix->loop, EVRUN_ONCE);
			host_send_raw(&fix->host, (uint8_t *)&map + cut, sizeof(map) - cut,
				      &fix->memory_fd, piece == 1);
			host_receive(&fix->host, map.header.id, &reply);
			assert_int_equal(reply.header.error, 0);
			assert_int_equal(dma_space_windows(dma), 1);
			assert_int_equal(host_dma_unmap(&fix->host, 0, PAGE, 0), 0);
		}
	}
}

static void message_byte_by_byte(void **state)
{
	struct fixture *fix = *state;
	struct dma_map map = map_message(&fix->host, 0x5000);
	struct reply reply;

	for (size_t i = 0; i < sizeof(map); i++) {
		host_send_raw(&fix->host, (uint8_t *)&map + i, 1, &fix->memory_fd, i == 20);
		ev_run(fix->loop, EVRUN_NOWAIT);
	}
	host_receive(&fix->host, map.header.id, &reply);
	assert_int_equal(reply.header.error, 0);
	assert_true(dma_mapped(pci_device_dma(fix->pci), 0x5000, PAGE));
}

static void many_messages_at_once(void **state)
{
	struct fixture *fix = *state;
	struct dma_map map[100];
	struct reply reply;

	/* Descriptors of neighbours must not be mixed up: every other map has none. */
	for (unsigned int i = 0; i < 100; i++) {
		map[i] = map_message(&fix->host, i * PAGE);
		host_send_raw(&fix->host, &map[i], sizeof(map[i]), &fix->memory_fd, i % 2);
	}
	for (unsigned int i = 0; i < 100; i++) {
		host_receive(&fix->host, map[i].header.id, &reply);
		assert_int_equal(reply.header.error, 0);
	}
	fixture_bus_master(fix, 1);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(!!dma_atomic_target(pci_device_dma(fix->pci), i * PAGE, 8), i % 2);
}

static void no_reply_when_none_is_wanted(void **state)
{
	struct fixture *fix = *state;
	uint32_t info[4] = { 16 };
	struct dma_map map = map_message(&fix->host, 0);

	map.header.flags = HOST_NO_REPLY;
	host_send_raw(&fix->host, &map, sizeof(map), &fix->memory_fd, 1);
	host_send(&fix->host, HOST_DEVICE_INFO, HOST_NO_REPLY, info, sizeof(info), NULL, 0);
	host_send(&fix->host, 99, HOST_NO_REPLY, NULL, 0, NULL, 0);
	/* The next reply belongs to this one, says host_receive(). */
	assert_int_equal(host_request(&fix->host, HOST_RESET, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(dma_space_windows(pci_device_dma(fix->pci)), 1);
}

static void short_payloads(void **state)
{
	static const struct {
		uint16_t command;
		size_t least;
	} commands[] = {
		{ HOST_VERSION, 4 },	 { HOST_DMA_MAP, 32 },	  { HOST_DMA_UNMAP, 24 },
		{ HOST_DEVICE_INFO, 16 }, { HOST_REGION_INFO, 32 }, { HOST_IRQ_INFO, 16 },
		{ HOST_SET_IRQS, 20 },	 { HOST_REGION_READ, 16 }, { HOST_REGION_WRITE, 16 },
		{ HOST_WRITE_MULTI, 8 },
	};
	struct fixture *fix = *state;
	uint8_t zeros[64] = { 0 };

	for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		for (size_t size = 0; size < commands[i].least; size++)
			assert_int_equal(host_request(&fix->host, commands[i].command, zeros, size,
						      &fix->memory_fd, 1, NULL), EINVAL);
}

static void unknown_commands(void **state)
{
	static const uint16_t unknown[] = { 0, HOST_REGION_IO_FDS, HOST_DMA_READ, HOST_DMA_WRITE,
					    HOST_DIRTY_PAGES, 16, 255, 65535 };
	struct fixture *fix = *state;
	uint8_t zeros[64] = { 0 };
	struct reply reply;
	uint16_t id;

	for (unsigned int i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_int_equal(host_request(&fix->host, unknown[i], zeros, sizeof(zeros),
					      &fix->memory_fd, 1, NULL), ENOTSUP);
	/* A reply to nothing. */
	id = host_send(&fix->host, HOST_RESET, 1, NULL, 0, NULL, 0);
	host_receive(&fix->host, id, &reply);
	assert_int_equal(reply.header.error, EINVAL);
}

static void wrong_versions(void **state)
{
	struct fixture *fix = *state;
	char text[] = "\0\0\0\0{\"capabilities\":1}";

	assert_int_equal(host_request(&fix->host, HOST_VERSION, "\1\0\0\0{}", 7, NULL, 0, NULL),
			 ENOTSUP);
	assert_int_equal(host_request(&fix->host, HOST_VERSION, "\0\0\0\0{\"", 7, NULL, 0, NULL),
			 EINVAL);
	assert_int_equal(host_request(&fix->host, HOST_VERSION, text, sizeof(text) - 1, NULL, 0,
				      NULL), EINVAL);
	assert_int_equal(host_request(&fix->host, HOST_VERSION, "\0\0\0\0", 4, NULL, 0, &(
				      struct reply){ 0 }), 0);
}

static void wrong_accesses(void **state)
{
	struct fixture *fix = *state;
	struct {
		uint64_t offset;
		uint32_t region, count;
		uint8_t data[8];
	} access = { 0, 0, 8, { 0 } };
	struct {
		uint64_t count;
		struct {
			uint64_t offset;
			uint32_t region, count;
			uint64_t data;
		} write;
	} multi = { 1, { 0x100, 0, 8, 0 } };
	uint8_t byte = 0;

	assert_int_equal(host_read(&fix->host, 0, 4096, &byte, 1), EINVAL);
	assert_int_equal(host_read(&fix->host, 0, 4090, &byte, 7), EINVAL);
	assert_int_equal(host_read(&fix->host, 0, UINT64_MAX, &byte, 1), EINVAL);
	assert_int_equal(host_read(&fix->host, 1, 0, &byte, 1), EINVAL);
	assert_int_equal(host_read(&fix->host, 7, 4096, &byte, 1), EINVAL);
	assert_int_equal(host_read(&fix->host, 9, 0, &byte, 1), EINVAL);
	assert_int_equal(host_read(&fix->host, UINT32_MAX, 0, &byte, 1), EINVAL);
	assert_int_equal(host_read(&fix->host, 0, 0, &byte, UINT32_MAX), EINVAL);
	assert_int_equal(host_write(&fix->host, 0, 4096, &byte, 1), EINVAL);
	assert_int_equal(host_write(&fix->host, 0, UINT64_MAX, &byte, 1), EINVAL);
	assert_int_equal(host_write(&fix->host, 7, 4096, &byte, 1), EINVAL);
	assert_int_equal(host_write(&fix->host, 3, 0, &byte, 1), EINVAL);
	/* Fewer bytes than it says. */
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(host_request(&fix->host, HOST_REGION_WRITE, &access, 16 + i, NULL,
					      0, NULL), EINVAL);
	access.count = UINT32_MAX;
	assert_int_equal(host_request(&fix->host, HOST_REGION_WRITE, &access, 24, NULL, 0, NULL),
			 EINVAL);
	multi.write.count = 9;
	assert_int_equal(host_request(&fix->host, HOST_WRITE_MULTI, &multi, 32, NULL, 0, NULL),
			 EINVAL);
	multi.write.count = 8;
	multi.count = 2;
	assert_int_equal(host_request(&fix->host, HOST_WRITE_MULTI, &multi, 32, NULL, 0, NULL),
			 EINVAL);
	multi.count = (UINT64_MAX / 24) + 2;
	assert_int_equal(host_request(&fix->host, HOST_WRITE_MULTI, &multi, 32, NULL, 0, NULL),
			 EINVAL);
}

static void wrong_maps(void **state)
{
	struct fixture *fix = *state;
	int pipes[2], directory = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t top = UINT64_MAX - PAGE + 1;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(host_dma_map(&fix->host, 0, 0, fix->memory_fd, 0, 3), EINVAL);
	assert_int_equal(host_dma_map(&fix->host, top, 2 * PAGE, fix->memory_fd, 0, 3), EINVAL);
	assert_int_equal(host_dma_map(&fix->host, top, 2 * PAGE, -1, 0, 3), EINVAL);
	assert_int_equal(host_dma_map(&fix->host, 0, PAGE, fix->memory_fd, MEMORY_SIZE, 3), EINVAL);
	assert_int_equal(host_dma_map(&fix->host, 0, PAGE, fix->memory_fd, top, 3), EINVAL);
	assert_int_equal(host_dma_map(&fix->host, 0, PAGE, fix->memory_fd, 0, 4), EINVAL);
	assert_int_not_equal(host_dma_map(&fix->host, 0, PAGE, pipes[0], 0, 3), 0);
	assert_int_not_equal(host_dma_map(&fix->host, 0, PAGE, directory, 0, 3), 0);
	assert_int_equal(dma_space_windows(pci_device_dma(fix->pci)), 0);
	assert_int_equal(host_dma_map(&fix->host, 0, 2 * PAGE, fix->memory_fd, 0, 3), 0);
	assert_int_equal(host_dma_unmap(&fix->host, 0, PAGE, 0), EINVAL);
	assert_int_equal(host_dma_unmap(&fix->host, PAGE, 1, 0), EINVAL);
	assert_int_equal(host_dma_unmap(&fix->host, 0, 0, 0), EINVAL);
	assert_int_equal(host_dma_unmap(&fix->host, top, 2 * PAGE, 0), EINVAL);
	assert_int_equal(dma_space_windows(pci_device_dma(fix->pci)), 1);
	close(pipes[0]);
	close(pipes[1]);
	close(directory);
}

static void wrong_vectors(void **state)
{
	struct fixture *fix = *state;
	struct vfio_irq_set set = { .argsz = sizeof(set), .index = VFIO_PCI_MSIX_IRQ_INDEX };
	int good = eventfd(0, EFD_CLOEXEC), pair[2] = { good, fix->memory_fd };
	unsigned int before;

	before = open_descriptors();
	assert_int_equal(host_set_vectors(&fix->host, COPY_VECTORS, 1, &good, 1), EINVAL);
	assert_int_equal(host_set_vectors(&fix->host, 1, COPY_VECTORS, &good, 1), EINVAL);
	assert_int_equal(host_set_vectors(&fix->host, UINT32_MAX, 2, &good, 1), EINVAL);
	assert_int_equal(host_set_vectors(&fix->host, 1, UINT32_MAX, &good, 1), EINVAL);
	assert_int_equal(host_set_vectors(&fix->host, 0, 2, &good, 1), EINVAL);
	/* Not eventfds. */
	assert_int_equal(host_set_vectors(&fix->host, 0, 2, pair, 2), EINVAL);
	assert_int_equal(host_set_vectors(&fix->host, 0, 1, &fix->host.fd, 1), EINVAL);
	set.index = VFIO_PCI_NUM_IRQS;
	assert_int_equal(host_request(&fix->host, HOST_SET_IRQS, &set, sizeof(set), NULL, 0, NULL),
			 EINVAL);
	set.index = VFIO_PCI_INTX_IRQ_INDEX;
	set.count = 1;
	assert_int_equal(host_request(&fix->host, HOST_SET_IRQS, &set, sizeof(set), &good, 1, NULL),
			 EINVAL);
	set.index = VFIO_PCI_MSIX_IRQ_INDEX;
	set.flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_BOOL;
	assert_int_equal(host_request(&fix->host, HOST_SET_IRQS, &set, sizeof(set), NULL, 0, NULL),
			 EINVAL);
	set.flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_BOOL |
		    VFIO_IRQ_SET_DATA_EVENTFD;
	assert_int_equal(host_request(&fix->host, HOST_SET_IRQS, &set, sizeof(set), NULL, 0, NULL),
			 EINVAL);
	/* Too many: what is not used is closed. */
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(host_set_vectors(&fix->host, 0, 1, pair, 2), EINVAL);
	assert_int_equal(open_descriptors(), before);
	close(good);
}

static void unwanted_descriptors_are_closed(void **state)
{
	struct fixture *fix = *state;
	unsigned int before = open_descriptors();
	int fds[HOST_MAX_FDS];
	uint32_t info[4] = { 16 };

	for (unsigned int i = 0; i < HOST_MAX_FDS; i++)
		fds[i] = fix->memory_fd;
	for (unsigned int i = 1; i <= HOST_MAX_FDS; i++)
		assert_int_equal(host_request(&fix->host, HOST_DEVICE_INFO, info, sizeof(info), fds,
					      i, &(struct reply){ 0 }), 0);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(host_dma_unmap(&fix->host, 0, PAGE, 0), 0);
	assert_int_equal(open_descriptors(), before);
}

static void hang_up_on(struct fixture *fix, uint32_t size)
{
	struct host_header header = { .command = HOST_RESET, .size = size };
	uint8_t rest[64] = { 0 };

	host_send_raw(&fix->host, &header, sizeof(header), &fix->memory_fd, 1);
	host_send_raw(&fix->host, rest, sizeof(rest), &fix->memory_fd, 1);
	host_expect_hangup(&fix->host);
	close(fix->host.fd);
	fixture_connect(fix);
}

/* After such a size nobody knows where the next message starts. */
static void impossible_sizes_end_the_connection(void **state)
{
	struct fixture *fix = *state;

	hang_up_on(fix, 0);
	hang_up_on(fix, 15);
	hang_up_on(fix, 64u << 20);
	hang_up_on(fix, UINT32_MAX);
	assert_int_equal(host_request(&fix->host, HOST_RESET, NULL, 0, NULL, 0, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(message_in_two_pieces),
		TEST(message_byte_by_byte),
		TEST(many_messages_at_once),
		TEST(no_reply_when_none_is_wanted),
		TEST(short_payloads),
		TEST(unknown_commands),
		TEST(wrong_versions),
		TEST(wrong_accesses),
		TEST(wrong_maps),
		TEST(wrong_vectors),
		TEST(unwanted_descriptors_are_closed),
		TEST(impossible_sizes_end_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
