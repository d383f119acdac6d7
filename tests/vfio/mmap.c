/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The CPU's mapping of a dma-buf: what may be asked of it, what it shows, and what a revoke makes of it. */
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "guarded_access.h"
#include "witness.h"

#define WORDS (PAGE / sizeof(uint64_t))
#define HUGE ((size_t)2 << 20)

static volatile uint64_t *map(struct fixture *fixture)
{
	return fixture_map_dmabuf(fixture->dmabuf, fixture->size);
}

static void unmap(struct fixture *fixture, volatile uint64_t *words)
{
	must_sys(munmap((void *)words, fixture->size));
}

static void must_fail_mmap(int dmabuf, size_t length, int protection, int flags, off_t offset,
			   int errnum)
{
	errno = 0;
	assert_ptr_equal(mmap(NULL, length, protection, flags, dmabuf, offset), MAP_FAILED);
	must_fail(-errno, errnum);
}

/* A word for each page, through one mapping and seen through the other. */
static void must_show(volatile uint64_t *words, const void *same, size_t pages, uint64_t value)
{
	const volatile uint64_t *other = same;

	for (size_t i = 0; i < pages; i++)
		must(guarded_write(words + i * WORDS, value + i));
	for (size_t i = 0; i < pages; i++)
		assert_int_equal(other[i * WORDS], value + i);
}

static long faults(void)
{
	struct rusage usage;

	must_sys(getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_minflt + usage.ru_majflt;
}

/* ---- what may be asked ---- */

static void shared_alone(void **state)
{
	const int both = PROT_READ | PROT_WRITE;
	struct fixture *fixture = *state;

	must_fail_mmap(fixture->dmabuf, PAGE, both, MAP_PRIVATE, 0, EINVAL);
	must_fail_mmap(fixture->dmabuf, PAGE, PROT_READ, MAP_PRIVATE, 0, EINVAL);
	must_show(map(fixture), fixture->window, fixture->size / PAGE, 1);
}

static void within_the_buffer(void **state)
{
	const int both = PROT_READ | PROT_WRITE;
	struct fixture *fixture = *state;
	const off_t end = (off_t)fixture->size;
	volatile uint64_t *last;

	must(guarded_access_init());
	must_fail_mmap(fixture->dmabuf, 0, both, MAP_SHARED, 0, EINVAL);
	must_fail_mmap(fixture->dmabuf, fixture->size + PAGE, both, MAP_SHARED, 0, EINVAL);
	must_fail_mmap(fixture->dmabuf, PAGE, both, MAP_SHARED, end, EINVAL);
	must_fail_mmap(fixture->dmabuf, 2 * PAGE, both, MAP_SHARED, end - (off_t)PAGE, EINVAL);
	must_fail_mmap(fixture->dmabuf, PAGE, both, MAP_SHARED, 1, EINVAL);
	must_fail_mmap(fixture->dmabuf, 2 * PAGE, both, MAP_SHARED, INT64_MAX & ~((off_t)PAGE - 1),
		       EINVAL);

	last = mmap(NULL, PAGE, both, MAP_SHARED, fixture->dmabuf, end - (off_t)PAGE);
	assert_ptr_not_equal(last, MAP_FAILED);
	must_show(last, fixture->window + end - PAGE, 1, 7);
	must_sys(munmap((void *)last, PAGE));
}

static int export_with(struct fixture *fixture, uint32_t open_flags)
{
	union {
		struct vfio_device_feature_dma_buf get;
		char space[sizeof(struct vfio_device_feature_dma_buf) +
			   sizeof(struct vfio_region_dma_range)];
	} request = {
		.get = { .region_index = test_options.bar, .open_flags = open_flags, .nr_ranges = 1 },
	};

	request.get.dma_ranges[0] = (struct vfio_region_dma_range){ test_options.offset, fixture->size };
	return must(vfio_exporter_feature(fixture->exporter, VFIO_DEVICE_FEATURE_GET,
					  VFIO_DEVICE_FEATURE_DMA_BUF, &request, sizeof(request),
					  &test_error));
}

/* A dma-buf that was exported for reading can be mapped for no more. */
static void read_only(void **state)
{
	struct fixture *fixture = *state;
	int dmabuf = export_with(fixture, O_RDONLY | O_CLOEXEC);
	volatile uint64_t *words;
	uint64_t value;

	must(guarded_access_init());
	must_fail_mmap(dmabuf, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0, EACCES);
	words = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dmabuf, 0);
	assert_ptr_not_equal(words, MAP_FAILED);
	*(volatile uint64_t *)fixture->window = 42;
	must(guarded_read(words, &value));
	assert_int_equal(value, 42);
	errno = 0;
	assert_int_equal(mprotect((void *)words, PAGE, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	must_sys(munmap((void *)words, PAGE));
	close(dmabuf);
}

static void refused_while_revoked(void **state)
{
	struct fixture *fixture = *state;
	void *address;

	fixture_revoke(fixture);
	must_fail(vfio_dmabuf_map(fixture->dmabuf, fixture->size, &address, &test_error), ENODEV);
	fixture_unrevoke(fixture);
	must_show(map(fixture), fixture->window, 1, 1);
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must_fail(vfio_dmabuf_map(fixture->dmabuf, fixture->size, &address, &test_error), ENODEV);
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	must_fail(vfio_dmabuf_map(fixture->dmabuf, fixture->size, &address, &test_error), ENODEV);
}

static void must_fail_madvise(volatile uint64_t *words, int advice, int errnum)
{
	must_fail(madvise((void *)words, PAGE, advice) ? -errno : 0, errnum);
}

/* Device memory is no page cache: what would drop, keep or dump pages is refused. */
static void advice(void **state)
{
	struct fixture *fixture = *state;
	volatile uint64_t *words = map(fixture);

	for (int touched = 0; touched < 2; touched++) {
		must_fail_madvise(words, MADV_DONTNEED, EINVAL);
		must_fail_madvise(words, MADV_FREE, EINVAL);
		must_fail_madvise(words, MADV_DODUMP, EINVAL);
		must_fail_madvise(words, MADV_POPULATE_READ, EINVAL);
		must_fail_madvise(words, MADV_POPULATE_WRITE, EINVAL);
		must_fail_madvise(words, MADV_COLD, EINVAL);
		must_fail_madvise(words, MADV_PAGEOUT, EINVAL);
		must_show(words, fixture->window, 2, 5);
	}
	must_sys(madvise((void *)words, PAGE, MADV_DONTDUMP));
	must_show(words, fixture->window, 2, 6);
	unmap(fixture, words);
}

/* ---- what it shows ---- */

static void memory_behind_the_bar(void **state)
{
	struct fixture *fixture = *state;
	volatile uint64_t *words;
	void *witness;

	if (witness_map(vfio_exporter_bdf(fixture->exporter), test_options.bar, test_options.offset,
			fixture->size, fixture->window, &witness, &test_error)) {
		if (test_error.missing)
			test_skip("%s", test_error.text);
		fail_msg("%s", test_error.text);
	}
	words = map(fixture);
	fill_pattern((void *)words, fixture->size, 1);
	must_hold_pattern(witness, fixture->size, 1);
	fill_pattern(witness, fixture->size, 2);
	must_hold_pattern(words, fixture->size, 2);
	unmap(fixture, words);
	witness_unmap(witness, fixture->size);
}

/* Page i of the dma-buf is page order[i] of the window. */
static void several_ranges(void **state)
{
	static const size_t order[] = { 8, 9, 2, 5, 6, 7 };
	struct fixture *fixture = *state;
	const struct vfio_range ranges[] = {
		{ test_options.offset + 8 * PAGE, 2 * PAGE }, { test_options.offset + 2 * PAGE, PAGE },
		{ test_options.offset + 5 * PAGE, 3 * PAGE },
	};
	volatile uint64_t *window = (volatile uint64_t *)fixture->window, *middle;
	void *address;
	int dmabuf;

	dmabuf = must(vfio_exporter_export(fixture->exporter, test_options.bar, ranges, 3, &test_error));
	for (size_t i = 0; i < fixture->size / PAGE; i++)
		window[i * WORDS] = 0;
	address = fixture_map_dmabuf(dmabuf, 6 * PAGE);
	/* Not in order, so that no fault can lean on the one before. */
	for (size_t i = 6; i-- > 0;)
		must(guarded_write((volatile uint64_t *)address + i * WORDS, 100 + i));
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(window[order[i] * WORDS], 100 + i);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(window[i * WORDS], 0);
	must_sys(munmap(address, 6 * PAGE));

	/* From the second page of the first range to the first of the last one. */
	middle = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, (off_t)PAGE);
	assert_ptr_not_equal(middle, MAP_FAILED);
	for (size_t i = 0; i < 3; i++)
		must(guarded_write(middle + i * WORDS, 200 + i));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(window[order[i + 1] * WORDS], 200 + i);
	must_sys(munmap((void *)middle, 3 * PAGE));
	close(dmabuf);
}

/* Nothing is mapped before it is touched, and nothing is mapped twice. */
static void faulted_in_lazily(void **state)
{
	struct fixture *fixture = *state;
	const size_t pages = fixture->size / PAGE;
	volatile uint64_t *words;
	long before, first, again;

	must_show(map(fixture), fixture->window, pages, 1);
	words = map(fixture);
	before = faults();
	must_show(words, fixture->window, pages, 2);
	first = faults() - before;
	before = faults();
	must_show(words, fixture->window, pages, 3);
	again = faults() - before;
	print_message("# %zu pages: %ld faults at the first touch, %ld later\n", pages, first, again);
	assert_true(first >= 1 && first <= (long)pages);
	assert_int_equal(again, 0);

	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	before = faults();
	must_show(words, fixture->window, 1, 4);
	assert_true(faults() - before >= 1);
	unmap(fixture, words);
}

/* Where address and memory are aligned alike, one fault maps 2 MiB; parts of it come and go. */
static void huge_pages(void **state)
{
	struct fixture *fixture = *state;
	const struct vfio_range range = { 0, 2 * HUGE };
	uint8_t *room, *aligned;
	long before, first;
	int dmabuf;

	must(guarded_access_init());
	dmabuf = vfio_exporter_export(fixture->exporter, test_options.bar, &range, 1, &test_error);
	if (dmabuf == -EINVAL)
		test_skip("BAR %u is smaller than 4 MiB", test_options.bar);
	must(dmabuf);
	room = mmap(NULL, 3 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(room, MAP_FAILED);
	aligned = (uint8_t *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));
	assert_ptr_equal(mmap(aligned, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dmabuf,
			      0), aligned);
	before = faults();
	for (size_t i = 0; i < 2 * HUGE / PAGE; i++)
		must(guarded_write((volatile uint64_t *)(aligned + i * PAGE), i));
	first = faults() - before;
	print_message("# %zu pages of %zu bytes: %ld faults\n", 2 * HUGE / PAGE, PAGE, first);
	if (!access("/sys/kernel/mm/transparent_hugepage", F_OK))
		assert_true(first <= 4);

	/* A hole in the middle of the first one. */
	must_sys(munmap(aligned + 16 * PAGE, PAGE));
	must(guarded_write((volatile uint64_t *)(aligned + 15 * PAGE), 1));
	must(guarded_write((volatile uint64_t *)(aligned + 17 * PAGE), 1));
	fixture_revoke(fixture);
	for (size_t i = 0; i < 2 * HUGE / PAGE; i += 15)
		must_fail(guarded_write((volatile uint64_t *)(aligned + i * PAGE), 1), EFAULT);
	fixture_unrevoke(fixture);
	must(guarded_write((volatile uint64_t *)(aligned + 15 * PAGE), 1));
	must(guarded_write((volatile uint64_t *)(aligned + HUGE), 1));
	must_sys(munmap(room, 3 * HUGE));
	close(dmabuf);
}

/* ---- its life ---- */

/* What touching the word does in another process: 0 or -EFAULT. */
static int touched_by_child(volatile uint64_t *words, uint64_t value)
{
	int status;
	pid_t child = must_sys(fork());

	if (!child)
		_exit(guarded_write(words, value) ? 1 : 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) ? -EFAULT : 0;
}

static void forked(void **state)
{
	struct fixture *fixture = *state;
	volatile uint64_t *words = map(fixture);

	/* A page that its parent had touched, and one that it had not. */
	must(guarded_write(words, 1));
	must(touched_by_child(words, 2));
	assert_int_equal(*(volatile uint64_t *)fixture->window, 2);
	must(touched_by_child(words + WORDS, 3));
	assert_int_equal(((volatile uint64_t *)fixture->window)[WORDS], 3);
	fixture_revoke(fixture);
	must_fail(touched_by_child(words, 4), EFAULT);
	fixture_unrevoke(fixture);
	must(touched_by_child(words, 5));
	unmap(fixture, words);
}

/* A child that has touched it before the revoke loses it too. */
static void forked_before_the_revoke(void **state)
{
	struct fixture *fixture = *state;
	volatile uint64_t *words = map(fixture);
	int to_child[2], from_child[2], status;
	char byte = 0;
	pid_t child;

	must_sys(pipe2(to_child, O_CLOEXEC));
	must_sys(pipe2(from_child, O_CLOEXEC));
	must(guarded_write(words, 1));
	child = must_sys(fork());
	if (!child) {
		int wrong = guarded_write(words, 2) != 0;

		wrong |= write(from_child[1], &byte, 1) != 1 || read(to_child[0], &byte, 1) != 1;
		wrong |= guarded_write(words, 3) != -EFAULT;
		_exit(wrong);
	}
	close(from_child[1]);
	assert_int_equal(read(from_child[0], &byte, 1), 1);
	fixture_revoke(fixture);
	assert_int_equal(write(to_child[1], &byte, 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(from_child[0]);
	close(to_child[0]);
	close(to_child[1]);
	fixture_unrevoke(fixture);
	unmap(fixture, words);
}

static void moved(void **state)
{
	struct fixture *fixture = *state;
	volatile uint64_t *words = map(fixture), *moved;
	const size_t pages = fixture->size / PAGE;
	void *place;

	must_show(words, fixture->window, pages, 1);
	errno = 0;
	assert_ptr_equal(mremap((void *)words, fixture->size, fixture->size + PAGE, MREMAP_MAYMOVE),
			 MAP_FAILED);
	assert_int_equal(errno, EFAULT);

	place = mmap(NULL, fixture->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(place, MAP_FAILED);
	moved = mremap((void *)words, fixture->size, fixture->size, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	assert_ptr_equal(moved, place);
	must_show(moved, fixture->window, pages, 2);
	fixture_revoke(fixture);
	for (size_t i = 0; i < pages; i++)
		must_fail(guarded_write(moved + i * WORDS, 3), EFAULT);
	fixture_unrevoke(fixture);
	must_show(moved, fixture->window, pages, 4);

	assert_ptr_equal(mremap((void *)moved, fixture->size, PAGE, 0), moved);
	must_show(moved, fixture->window, 1, 5);
	must_sys(munmap((void *)moved, PAGE));
}

static void unmapped_in_part(void **state)
{
	struct fixture *fixture = *state;
	volatile uint64_t *words = map(fixture);
	const size_t pages = fixture->size / PAGE;

	must_show(words, fixture->window, pages, 1);
	must_sys(munmap((void *)(words + 2 * WORDS), 3 * PAGE));
	must_show(words, fixture->window, 2, 2);
	must_show(words + 5 * WORDS, fixture->window + 5 * PAGE, pages - 5, 3);
	fixture_revoke(fixture);
	must_fail(guarded_write(words + WORDS, 4), EFAULT);
	must_fail(guarded_write(words + 5 * WORDS, 4), EFAULT);
	fixture_unrevoke(fixture);
	must_show(words, fixture->window, 2, 5);
	must_show(words + 5 * WORDS, fixture->window + 5 * PAGE, pages - 5, 6);
	unmap(fixture, words);
}

static void outlives_fd_and_device(void **state)
{
	struct fixture *fixture = *state;
	volatile uint64_t *words = map(fixture);

	must_show(words, fixture->window, 1, 1);
	close(fixture->dmabuf);
	fixture->dmabuf = -1;
	must_show(words, fixture->window, fixture->size / PAGE, 2);
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must_fail(guarded_write(words, 3), EFAULT);
	/* Where nobody had ever been. */
	vfio_exporter_close(fixture->exporter);
	fixture->exporter = NULL;
	must_fail(guarded_write(words + 3 * WORDS, 3), EFAULT);
	must_fail(touched_by_child(words, 3), EFAULT);
	unmap(fixture, words);
	must(vfio_exporter_open(&fixture->exporter, test_options.exporter, test_options.interface,
				&test_error));
}

static const struct CMUnitTest tests[] = {
	test_with_exporter(shared_alone),
	test_with_exporter(within_the_buffer),
	test_with_exporter(read_only),
	test_with_exporter(refused_while_revoked),
	test_with_exporter(advice),
	test_with_exporter(memory_behind_the_bar),
	test_with_exporter(several_ranges),
	test_with_exporter(faulted_in_lazily),
	test_with_exporter(huge_pages),
	test_with_exporter(forked),
	test_with_exporter(forked_before_the_revoke),
	test_with_exporter(moved),
	test_with_exporter(unmapped_in_part),
	test_with_exporter(outlives_fd_and_device),
};

TEST_MAIN("the CPU's mapping of a dma-buf: what may be asked, what it shows, what a revoke makes of it",
	  TEST_NEEDS_EXPORTER, tests)
