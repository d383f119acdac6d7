/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A read or a write of the device whose buffer is served late, by userfaultfd: whatever the kernel holds while
 * it waits for that memory is held for as long as the user likes. What else is asked of the device goes on
 * meanwhile: config space is written, its dma-bufs are exported, mapped, touched and revoked, and it is reset.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/userfaultfd.h>
#include <linux/vfio.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "meanwhile.h"

#define HELD_S ((time_t)(TEST_TIMEOUT_NS / NS_PER_S))

static struct meanwhile other;
/* Two pages; the second is not there until the test serves it. */
static uint8_t *memory;
static int faults = -1;
/* The calls that use it, and those that a writer of config space makes behind it. */
static struct race_call user, writer;
static enum trigger trigger;

static uint8_t *late_page(void)
{
	return memory + PAGE;
}

static int make_late_memory(void)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return error_set(&test_error, errno, "mmap of two pages failed");
	faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (faults < 0)
		return error_missing(&test_error, errno, "userfaultfd() failed: it takes CONFIG_USERFAULTFD");
	range.range.start = (uintptr_t)late_page();
	range.range.len = PAGE;
	if (ioctl(faults, UFFDIO_API, &api) || ioctl(faults, UFFDIO_REGISTER, &range))
		return error_set(&test_error, errno, "userfaultfd did not take a page");
	return 0;
}

/* Returns when the kernel waits for the page. */
static void must_be_wanted(struct race *race)
{
	struct pollfd event = { .fd = faults, .events = POLLIN };
	struct uffd_msg message;

	if (poll(&event, 1, TEST_TIMEOUT_NS / NS_PER_MS) != 1) {
		if (race_call_is_over(race, &user))
			fail_msg("the call did not touch the late page: %s", user.err.text);
		fail_msg("nobody has touched the late page");
	}
	assert_int_equal(read(faults, &message, sizeof(message)), sizeof(message));
	assert_int_equal(message.event, UFFD_EVENT_PAGEFAULT);
}

static void serve(const void *page)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)late_page(), .src = (uintptr_t)page, .len = PAGE };

	must_sys(ioctl(faults, UFFDIO_COPY, &copy));
}

/* ---- the calls: each looks at the late page ---- */

static uint64_t bar_place(struct fixture *fixture)
{
	struct vfio_bar bar;

	must(vfio_exporter_bar(fixture->exporter, test_options.bar, &bar, &test_error));
	return bar.file_offset + test_options.offset;
}

static uint64_t place;

static int read_bar(void *fixture)
{
	const int device = vfio_exporter_device_fd(((struct fixture *)fixture)->exporter);

	return pread(device, late_page(), 64, (off_t)place) == 64 ? 0 :
		error_set(&test_error, errno, "reading the BAR failed");
}

static int write_bar(void *fixture)
{
	const int device = vfio_exporter_device_fd(((struct fixture *)fixture)->exporter);

	return pwrite(device, late_page(), 64, (off_t)place) == 64 ? 0 :
		error_set(&test_error, errno, "writing the BAR failed");
}

static int read_config(void *fixture)
{
	return vfio_exporter_read_config(((struct fixture *)fixture)->exporter, 0, late_page(), 64,
					 &test_error);
}

/* A register that VFIO keeps for the user and does not act on. */
static int write_config(void *fixture)
{
	return vfio_exporter_write_config(((struct fixture *)fixture)->exporter, PCI_INTERRUPT_LINE,
					  late_page(), 1, &test_error);
}

/* The header ends where the late page begins. */
static int feature(struct fixture *fixture, uint32_t flags, size_t size)
{
	struct vfio_device_feature *header = (void *)(late_page() - sizeof(*header));
	int ret;

	header->argsz = (uint32_t)(sizeof(*header) + size);
	header->flags = flags;
	ret = ioctl(vfio_exporter_device_fd(fixture->exporter), VFIO_DEVICE_FEATURE, header);
	return ret < 0 ? error_set(&test_error, errno, "VFIO_DEVICE_FEATURE with flags %#x failed", flags) : ret;
}

static int export_late(void *fixture)
{
	int dmabuf = feature(fixture, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF,
			     sizeof(struct vfio_device_feature_dma_buf) + sizeof(struct vfio_region_dma_range));

	if (dmabuf < 0)
		return dmabuf;
	close(dmabuf);
	return 0;
}

static int request_late(void *fixture)
{
	return feature(fixture, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE,
		       sizeof(struct vfio_device_feature_dma_buf_revoke));
}

/* ---- what comes behind it ---- */

static int pull_and_undo(void *fixture)
{
	int ret = trigger_pull(fixture, trigger);

	return ret ?: trigger_undo(fixture, trigger);
}

/* Writers first, so that they wait before the others come if they have to. */
static bool is_held_up(struct race *race, enum trigger by)
{
	trigger = by;
	race_call(race, &writer, pull_and_undo, race->fixture);
	if (race_call_ends_within(race, &writer, HELD_S))
		return false;
	print_error("# %s is kept waiting\n", trigger_name(by));
	return true;
}

static void must_hold_up_nothing(struct race *race, int (*call)(void *), const void *page)
{
	static const enum trigger writers[] = { TRIGGER_COMMAND, TRIGGER_RESET };
	unsigned int waiting = 0;

	must_write_through(race->fixture, 1);
	race_call(race, &user, call, race->fixture);
	must_be_wanted(race);
	waiting += meanwhile_count_waiting(&other, 0, MEANWHILE_WITHOUT_NIC, HELD_S);
	writer.result = 0;
	for (size_t i = 0; !waiting && !writer.result && i < TEST_COUNT(writers); i++)
		waiting += is_held_up(race, writers[i]);
	if (race_call_is_over(race, &user))
		fail_msg("the call did not wait for the late page");
	serve(page);
	if (waiting)
		fail_msg("%u calls waited for memory that another one's caller serves late", waiting);
	race_call_join(race, &user, "a call whose memory was served");
	test_error = user.err;
	must(user.result);
	meanwhile_must_have_succeeded(&other, 0, MEANWHILE_WITHOUT_NIC);
	test_error = writer.err;
	must(writer.result);
}

static void what_was_read(void **state)
{
	static const uint8_t page[LARGEST_PAGE];
	struct race *race = *state;

	place = bar_place(race->fixture);
	must_hold_up_nothing(race, read_bar, page);
	assert_memory_equal(late_page(), (const void *)race->fixture->window, 64);
}

static void what_is_to_be_written(void **state)
{
	struct race *race = *state;
	_Alignas(uint64_t) uint8_t page[LARGEST_PAGE];

	fill_pattern(page, sizeof(page), 42);
	place = bar_place(race->fixture);
	must_hold_up_nothing(race, write_bar, page);
	assert_memory_equal((const void *)race->fixture->window, page, 64);
}

static void what_config_space_holds(void **state)
{
	static const uint8_t page[LARGEST_PAGE];
	struct race *race = *state;
	uint8_t expected[4];

	must_hold_up_nothing(race, read_config, page);
	must(vfio_exporter_read_config(race->fixture->exporter, 0, expected, 4, &test_error));
	assert_memory_equal(late_page(), expected, 4);
}

static void what_config_space_gets(void **state)
{
	static const uint8_t page[LARGEST_PAGE] = { 5 };
	struct race *race = *state;
	uint8_t line;

	must_hold_up_nothing(race, write_config, page);
	must(vfio_exporter_read_config(race->fixture->exporter, PCI_INTERRUPT_LINE, &line, 1, &test_error));
	assert_int_equal(line, 5);
}

static void what_export_is_asked_for(void **state)
{
	const struct vfio_device_feature_dma_buf get = {
		.region_index = test_options.bar, .open_flags = O_RDWR | O_CLOEXEC, .nr_ranges = 1,
	};
	const struct vfio_region_dma_range range = { test_options.offset, PAGE };
	uint8_t page[LARGEST_PAGE] = { 0 };

	memcpy(page, &get, sizeof(get));
	memcpy(page + sizeof(get), &range, sizeof(range));
	must_hold_up_nothing(*state, export_late, page);
}

static void what_is_to_be_revoked(void **state)
{
	struct race *race = *state;
	struct vfio_device_feature_dma_buf_revoke request = { .dmabuf_fd = race->fixture->dmabuf };
	uint8_t page[LARGEST_PAGE] = { 0 };

	memcpy(page, &request, sizeof(request));
	must_hold_up_nothing(race, request_late, page);
	race_must_refuse(race, race->fixture->mr->rkey);
}

/* ---- set up ---- */

static int tear_down(void **state)
{
	/* Whoever waits for the page goes on when nobody serves it any more. */
	if (faults >= 0)
		close(faults);
	faults = -1;
	meanwhile_teardown(&other);
	if (memory && memory != MAP_FAILED)
		munmap(memory, 2 * PAGE);
	memory = NULL;
	return race_teardown(state);
}

static int set_up(void **state)
{
	int ret = race_setup(state);

	if (ret)
		return ret;
	ret = meanwhile_setup(&other, *state);
	if (!ret)
		ret = make_late_memory();
	if (ret) {
		print_error("# setup: %s\n", test_error.text);
		tear_down(state);
	}
	return ret;
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test(what_was_read),
	test(what_is_to_be_written),
	test(what_config_space_holds),
	test(what_config_space_gets),
	test(what_export_is_asked_for),
	test(what_is_to_be_revoked),
};

TEST_MAIN("calls on a device whose user memory is served late hold up nothing else of it",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
