/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The first fault of every kind of mapping of a BAR, and every kind of reset, in both orders: what was
 * touched is touched again after the reset, and what was not is touched for the first time after one. It
 * is for an exporter that the IOMMU is told of at every reset, as one with ATS is; what it is told under
 * which locks a kernel with lockdep sees. The mapping of iommufd is one in the exporter's own address space.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"
#include "guarded_access.h"
#include "ioas.h"
#include "trigger.h"

#define IOVA 0x10000000ull
/* What is read of the BAR: registers that a reset sets to what they were. */
#define AT 16
/* Where the extended capabilities begin; <linux/pci_regs.h> has it in newer versions only. */
#ifndef PCI_CFG_SPACE_SIZE
#define PCI_CFG_SPACE_SIZE 256
#endif
#define LENGTH 8

enum { ROUNDS = 2 };

struct mappings {
	struct fixture *fixture;
	struct ioas ioas;	/* the exporter's; not closed here */
	volatile uint64_t *dmabuf;
};

static void map(struct mappings *mappings, struct fixture *fixture)
{
	*mappings = (struct mappings){ .fixture = fixture };
	if (vfio_exporter_ioas(fixture->exporter, &mappings->ioas.fd, &mappings->ioas.id))
		test_skip("a BAR is mapped for DMA through the cdev interface only");
	mappings->dmabuf = fixture_map_dmabuf(fixture->dmabuf, fixture->size);
	fixture_map_window(fixture);
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
}

static void unmap(struct mappings *mappings)
{
	struct fixture *fixture = mappings->fixture;

	assert_int_equal(ioas_unmap(&mappings->ioas, IOVA, fixture->size), fixture->size);
	must_sys(munmap((void *)mappings->dmabuf, fixture->size));
	fixture_unmap_window(fixture);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = NULL;
}

static void must_read(const volatile void *address, uint64_t expected)
{
	uint64_t found;

	must(guarded_read((const volatile uint64_t *)((const volatile char *)address + AT), &found));
	assert_int_equal(found, expected);
}

/*
 * A registration of mlx5 has mapped all, so it is after a reset that the NIC faults. QEMU lets the NIC
 * of the lab reach memory, not the registers of another device, so the read fails there once the fault
 * has been answered.
 */
static void rdma_read(struct fixture *fixture, bool was_reset, uint64_t expected)
{
	const uint64_t faults = lab_counter(fixture, "page_faults");
	struct ibv_wc wc;

	memset(fixture->buffer.address, 0x5a, LENGTH);
	must(verbs_post_read(&fixture->pair.initiator, 1, buffer_at(fixture, 0, LENGTH),
			     mr_remote_at(fixture, AT), &test_error));
	must(verbs_wait(&fixture->pair.initiator, &wc, TEST_TIMEOUT_NS, &test_error));
	if (fixture->lab && was_reset && lab_counter(fixture, "page_faults") == faults)
		fail_msg("the NIC has not faulted");
	if (fixture->lab && wc.status == IBV_WC_REM_ACCESS_ERR) {
		must(verbs_pair_recycle(&fixture->pair, &test_error));
		return;
	}
	assert_int_equal(wc.status, IBV_WC_SUCCESS);
	assert_memory_equal(fixture->buffer.address, &expected, LENGTH);
}

/* iommufd cannot fault: what it had mapped before a reset is mapped again. */
static void touch_all(struct mappings *mappings, bool was_reset, bool mapped, uint64_t expected)
{
	struct fixture *fixture = mappings->fixture;

	must_read(fixture->window, expected);
	must_read(mappings->dmabuf, expected);
	rdma_read(fixture, was_reset, expected);
	if (mapped)
		assert_int_equal(ioas_unmap(&mappings->ioas, IOVA, fixture->size), fixture->size);
	must(ioas_map_file(&mappings->ioas, fixture->dmabuf, 0, fixture->size, IOVA));
}

static void reset_by(struct fixture *fixture, enum trigger trigger)
{
	int ret = trigger_pull(fixture, trigger);

	if (ret == -EOPNOTSUPP && test_error.missing) {
		print_message("# skip: %s\n", test_error.text);
		skip();
	}
	must(ret);
	must(trigger_undo(fixture, trigger));
}

/* The kernel's own view: VFIO hides the capability from its user. */
static void must_have_ats(const char *bdf)
{
	uint8_t config[4096] = { 0 };
	unsigned int place = PCI_CFG_SPACE_SIZE;
	ssize_t length;
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	fd = must_sys(open(path, O_RDONLY | O_CLOEXEC));
	length = pread(fd, config, sizeof(config), 0);
	close(fd);
	for (int i = 0; place && place + 8 <= (size_t)(length < 0 ? 0 : length) && i < 64; i++) {
		const uint8_t *entry = config + place;

		if (entry[0] == PCI_EXT_CAP_ID_ATS && !entry[1]) {
			if (entry[PCI_ATS_CTRL + 1] & (PCI_ATS_CTRL_ENABLE >> 8))
				return;
			break;
		}
		place = (entry[3] << 4 | entry[2] >> 4) & ~3u;
	}
	test_skip("ATS of %s is not there, or not switched on", bdf);
}

/* What the fixture has mapped already is made anew, for nothing must have touched it. */
static uint64_t start(struct fixture *fixture)
{
	uint64_t value;

	must_have_ats(vfio_exporter_bdf(fixture->exporter));
	must(guarded_access_init());
	must(guarded_read((uint64_t *)(fixture->window + AT), &value));
	fixture_unmap_window(fixture);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = NULL;
	return value;
}

static void fault_first(void **state, enum trigger trigger)
{
	const uint64_t expected = start(*state);
	struct mappings mappings;

	for (int round = 0; round < ROUNDS; round++) {
		map(&mappings, *state);
		touch_all(&mappings, false, false, expected);
		reset_by(*state, trigger);
		touch_all(&mappings, true, true, expected);
		unmap(&mappings);
	}
}

static void reset_first(void **state, enum trigger trigger)
{
	const uint64_t expected = start(*state);
	struct mappings mappings;

	for (int round = 0; round < ROUNDS; round++) {
		map(&mappings, *state);
		reset_by(*state, trigger);
		touch_all(&mappings, true, false, expected);
		unmap(&mappings);
	}
}

#define TESTS_OF(name, trigger)				\
	static void fault_then_##name(void **state)	\
	{						\
		fault_first(state, trigger);		\
	}						\
	static void name##_then_fault(void **state)	\
	{						\
		reset_first(state, trigger);		\
	}

TESTS_OF(reset, TRIGGER_RESET)
TESTS_OF(hot_reset, TRIGGER_HOT_RESET)
TESTS_OF(sysfs_reset, TRIGGER_SYSFS_RESET)
TESTS_OF(flr, TRIGGER_FLR)

static const struct CMUnitTest tests[] = {
	test_with_fixture(fault_then_reset),
	test_with_fixture(reset_then_fault),
	test_with_fixture(fault_then_hot_reset),
	test_with_fixture(hot_reset_then_fault),
	test_with_fixture(fault_then_sysfs_reset),
	test_with_fixture(sysfs_reset_then_fault),
	test_with_fixture(fault_then_flr),
	test_with_fixture(flr_then_fault),
};

TEST_MAIN("the first fault of every kind of mapping and every kind of reset, in both orders",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
