// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The windows of host memory: what is reached, what is refused, what is counted. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../control/counters.h"
#include "../vfio-user/bus_error.h"
#include "../vfio-user/dma_space.h"

#define PAGE 4096ul
#define FILE_SIZE (16 * PAGE)
#define BOTH (DMA_MAY_READ | DMA_MAY_WRITE)

struct fixture {
	struct counters *counters;
	struct dma_space *dma;
	int fd;
	uint8_t *memory;
	char *log_text;
	size_t log_size;
	FILE *log;
};

static int setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	fix->counters = counters_new();
	fix->log = open_memstream(&fix->log_text, &fix->log_size);
	fix->dma = dma_space_new(fix->counters, fix->log);
	fix->fd = memfd_create("host", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fix->fd, FILE_SIZE), 0);
	fix->memory = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fix->fd, 0);
	assert_ptr_not_equal(fix->memory, MAP_FAILED);
	dma_space_set_bus_master(fix->dma, true);
	*state = fix;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fix = *state;

	dma_space_free(fix->dma);
	counters_free(fix->counters);
	munmap(fix->memory, FILE_SIZE);
	close(fix->fd);
	fclose(fix->log);
	free(fix->log_text);
	free(fix);
	return 0;
}

static uint64_t count(struct fixture *fix, const char *name)
{
	const uint64_t *value = counters_find(fix->counters, name);

	assert_non_null(value);
	return *value;
}

static void reads_and_writes_the_file(void **state)
{
	struct fixture *fix = *state;
	uint8_t data[8];

	assert_int_equal(dma_space_map(fix->dma, 0x10000, PAGE, fix->fd, 2 * PAGE, BOTH), 0);
	memcpy(fix->memory + 2 * PAGE + 5, "exporter", 8);
	assert_int_equal(dma_read(fix->dma, 0x10005, data, 8), 0);
	assert_memory_equal(data, "exporter", 8);
	assert_int_equal(dma_write(fix->dma, 0x10ff8, "importer", 8), 0);
	assert_memory_equal(fix->memory + 3 * PAGE - 8, "importer", 8);
	assert_int_equal(count(fix, "dma.unmapped_accesses"), 0);
}

static void access_spans_adjacent_windows(void **state)
{
	struct fixture *fix = *state;
	uint8_t data[3 * PAGE], back[3 * PAGE];

	/* Three neighbours on the bus, scattered in the file. */
	assert_int_equal(dma_space_map(fix->dma, 0x20000, PAGE, fix->fd, 9 * PAGE, BOTH), 0);
	assert_int_equal(dma_space_map(fix->dma, 0x21000, PAGE, fix->fd, 1 * PAGE, BOTH), 0);
	assert_int_equal(dma_space_map(fix->dma, 0x22000, PAGE, fix->fd, 5 * PAGE, BOTH), 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + i / 256;
	assert_int_equal(dma_write(fix->dma, 0x20000, data, sizeof(data)), 0);
	assert_memory_equal(fix->memory + 9 * PAGE, data, PAGE);
	assert_memory_equal(fix->memory + 1 * PAGE, data + PAGE, PAGE);
	assert_memory_equal(fix->memory + 5 * PAGE, data + 2 * PAGE, PAGE);
	assert_int_equal(dma_read(fix->dma, 0x20000, back, sizeof(back)), 0);
	assert_memory_equal(back, data, sizeof(data));
	assert_true(dma_mapped(fix->dma, 0x20001, 3 * PAGE - 1));
	assert_false(dma_mapped(fix->dma, 0x20001, 3 * PAGE));
}

static void nothing_is_copied_unless_all_is_mapped(void **state)
{
	struct fixture *fix = *state;
	uint8_t data[2 * PAGE], before[PAGE];

	assert_int_equal(dma_space_map(fix->dma, 0x20000, PAGE, fix->fd, 0, BOTH), 0);
	memset(fix->memory, 0x5a, PAGE);
	memcpy(before, fix->memory, PAGE);
	memset(data, 0xff, sizeof(data));
	assert_int_equal(dma_write(fix->dma, 0x20ff0, data, 0x20), -EFAULT);
	assert_int_equal(dma_write(fix->dma, 0x1fff0, data, 0x20), -EFAULT);
	assert_int_equal(dma_write_publish(fix->dma, 0x20ff0, data, 0x20, 8), -EFAULT);
	assert_memory_equal(fix->memory, before, PAGE);
	assert_int_equal(dma_read(fix->dma, 0x20ff0, data, 0x20), -EFAULT);
	assert_int_equal(data[0], 0xff);
	assert_int_equal(count(fix, "dma.unmapped_accesses"), 4);
	assert_false(dma_mapped(fix->dma, 0x20ff0, 0x20));
	assert_int_equal(count(fix, "dma.unmapped_accesses"), 4);
}

static void windows_do_not_overlap(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(dma_space_map(fix->dma, 0x30000, 2 * PAGE, fix->fd, 0, BOTH), 0);
	assert_int_equal(dma_space_map(fix->dma, 0x30000, 2 * PAGE, fix->fd, 0, BOTH), -EEXIST);
	assert_int_equal(dma_space_map(fix->dma, 0x31000, PAGE, fix->fd, 0, BOTH), -EEXIST);
	assert_int_equal(dma_space_map(fix->dma, 0x2f000, 4 * PAGE, fix->fd, 0, BOTH), -EEXIST);
	assert_int_equal(dma_space_map(fix->dma, 0x2f000, 2 * PAGE, fix->fd, 0, BOTH), -EEXIST);
	assert_int_equal(dma_space_windows(fix->dma), 1);
	assert_int_equal(dma_space_map(fix->dma, 0x2f000, PAGE, fix->fd, 0, BOTH), 0);
	assert_int_equal(dma_space_map(fix->dma, 0x32000, PAGE, fix->fd, 0, BOTH), 0);
	assert_int_equal(dma_space_windows(fix->dma), 3);
	assert_int_equal(count(fix, "dma.maps"), 3);
}

static void impossible_windows_are_refused(void **state)
{
	struct fixture *fix = *state;
	uint64_t top = -(uint64_t)PAGE;

	assert_int_equal(dma_space_map(fix->dma, 0, 0, fix->fd, 0, BOTH), -EINVAL);
	assert_int_equal(dma_space_map(fix->dma, top, 2 * PAGE, fix->fd, 0, BOTH), -EINVAL);
	assert_int_equal(dma_space_map(fix->dma, 0, PAGE, fix->fd, top, BOTH), -EINVAL);
	assert_int_equal(dma_space_map(fix->dma, 0, 2 * PAGE, fix->fd, top, BOTH), -EINVAL);
	assert_int_equal(dma_space_map(fix->dma, 0, PAGE, fix->fd, FILE_SIZE, BOTH), -EINVAL);
	assert_int_equal(dma_space_map(fix->dma, 0, PAGE, fix->fd, FILE_SIZE - 1, BOTH), -EINVAL);
	assert_int_equal(dma_space_map(fix->dma, 0, FILE_SIZE + 1, fix->fd, 0, BOTH), -EINVAL);
	assert_int_equal(dma_space_map(fix->dma, 0, PAGE, INT_MAX, 0, BOTH), -EBADF);
	assert_int_equal(dma_space_windows(fix->dma), 0);
	/* The last page of the bus is as good as any. */
	assert_int_equal(dma_space_map(fix->dma, top, PAGE, fix->fd, 0, BOTH), 0);
	assert_true(dma_mapped(fix->dma, top, PAGE));
	assert_false(dma_mapped(fix->dma, top, PAGE + 1));
	assert_int_equal(dma_write(fix->dma, UINT64_MAX, "x", 1), 0);
	assert_int_equal(dma_write(fix->dma, UINT64_MAX, "xy", 2), -EFAULT);
	assert_int_equal(dma_space_unmap(fix->dma, top, PAGE), 0);
	assert_int_equal(dma_space_windows(fix->dma), 0);
}

struct mover {
	unsigned int calls;
	uint8_t memory[2 * PAGE];
};

static int move(void *opaque, uint64_t iova, uint8_t *data, size_t len, bool write)
{
	struct mover *mover = opaque;
	uint8_t *memory = mover->memory + (iova - 0x80000);

	mover->calls++;
	memcpy(write ? memory : data, write ? data : memory, len);
	return 0;
}

static void windows_without_a_file(void **state)
{
	struct fixture *fix = *state;
	struct mover mover = {};
	char data[8];

	assert_int_equal(dma_space_map(fix->dma, 0x80000, PAGE, -1, 0, BOTH), 0);
	assert_int_equal(dma_space_map(fix->dma, 0x80000 + PAGE, PAGE, fix->fd, 0, BOTH), 0);
	assert_int_equal(dma_space_map(fix->dma, 0x80000, PAGE, fix->fd, 0, BOTH), -EEXIST);
	assert_int_equal(dma_write(fix->dma, 0x80000, "x", 1), -EFAULT); /* nobody to ask */
	dma_space_set_host(fix->dma, move, &mover);
	assert_int_equal(dma_write(fix->dma, 0x80000 + PAGE - 4, "bothways", 8), 0);
	assert_memory_equal(mover.memory + PAGE - 4, "both", 4);
	assert_memory_equal(fix->memory, "ways", 4);
	assert_int_equal(dma_read(fix->dma, 0x80000 + PAGE - 4, data, 8), 0);
	assert_memory_equal(data, "bothways", 8);
	assert_int_equal(mover.calls, 2);
	assert_null(dma_atomic_target(fix->dma, 0x80000, 8));
	assert_int_equal(dma_space_unmap(fix->dma, 0x80000, PAGE), 0);
	assert_int_equal(dma_write(fix->dma, 0x80000, "x", 1), -EFAULT);
	assert_int_equal(mover.calls, 2);
	assert_int_equal(count(fix, "dma.unmapped_accesses"), 1);
}

static void unmap_takes_whole_windows(void **state)
{
	struct fixture *fix = *state;

	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(dma_space_map(fix->dma, 0x40000 + i * 2 * PAGE, 2 * PAGE, fix->fd,
					       i * 2 * PAGE, BOTH), 0);
	/* Across the front, across the end, inside one. */
	assert_int_equal(dma_space_unmap(fix->dma, 0x41000, 3 * PAGE), -EINVAL);
	assert_int_equal(dma_space_unmap(fix->dma, 0x40000, 3 * PAGE), -EINVAL);
	assert_int_equal(dma_space_unmap(fix->dma, 0x40000, PAGE), -EINVAL);
	assert_int_equal(dma_space_unmap(fix->dma, 0x41000, PAGE), -EINVAL);
	assert_int_equal(dma_space_windows(fix->dma), 8);
	assert_int_equal(dma_space_unmap(fix->dma, 0x42000, 4 * PAGE), 0);
	assert_int_equal(dma_space_windows(fix->dma), 6);
	assert_true(dma_mapped(fix->dma, 0x40000, 2 * PAGE));
	assert_false(dma_mapped(fix->dma, 0x42000, 1));
	assert_false(dma_mapped(fix->dma, 0x45fff, 1));
	assert_true(dma_mapped(fix->dma, 0x46000, 10 * PAGE));
	assert_int_equal(dma_space_unmap(fix->dma, 0x42000, 4 * PAGE), -ENOENT);
	assert_int_equal(dma_space_unmap(fix->dma, 0, 0), -EINVAL);
	/* A wide range takes the rest, holes and all. */
	assert_int_equal(dma_space_unmap(fix->dma, 0, UINT64_MAX), 0);
	assert_int_equal(dma_space_windows(fix->dma), 0);
	assert_int_equal(count(fix, "dma.unmaps"), 8);
}

static void unmapped_access_is_counted_and_logged(void **state)
{
	struct fixture *fix = *state;
	uint32_t value;

	assert_int_equal(dma_space_map(fix->dma, 0x5000, PAGE, fix->fd, 0, BOTH), 0);
	assert_int_equal(dma_read(fix->dma, 0x5ffc, &value, 4), 0);
	assert_int_equal(dma_space_unmap(fix->dma, 0x5000, PAGE), 0);
	assert_int_equal(dma_read(fix->dma, 0x5ffc, &value, 4), -EFAULT);
	assert_int_equal(dma_write(fix->dma, 0xabc000, &value, 4), -EFAULT);
	assert_int_equal(count(fix, "dma.unmapped_accesses"), 2);
	fflush(fix->log);
	assert_non_null(strstr(fix->log_text, "0x5ffc"));
	assert_non_null(strstr(fix->log_text, "0xabc000"));
	/* Logging ends some time; counting does not. */
	for (unsigned int i = 0; i < 10000; i++)
		assert_int_equal(dma_read(fix->dma, 0x5ffc, &value, 4), -EFAULT);
	assert_int_equal(count(fix, "dma.unmapped_accesses"), 10002);
	fflush(fix->log);
	assert_true(fix->log_size < 64 << 10);
}

static void bus_mastering_off_stops_everything(void **state)
{
	struct fixture *fix = *state;
	uint32_t value = 7;

	assert_int_equal(dma_space_map(fix->dma, 0x5000, PAGE, fix->fd, 0, BOTH), 0);
	dma_space_set_bus_master(fix->dma, false);
	assert_int_equal(dma_read(fix->dma, 0x5000, &value, 4), -EPERM);
	assert_int_equal(dma_write(fix->dma, 0x5000, &value, 4), -EPERM);
	assert_int_equal(dma_write_publish(fix->dma, 0x5000, &value, 4, 4), -EPERM);
	assert_null(dma_atomic_target(fix->dma, 0x5000, 8));
	assert_int_equal(fix->memory[0], 0);
	assert_int_equal(count(fix, "dma.no_bus_master"), 4);
	assert_int_equal(count(fix, "dma.unmapped_accesses"), 0);
	dma_space_set_bus_master(fix->dma, true);
	assert_int_equal(dma_write(fix->dma, 0x5000, &value, 4), 0);
}

static void direction_is_honoured(void **state)
{
	struct fixture *fix = *state;
	uint32_t value = 7;

	assert_int_equal(dma_space_map(fix->dma, 0x5000, PAGE, fix->fd, 0, DMA_MAY_READ), 0);
	assert_int_equal(dma_space_map(fix->dma, 0x6000, PAGE, fix->fd, 0, DMA_MAY_WRITE), 0);
	assert_int_equal(dma_read(fix->dma, 0x5000, &value, 4), 0);
	assert_int_equal(dma_write(fix->dma, 0x5000, &value, 4), -EFAULT);
	assert_int_equal(dma_read(fix->dma, 0x6000, &value, 4), -EFAULT);
	assert_int_equal(dma_write(fix->dma, 0x6000, &value, 4), 0);
	assert_int_equal(count(fix, "dma.unmapped_accesses"), 2);
}

static void read_only_file_cannot_be_written(void **state)
{
	struct fixture *fix = *state;
	char path[64];
	uint8_t byte = 1;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fix->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(dma_space_map(fix->dma, 0x5000, PAGE, fd, 0, BOTH) < 0);
	assert_int_equal(dma_space_map(fix->dma, 0x5000, PAGE, fd, 0, DMA_MAY_READ), 0);
	/* The same file by a writable descriptor must not end up in the read-only mapping. */
	assert_int_equal(dma_space_map(fix->dma, 0x6000, PAGE, fix->fd, 0, BOTH), 0);
	close(fd);
	assert_int_equal(dma_write(fix->dma, 0x5000, &byte, 1), -EFAULT);
	assert_int_equal(dma_write(fix->dma, 0x6000, &byte, 1), 0);
	assert_int_equal(dma_read(fix->dma, 0x5000, &byte, 1), 0);
	assert_int_equal(byte, 1);
}

static unsigned int mappings_of_the_file(void)
{
	char line[512];
	unsigned int found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	while (fgets(line, sizeof(line), maps))
		found += strstr(line, "memfd:host") != NULL;
	fclose(maps);
	return found;
}

static void one_mapping_serves_one_file(void **state)
{
	struct fixture *fix = *state;
	unsigned int before = mappings_of_the_file();

	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(dma_space_map(fix->dma, 0x100000 + i * PAGE, PAGE, fix->fd,
					       i % 16 * PAGE, BOTH), 0);
	assert_int_equal(mappings_of_the_file(), before + 1);
	assert_int_equal(dma_space_windows(fix->dma), 1000);
	dma_space_unmap_all(fix->dma);
	assert_int_equal(dma_space_windows(fix->dma), 0);
	assert_int_equal(mappings_of_the_file(), before);
}

static void file_that_grew_is_mapped_again(void **state)
{
	struct fixture *fix = *state;
	uint8_t byte = 9;

	assert_int_equal(dma_space_map(fix->dma, 0x5000, PAGE, fix->fd, 0, BOTH), 0);
	assert_int_equal(ftruncate(fix->fd, 2 * FILE_SIZE), 0);
	assert_int_equal(dma_space_map(fix->dma, 0x6000, PAGE, fix->fd, FILE_SIZE, BOTH), 0);
	assert_int_equal(dma_write(fix->dma, 0x6000, &byte, 1), 0);
	assert_int_equal(pread(fix->fd, &byte, 1, FILE_SIZE), 1);
	assert_int_equal(byte, 9);
}

static void file_that_shrinks_kills_nobody(void **state)
{
	struct fixture *fix = *state;
	uint64_t value = 0;

	bus_error_catch(); /* cmocka has taken the signal for itself since setup */
	assert_int_equal(dma_space_map(fix->dma, 0x5000, 2 * PAGE, fix->fd, 0, BOTH), 0);
	assert_int_equal(dma_write(fix->dma, 0x5000, &value, 8), 0);
	assert_int_equal(ftruncate(fix->fd, 0), 0);
	assert_int_equal(dma_read(fix->dma, 0x5000, &value, 8), -EFAULT);
	assert_int_equal(dma_write(fix->dma, 0x5ffc, &value, 8), -EFAULT);
	assert_int_equal(dma_write_publish(fix->dma, 0x5000, &value, 8, 8), -EFAULT);
	assert_null(dma_atomic_target(fix->dma, 0x5000, 8));
	assert_true(count(fix, "dma.unmapped_accesses") >= 4);
	assert_int_equal(dma_space_unmap(fix->dma, 0x5000, 2 * PAGE), 0);
}

static void publish_ends_with_its_tail(void **state)
{
	struct fixture *fix = *state;
	uint8_t entry[64];

	assert_int_equal(dma_space_map(fix->dma, 0x5000, PAGE, fix->fd, 0, BOTH), 0);
	assert_int_equal(dma_space_map(fix->dma, 0x6000, PAGE, fix->fd, 8 * PAGE, BOTH), 0);
	for (unsigned int i = 0; i < sizeof(entry); i++)
		entry[i] = i + 1;
	for (size_t tail = 1; tail <= 8; tail *= 2) {
		memset(fix->memory, 0, PAGE);
		assert_int_equal(dma_write_publish(fix->dma, 0x5040, entry, 64, tail), 0);
		assert_memory_equal(fix->memory + 0x40, entry, 64);
	}
	/* Body and tail in different windows. */
	assert_int_equal(dma_write_publish(fix->dma, 0x5fcc, entry, 56, 4), 0);
	assert_memory_equal(fix->memory + 0xfcc, entry, 52);
	assert_memory_equal(fix->memory + 8 * PAGE, entry + 52, 4);
	assert_int_equal(dma_write_publish(fix->dma, 0x5000, entry, 64, 3), -EINVAL);
	assert_int_equal(dma_write_publish(fix->dma, 0x5000, entry, 4, 8), -EINVAL);
	assert_int_equal(dma_write_publish(fix->dma, 0x5001, entry, 64, 4), -EINVAL);
	assert_int_equal(dma_write_publish(fix->dma, 0x5000, entry, 64, 0), -EINVAL);
}

static void big_endian_values(void **state)
{
	struct fixture *fix = *state;
	uint32_t dword;
	uint64_t qword;

	assert_int_equal(dma_space_map(fix->dma, 0x5000, PAGE, fix->fd, 0, BOTH), 0);
	assert_int_equal(dma_write_be32(fix->dma, 0x5002, 0x01020304), 0);
	assert_memory_equal(fix->memory + 2, "\1\2\3\4", 4);
	assert_int_equal(dma_read_be32(fix->dma, 0x5002, &dword), 0);
	assert_int_equal(dword, 0x01020304);
	assert_int_equal(dma_write_be64(fix->dma, 0x5010, 0x0102030405060708), 0);
	assert_memory_equal(fix->memory + 0x10, "\1\2\3\4\5\6\7\10", 8);
	assert_int_equal(dma_read_be64(fix->dma, 0x5010, &qword), 0);
	assert_int_equal(qword, 0x0102030405060708);
	assert_int_equal(dma_read_be64(fix->dma, 0x5ff9, &qword), -EFAULT);
	assert_int_equal(dma_write_be32(fix->dma, 0x5ffd, 1), -EFAULT);
}

static void atomic_target_is_the_file(void **state)
{
	struct fixture *fix = *state;
	uint64_t *target;

	assert_int_equal(dma_space_map(fix->dma, 0x5000, PAGE, fix->fd, PAGE, BOTH), 0);
	target = dma_atomic_target(fix->dma, 0x5008, 8);
	assert_non_null(target);
	__atomic_fetch_add(target, 42, __ATOMIC_SEQ_CST);
	assert_int_equal(fix->memory[PAGE + 8], 42);
	assert_null(dma_atomic_target(fix->dma, 0x5004, 8));
	assert_null(dma_atomic_target(fix->dma, 0x6000, 8));
	assert_int_equal(count(fix, "dma.unmapped_accesses"), 1);
}

/* Many random maps, unmaps and accesses against a table of pages as the plain truth. */
static void agrees_with_a_page_table(void **state)
{
	enum { PAGES = 64 };
	struct fixture *fix = *state;
	int truth[PAGES]; /* page of the file, or -1 */
	unsigned int start[PAGES]; /* first page of its window */
	uint32_t random = 1;

	memset(truth, -1, sizeof(truth));
	for (unsigned int round = 0; round < 20000; round++) {
		unsigned int first, pages;
		bool all = true, any = false, split;
		uint8_t byte;

		random = random * 1664525 + 1013904223;
		first = (random >> 8) % PAGES;
		pages = 1 + (random >> 16) % 4;
		if (first + pages > PAGES)
			continue;
		for (unsigned int i = first; i < first + pages; i++) {
			all &= truth[i] >= 0;
			any |= truth[i] >= 0;
		}
		split = (truth[first] >= 0 && start[first] < first) ||
			(first + pages < PAGES && truth[first + pages] >= 0 &&
			 start[first + pages] < first + pages);
		switch ((random >> 24) % 3) {
		case 0:
			assert_int_equal(dma_space_map(fix->dma, first * PAGE, pages * PAGE,
						       fix->fd, first % 8 * PAGE, BOTH),
					 any ? -EEXIST : 0);
			for (unsigned int i = first; i < first + pages && !any; i++) {
				truth[i] = first % 8 + i - first;
				start[i] = first;
			}
			break;
		case 1:
			assert_int_equal(dma_space_unmap(fix->dma, first * PAGE, pages * PAGE),
					 split ? -EINVAL : any ? 0 : -ENOENT);
			for (unsigned int i = first; i < first + pages && !split; i++)
				truth[i] = -1;
			break;
		default:
			assert_int_equal(dma_mapped(fix->dma, first * PAGE, pages * PAGE), all);
			if (truth[first] < 0)
				break;
			byte = round;
			assert_int_equal(dma_write(fix->dma, first * PAGE + 3, &byte, 1), 0);
			assert_int_equal(fix->memory[truth[first] * PAGE + 3], byte);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(reads_and_writes_the_file),
		TEST(access_spans_adjacent_windows),
		TEST(nothing_is_copied_unless_all_is_mapped),
		TEST(windows_do_not_overlap),
		TEST(impossible_windows_are_refused),
		TEST(windows_without_a_file),
		TEST(unmap_takes_whole_windows),
		TEST(unmapped_access_is_counted_and_logged),
		TEST(bus_mastering_off_stops_everything),
		TEST(direction_is_honoured),
		TEST(read_only_file_cannot_be_written),
		TEST(one_mapping_serves_one_file),
		TEST(file_that_grew_is_mapped_again),
		TEST(file_that_shrinks_kills_nobody),
		TEST(publish_ends_with_its_tail),
		TEST(big_endian_values),
		TEST(atomic_target_is_the_file),
		TEST(agrees_with_a_page_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
