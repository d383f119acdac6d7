/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR: every errno it can give, and that the CPU's page tables really have what
 * was asked for, which the kernel shows in debugfs (CONFIG_PTDUMP_DEBUGFS; CONFIG_X86_PAT for write-combining).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"
#include "guarded_access.h"
#include "plain_dmabuf.h"
#include "trigger.h"

#define WC VFIO_MEMORY_WRITE_COMBINING
#define FEATURE VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR
#define PAGE_TABLES "/sys/kernel/debug/page_tables/current_kernel"
#define HUGE (2ul << 20)

static int set(struct fixture *fixture, int dmabuf, unsigned int attribute)
{
	return vfio_exporter_set_memory_attribute(fixture->exporter, dmabuf, attribute, &test_error);
}

static int get(struct fixture *fixture, int dmabuf)
{
	enum vfio_memory_attribute attribute;
	int ret = vfio_exporter_memory_attribute(fixture->exporter, dmabuf, &attribute, &test_error);

	return ret ?: (int)attribute;
}

static void must_fail_both(struct fixture *fixture, int dmabuf, int errnum)
{
	must_fail(set(fixture, dmabuf, WC), errnum);
	must_fail(get(fixture, dmabuf), errnum);
}

/* ---- what may be asked ---- */

static void uncached_at_first(void **state)
{
	struct fixture *fixture = *state;
	int other = must(fixture_export(fixture, 0, fixture->size));

	assert_int_equal(must(get(fixture, fixture->dmabuf)), VFIO_MEMORY_UNCACHED);
	must(set(fixture, fixture->dmabuf, WC));
	assert_int_equal(must(get(fixture, fixture->dmabuf)), WC);
	/* It is the dma-buf's, whatever else is lent of the same range, and by whatever fd of it. */
	assert_int_equal(must(get(fixture, other)), VFIO_MEMORY_UNCACHED);
	must(set(fixture, fixture->dmabuf, VFIO_MEMORY_UNCACHED));
	assert_int_equal(must(get(fixture, fixture->dmabuf)), VFIO_MEMORY_UNCACHED);
	close(other);
}

static void unknown_attribute(void **state)
{
	static const uint32_t unknown[] = { 2, 3, 1u << 8, 1u << 31, UINT32_MAX };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < TEST_COUNT(unknown); i++)
		must_fail(set(fixture, fixture->dmabuf, unknown[i]), EINVAL);
	assert_int_equal(must(get(fixture, fixture->dmabuf)), VFIO_MEMORY_UNCACHED);
}

static int request(struct fixture *fixture, uint32_t flags, size_t size)
{
	struct vfio_device_feature_dma_buf_memattr payload = { .dmabuf_fd = fixture->dmabuf, .attribute = WC };

	return vfio_exporter_feature(fixture->exporter, flags, FEATURE, &payload, size, &test_error);
}

static void flags_and_argsz(void **state)
{
	const size_t size = sizeof(struct vfio_device_feature_dma_buf_memattr);
	struct fixture *fixture = *state;

	must(request(fixture, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET, 0));
	must(request(fixture, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET, 0));
	must(request(fixture, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET,
		     size));
	must_fail(request(fixture, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET, size), EINVAL);
	must_fail(request(fixture, 0, size), EINVAL);
	for (unsigned int bit = 19; bit < 32; bit++)
		must_fail(request(fixture, VFIO_DEVICE_FEATURE_SET | 1u << bit, size), EINVAL);
	for (size_t less = 0; less < size; less++) {
		must_fail(request(fixture, VFIO_DEVICE_FEATURE_SET, less), EINVAL);
		must_fail(request(fixture, VFIO_DEVICE_FEATURE_GET, less), EINVAL);
	}
	assert_int_equal(must(get(fixture, fixture->dmabuf)), VFIO_MEMORY_UNCACHED);
}

static void no_open_fd(void **state)
{
	struct fixture *fixture = *state;
	int path_only;
	char path[64];

	must_fail_both(fixture, -1, EBADF);
	must_fail_both(fixture, INT_MAX, EBADF);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fixture->dmabuf);
	path_only = must_sys(open(path, O_PATH | O_CLOEXEC));
	must_fail_both(fixture, path_only, EBADF);
	close(path_only);
}

static void no_dmabuf(void **state)
{
	struct fixture *fixture = *state;
	int other = must_sys(memfd_create("other", MFD_CLOEXEC));

	must_fail_both(fixture, other, EINVAL);
	must_fail_both(fixture, vfio_exporter_device_fd(fixture->exporter), EINVAL);
	close(other);
}

static void of_another_driver(void **state)
{
	struct fixture *fixture = *state;
	int other = plain_udmabuf(PAGE, 0);

	must_fail_both(fixture, other, ENODEV);
	close(other);
}

static struct vfio_exporter *second_exporter(void)
{
	const char *bdf = getenv("EXPORTER2");
	struct vfio_exporter *exporter;

	if (!bdf)
		test_skip("EXPORTER2 names no second PCI function that is bound to vfio-pci");
	must(vfio_exporter_open(&exporter, bdf, test_options.interface, &test_error));
	return exporter;
}

static bool is_prefetchable(struct vfio_exporter *exporter, unsigned int bar)
{
	uint8_t low;

	must(vfio_exporter_read_config(exporter, PCI_BASE_ADDRESS_0 + 4 * bar, &low, 1, &test_error));
	return low & PCI_BASE_ADDRESS_MEM_PREFETCH;
}

static int export_first(struct vfio_exporter *exporter, bool prefetchable)
{
	const struct vfio_range page = { 0, PAGE };
	struct vfio_bar info;

	for (unsigned int bar = 0; bar < 6; bar++) {
		must(vfio_exporter_bar(exporter, bar, &info, &test_error));
		if (info.mappable && info.size >= PAGE && is_prefetchable(exporter, bar) == prefetchable)
			return must(vfio_exporter_export(exporter, bar, &page, 1, &test_error));
	}
	return -ENOENT;
}

static void of_another_device(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_exporter *other = second_exporter();
	int dmabuf = must(export_first(other, true));

	must_fail_both(fixture, dmabuf, ENODEV);
	must(vfio_exporter_set_memory_attribute(other, dmabuf, WC, &test_error));
	close(dmabuf);
	vfio_exporter_close(other);
}

/* Nobody may change the order of what a device sees there. */
static void not_prefetchable(void **state)
{
	struct vfio_exporter *other = second_exporter();
	int dmabuf = export_first(other, false);
	enum vfio_memory_attribute attribute;

	(void)state;
	if (dmabuf == -ENOENT)
		test_skip("EXPORTER2 has no BAR that is not prefetchable");
	must_fail(vfio_exporter_set_memory_attribute(other, dmabuf, WC, &test_error), EOPNOTSUPP);
	/* What it is already can be asked for. */
	must(vfio_exporter_set_memory_attribute(other, dmabuf, VFIO_MEMORY_UNCACHED, &test_error));
	must(vfio_exporter_memory_attribute(other, dmabuf, &attribute, &test_error));
	assert_int_equal(attribute, VFIO_MEMORY_UNCACHED);
	close(dmabuf);
	vfio_exporter_close(other);
}

/* Also when the mapping is gone: it is the attribute of all mappings of the dma-buf. */
static void mapped_before(void **state)
{
	struct fixture *fixture = *state;
	void *address = fixture_map_dmabuf(fixture->dmabuf, fixture->size);

	must_fail(set(fixture, fixture->dmabuf, WC), EBUSY);
	assert_int_equal(must(get(fixture, fixture->dmabuf)), VFIO_MEMORY_UNCACHED);
	must(vfio_exporter_unmap_bar(address, fixture->size));
	must_fail(set(fixture, fixture->dmabuf, WC), EBUSY);
	/* Another one of the same range can have it. */
	close(fixture->dmabuf);
	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
	must(set(fixture, fixture->dmabuf, WC));
}

/* The device's own mapping, and what importers have, are something else. */
static void bar_is_mapped(void **state)
{
	struct fixture *fixture = *state;

	*(volatile uint64_t *)fixture->window = 1;
	must(set(fixture, fixture->dmabuf, WC));
}

static void revoked_for_good(void **state)
{
	struct fixture *fixture = *state;

	must(trigger_pull(fixture, TRIGGER_REVOKE));
	must_fail_both(fixture, fixture->dmabuf, EBADFD);
}

static void revoked_for_a_while(void **state)
{
	struct fixture *fixture = *state;

	fixture_revoke(fixture);
	must(set(fixture, fixture->dmabuf, WC));
	fixture_unrevoke(fixture);
	assert_int_equal(must(get(fixture, fixture->dmabuf)), WC);
}

/* ---- what the CPU gets ---- */

enum caching { WRITE_BACK, COMBINING, UNCACHED };

static const char *const caching_name[] = { "write-back", "write-combining", "uncached" };

/* The bits of a line of it: " 4K  USR RW  PWT PCD  NX pte". As Linux sets the PAT, PWT alone combines. */
static enum caching caching_of(const char *line)
{
	if (strstr(line, " PCD "))
		return UNCACHED;
	return strstr(line, " PWT ") ? COMBINING : WRITE_BACK;
}

/* What the kernel's page tables say of the address. The page was touched. */
static enum caching look_up(volatile void *address)
{
	const uint64_t wanted = (uintptr_t)address;
	FILE *file = fopen(PAGE_TABLES, "re");
	char line[256], found[256] = "";
	uint64_t start, end;

	if (!file && errno == ENOENT)
		test_skip("there is no " PAGE_TABLES ": the kernel needs CONFIG_PTDUMP_DEBUGFS");
	assert_non_null(file);
	while (!found[0] && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "0x%" SCNx64 "-0x%" SCNx64, &start, &end) == 2 && start <= wanted &&
		    wanted < end && strstr(line, " USR "))
			strcpy(found, line);
	}
	fclose(file);
	if (!found[0])
		fail_msg(PAGE_TABLES " does not show %p", address);
	print_message("# %.*s\n", (int)strcspn(found, "\n"), found);
	return caching_of(found);
}

static void must_be_cached_as(volatile uint64_t *words, enum caching caching)
{
	enum caching found;

	must(guarded_write(words, 1));
	found = look_up(words);
	if (found != caching)
		fail_msg("the CPU's mapping is %s, expected %s", caching_name[found], caching_name[caching]);
}

static void the_cpu_gets_it(void **state)
{
	struct fixture *fixture = *state;
	int uncached = must(fixture_export(fixture, fixture->size, fixture->size));
	volatile uint64_t *words[2];

	must(set(fixture, fixture->dmabuf, WC));
	words[0] = fixture_map_dmabuf(fixture->dmabuf, fixture->size);
	words[1] = fixture_map_dmabuf(uncached, fixture->size);
	must_be_cached_as(words[0], COMBINING);
	must_be_cached_as(words[1], UNCACHED);
	/* A mapping that was zapped comes back as it was. */
	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	must_be_cached_as(words[1], UNCACHED);
	must_be_cached_as(words[0], COMBINING);
	/* What was written is there when a barrier has ordered it. */
	must(guarded_write(words[0], 42));
	__sync_synchronize();
	assert_int_equal(*(volatile uint64_t *)fixture->window, 42);
	for (size_t i = 0; i < TEST_COUNT(words); i++)
		must(vfio_exporter_unmap_bar((void *)words[i], fixture->size));
	close(uncached);
}

static void huge_pages_too(void **state)
{
	const struct vfio_range range = { 0, HUGE };
	struct fixture *fixture = *state;
	uint8_t *room, *aligned;
	int dmabuf;

	must(guarded_access_init());
	dmabuf = vfio_exporter_export(fixture->exporter, test_options.bar, &range, 1, &test_error);
	if (dmabuf == -EINVAL)
		test_skip("BAR %u is smaller than 2 MiB", test_options.bar);
	must(dmabuf);
	must(set(fixture, dmabuf, WC));
	room = mmap(NULL, 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(room, MAP_FAILED);
	aligned = (uint8_t *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));
	assert_ptr_equal(mmap(aligned, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dmabuf, 0), aligned);
	must_be_cached_as((volatile uint64_t *)aligned, COMBINING);
	must_sys(munmap(room, 2 * HUGE));
	close(dmabuf);
}

static int set_up(void **state)
{
	int ret = fixture_setup_exporter(state);
	struct fixture *fixture = *state;

	if (!ret && !vfio_exporter_has_memory_attribute(fixture->exporter)) {
		print_error("# setup: this kernel has no VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR\n");
		fixture_teardown(state);
		ret = -1;
	}
	return ret;
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)

static const struct CMUnitTest tests[] = {
	test(uncached_at_first),
	test(unknown_attribute),
	test(flags_and_argsz),
	test(no_open_fd),
	test(no_dmabuf),
	test(of_another_driver),
	test(of_another_device),
	test(not_prefetchable),
	test(mapped_before),
	test(bar_is_mapped),
	test(revoked_for_good),
	test(revoked_for_a_while),
	test(the_cpu_gets_it),
	test(huge_pages_too),
};

TEST_MAIN("the memory attribute of a dma-buf's mappings", TEST_NEEDS_EXPORTER, tests)
