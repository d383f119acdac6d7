// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The function behind its socket, used by a host as QEMU does. */
#include <errno.h>
#include <jansson.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "server_fixture.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define BOTH 3

static void version_is_negotiated(void **state)
{
	struct fixture *fix = *state;
	const char offer[] = "\0\0\0\0{\"capabilities\":{\"max_msg_fds\":16}}";
	json_t *answer, *capabilities;
	struct reply reply;

	assert_int_equal(host_request(&fix->host, HOST_VERSION, offer, sizeof(offer), NULL, 0,
				      &reply), 0);
	assert_memory_equal(reply.data, "\0\0\0\0", 4);
	assert_int_equal(reply.data[reply.size - 1], 0);
	answer = json_loads((char *)reply.data + 4, 0, NULL);
	capabilities = json_object_get(answer, "capabilities");
	assert_true(json_is_object(capabilities));
	assert_int_equal(json_integer_value(json_object_get(capabilities, "max_msg_fds")), 16);
	assert_int_equal(json_integer_value(json_object_get(capabilities, "pgsizes")), 4096);
	assert_true(json_integer_value(json_object_get(capabilities, "max_dma_maps")) >= 65535);
	json_decref(answer);
}

static void device_tells_regions_and_interrupts(void **state)
{
	struct fixture *fix = *state;
	struct vfio_device_info info = { .argsz = 16 };
	struct vfio_irq_info irq = { .argsz = sizeof(irq) };
	static const uint64_t sizes[VFIO_PCI_NUM_REGIONS] = { 4096, 0, 65536, 0, 4096, 0, 0, 4096 };
	struct reply reply;

	assert_int_equal(host_request(&fix->host, HOST_DEVICE_INFO, &info, 16, NULL, 0, &reply), 0);
	memcpy(&info, reply.data, 16);
	assert_int_equal(info.flags, VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
	assert_int_equal(info.num_regions, VFIO_PCI_NUM_REGIONS);
	assert_int_equal(info.num_irqs, VFIO_PCI_NUM_IRQS);
	for (unsigned int i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		struct vfio_region_info region = { .argsz = sizeof(region), .index = i };

		assert_int_equal(host_request(&fix->host, HOST_REGION_INFO, &region,
					      sizeof(region), NULL, 0, &reply), 0);
		memcpy(&region, reply.data, sizeof(region));
		assert_int_equal(region.index, i);
		assert_int_equal(region.size, sizes[i]);
	}
	for (unsigned int i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		irq.index = i;
		assert_int_equal(host_request(&fix->host, HOST_IRQ_INFO, &irq, sizeof(irq), NULL, 0,
					      &reply), 0);
		memcpy(&irq, reply.data, sizeof(irq));
		assert_int_equal(irq.count, i == VFIO_PCI_MSIX_IRQ_INDEX ? COPY_VECTORS : 0);
	}
}

static void mappable_part_comes_as_a_file(void **state)
{
	struct fixture *fix = *state;
	struct vfio_region_info region = { .argsz = sizeof(region), .index = COPY_BAR_MEMORY };
	struct vfio_region_info_cap_sparse_mmap *sparse;
	uint8_t *model = pci_device_bar_memory(fix->pci, COPY_BAR_MEMORY), *page;
	struct reply reply;

	/* First asked without room for the capability: told how much it takes, and no file. */
	assert_int_equal(host_request(&fix->host, HOST_REGION_INFO, &region, sizeof(region), NULL,
				      0, &reply), 0);
	memcpy(&region, reply.data, sizeof(region));
	assert_int_equal(reply.size, sizeof(region));
	assert_int_equal(reply.fd_count, 0);
	assert_true(region.argsz > sizeof(region));
	assert_true(region.flags & VFIO_REGION_INFO_FLAG_MMAP);
	assert_int_equal(region.cap_offset, sizeof(region));
	region.index = COPY_BAR_MEMORY;
	assert_int_equal(host_request(&fix->host, HOST_REGION_INFO, &region, sizeof(region), NULL,
				      0, &reply), 0);
	memcpy(&region, reply.data, sizeof(region));
	assert_int_equal(reply.size, region.argsz);
	assert_int_equal(reply.fd_count, 1);
	assert_true(region.flags & VFIO_REGION_INFO_FLAG_CAPS);
	sparse = (void *)(reply.data + region.cap_offset);
	assert_int_equal(sparse->header.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	assert_int_equal(sparse->header.next, 0);
	assert_int_equal(sparse->nr_areas, 1);
	assert_int_equal(sparse->areas[0].offset, COPY_MAPPABLE);
	assert_int_equal(sparse->areas[0].size, PAGE);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reply.fds[0],
		    region.offset + sparse->areas[0].offset);
	assert_ptr_not_equal(page, MAP_FAILED);
	close(reply.fds[0]);
	/* Host's mapping, host's messages and the model see the same bytes. */
	page[7] = 0x77;
	assert_int_equal(model[COPY_MAPPABLE + 7], 0x77);
	assert_int_equal(host_read_value(&fix->host, COPY_BAR_MEMORY, COPY_MAPPABLE + 7, 1), 0x77);
	host_write_value(&fix->host, COPY_BAR_MEMORY, COPY_MAPPABLE + 8, 0x88, 1);
	assert_int_equal(page[8], 0x88);
	munmap(page, PAGE);
	/* The rest is trapped. */
	assert_int_equal(host_read_value(&fix->host, COPY_BAR_MEMORY, 0, 4), 0xeeeeeeee);
	assert_null(pci_device_bar_memory(fix->pci, 0));
	assert_null(pci_device_bar_memory(fix->pci, 6));
}

static void registers_are_read_and_written(void **state)
{
	struct fixture *fix = *state;
	uint8_t data[256], back[256];

	host_write_value(&fix->host, 0, COPY_SCRATCH, 0x0102030405060708, 8);
	assert_int_equal(host_read_value(&fix->host, 0, COPY_SCRATCH, 8), 0x0102030405060708);
	assert_int_equal(host_read_value(&fix->host, 0, COPY_SCRATCH + 2, 2), 0x0506);
	/* Any start, any length: the device sees aligned accesses only, and asserts so. */
	for (unsigned int start = 0; start < 16; start++) {
		for (unsigned int size = 1; size < 40; size++) {
			for (unsigned int i = 0; i < size; i++)
				data[i] = start * 31 + size + i;
			assert_int_equal(host_write(&fix->host, 0, COPY_SCRATCH + start, data,
						    size), 0);
			assert_int_equal(host_read(&fix->host, 0, COPY_SCRATCH + start, back,
						   size), 0);
			assert_memory_equal(data, back, size);
		}
	}
	assert_int_equal(host_read(&fix->host, 0, COPY_SCRATCH, back, 0), 0);
	assert_int_equal(host_write(&fix->host, 0, COPY_SCRATCH, data, 0), 0);
	/* The vector table is the host's; what reaches the function is ignored. */
	host_write_value(&fix->host, COPY_BAR_MSIX, 0, 0xffffffff, 4);
	assert_int_equal(host_read_value(&fix->host, COPY_BAR_MSIX, 0, 4), 0);
	assert_int_equal(host_read_value(&fix->host, COPY_BAR_MSIX, 0x800, 8), 0);
	assert_int_equal(host_read_value(&fix->host, CONFIG, PCI_VENDOR_ID, 4),
			 (uint32_t)COPY_DEVICE << 16 | COPY_VENDOR);
}

static void several_writes_in_one_message(void **state)
{
	struct fixture *fix = *state;
	struct {
		uint64_t count;
		struct {
			uint64_t offset;
			uint32_t region, count;
			uint64_t data;
		} write[3];
	} multi = { 3, { { COPY_SCRATCH, 0, 4, 0x11111111 },
			 { COPY_SCRATCH + 4, 0, 4, 0x22222222 },
			 { COPY_SCRATCH + 1, 0, 2, 0x3333 } } };
	struct reply reply;

	assert_int_equal(host_request(&fix->host, HOST_WRITE_MULTI, &multi, sizeof(multi), NULL, 0,
				      &reply), 0);
	assert_int_equal(reply.size, 8);
	assert_int_equal(host_read_value(&fix->host, 0, COPY_SCRATCH, 8), 0x2222222211333311);
}

static bool raised(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}

static void interrupts_reach_their_eventfds(void **state)
{
	struct fixture *fix = *state;
	int fds[COPY_VECTORS], again;

	for (unsigned int i = 0; i < COPY_VECTORS; i++)
		fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	again = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	fixture_bus_master(fix, 1);
	pci_device_interrupt(fix->pci, 1); /* not enabled yet: nothing happens */
	assert_int_equal(host_set_vectors(&fix->host, 0, COPY_VECTORS, fds, COPY_VECTORS), 0);
	assert_false(raised(fds[1]));
	pci_device_interrupt(fix->pci, 1);
	pci_device_interrupt(fix->pci, COPY_VECTORS);
	pci_device_interrupt(fix->pci, ~0u);
	assert_true(raised(fds[1]));
	assert_false(raised(fds[0]));
	/* One vector gets another eventfd, then none. */
	assert_int_equal(host_set_vectors(&fix->host, 1, 1, &again, 1), 0);
	pci_device_interrupt(fix->pci, 1);
	assert_true(raised(again));
	assert_false(raised(fds[1]));
	assert_int_equal(host_set_vectors(&fix->host, 1, 1, NULL, 0), 0);
	pci_device_interrupt(fix->pci, 1);
	assert_false(raised(again));
	pci_device_interrupt(fix->pci, 3);
	assert_true(raised(fds[3]));
	assert_int_equal(host_set_vectors(&fix->host, 0, 0, NULL, 0), 0);
	pci_device_interrupt(fix->pci, 3);
	assert_false(raised(fds[3]));
	assert_int_equal(fixture_count(fix, "interrupts"), 3);
	/* Left enabled: the function closes it when it goes. */
	assert_int_equal(host_set_vectors(&fix->host, 0, 1, &again, 1), 0);
	for (unsigned int i = 0; i < COPY_VECTORS; i++)
		close(fds[i]);
	close(again);
}

static void full_eventfd_blocks_nobody(void **state)
{
	struct fixture *fix = *state;
	int fd = eventfd(0, EFD_CLOEXEC); /* blocking */
	uint64_t nearly = UINT64_MAX - 1;

	fixture_bus_master(fix, 1);
	assert_int_equal(host_set_vectors(&fix->host, 0, 1, &fd, 1), 0);
	assert_int_equal(write(fd, &nearly, sizeof(nearly)), sizeof(nearly));
	pci_device_interrupt(fix->pci, 0);
	close(fd);
}

static void memory_is_mapped_and_unmapped(void **state)
{
	struct fixture *fix = *state;
	struct dma_space *dma = pci_device_dma(fix->pci);
	char text[16];

	fixture_bus_master(fix, 1);
	assert_int_equal(host_dma_map(&fix->host, 0x100000, 4 * PAGE, fix->memory_fd, PAGE, BOTH),
			 0);
	strcpy((char *)fix->memory + PAGE + 100, "lent");
	assert_int_equal(dma_read(dma, 0x100064, text, 5), 0);
	assert_string_equal(text, "lent");
	assert_int_equal(host_dma_map(&fix->host, 0x102000, PAGE, fix->memory_fd, 0, BOTH), EEXIST);
	/* A section without a file is a window like any other. */
	assert_int_equal(host_dma_map(&fix->host, 0x200000, PAGE, -1, 0, BOTH), 0);
	assert_true(dma_mapped(dma, 0x200000, PAGE));
	assert_int_equal(host_dma_unmap(&fix->host, 0x200000, PAGE, 0), 0);
	assert_int_equal(host_dma_unmap(&fix->host, 0x100000, 4 * PAGE, 0), 0);
	assert_int_equal(dma_read(dma, 0x100064, text, 5), -EFAULT);
	assert_int_equal(fixture_count(fix, "dma.unmapped_accesses"), 1);
	/* What was never mapped may be unmapped: a vIOMMU flushes wide. */
	assert_int_equal(host_dma_unmap(&fix->host, 0, 1ull << 39, 0), 0);
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(host_dma_map(&fix->host, i * 2 * PAGE, PAGE, fix->memory_fd,
					      i * PAGE, BOTH), 0);
	assert_int_equal(dma_space_windows(dma), 10);
	assert_int_equal(host_dma_unmap(&fix->host, 0, 0, 2), 0);
	assert_int_equal(dma_space_windows(dma), 0);
	assert_int_equal(fixture_count(fix, "copy.unmapped"), 4);
}

static void copies_and_interrupts(void **state)
{
	struct fixture *fix = *state;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	fixture_bus_master(fix, 1);
	assert_int_equal(host_set_vectors(&fix->host, 2, 1, &fd, 1), 0);
	assert_int_equal(host_dma_map(&fix->host, 0, MEMORY_SIZE, fix->memory_fd, 0, BOTH), 0);
	for (unsigned int i = 0; i < 10000; i++)
		fix->memory[i] = i * 13 + i / 256;
	fixture_copy_start(fix, 0, 20 * PAGE + 3, 10000, 2);
	assert_int_equal(fixture_copy_status(fix), COPY_SUCCESS);
	assert_memory_equal(fix->memory, fix->memory + 20 * PAGE + 3, 10000);
	assert_true(raised(fd));
	assert_int_equal(fixture_count(fix, "copy.slices"), 3);
	/* Without bus mastering nothing moves, an interrupt neither. */
	fixture_bus_master(fix, 0);
	fixture_copy_start(fix, 0, 40 * PAGE, 100, 2);
	assert_int_equal(fixture_copy_status(fix), EPERM);
	assert_int_equal(fix->memory[40 * PAGE + 1], 0);
	assert_int_equal(fixture_count(fix, "dma.no_bus_master"), 1);
	assert_false(raised(fd));
	close(fd);
}

/* The host takes the memory away amid a long job: it is answered after a slice or two. */
static void unmap_comes_between_slices(void **state)
{
	struct fixture *fix = *state;
	struct dma_space *dma = pci_device_dma(fix->pci);
	uint64_t before, after;

	fixture_bus_master(fix, 1);
	for (uint64_t i = 0; i < 1024; i++)
		assert_int_equal(host_dma_map(&fix->host, i * MEMORY_SIZE, MEMORY_SIZE,
					      fix->memory_fd, 0, BOTH), 0);
	fixture_copy_start(fix, 0, MEMORY_SIZE, COPY_MAX_LENGTH, 0);
	before = fixture_count(fix, "copy.slices");
	assert_int_equal(host_dma_unmap(&fix->host, 0, 1024 * MEMORY_SIZE, 0), 0);
	after = fixture_count(fix, "copy.slices");
	assert_true(after - before <= 4);
	assert_true(after < COPY_MAX_LENGTH / COPY_SLICE);
	assert_int_equal(dma_space_windows(dma), 0);
	assert_int_equal(fixture_count(fix, "dma.unmapped_accesses"), 0);
	/* The next slice finds nothing. */
	assert_int_equal(fixture_copy_status(fix), EFAULT);
	assert_int_equal(fixture_count(fix, "dma.unmapped_accesses"), 1);
}

static void pulled_out_and_put_back(void **state)
{
	struct fixture *fix = *state;
	uint32_t id = host_read_value(&fix->host, CONFIG, PCI_VENDOR_ID, 4);
	uint64_t resets = fixture_count(fix, "resets");

	fixture_bus_master(fix, 1);
	pci_device_set_present(fix->pci, false);
	assert_int_equal(host_read_value(&fix->host, CONFIG, PCI_VENDOR_ID, 4), 0xffffffff);
	assert_int_equal(host_read_value(&fix->host, 0, COPY_STATUS, 4), 0xffffffff);
	/* A write does not make it a bus master either. */
	fixture_bus_master(fix, 1);
	pci_device_set_present(fix->pci, true);
	assert_int_equal(host_read_value(&fix->host, CONFIG, PCI_VENDOR_ID, 4), id);
	assert_int_equal(host_read_value(&fix->host, CONFIG, PCI_COMMAND, 2), 0);
	assert_int_equal(fixture_count(fix, "resets"), resets + 2);
	fixture_copy_start(fix, 0, PAGE, 100, 2);
	assert_int_equal(fixture_copy_status(fix), EPERM);
}

static void function_level_reset(void **state)
{
	struct fixture *fix = *state;
	unsigned int at = host_read_value(&fix->host, CONFIG, PCI_CAPABILITY_LIST, 1);
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t resets = fixture_count(fix, "copy.resets");
	uint16_t control;

	while (host_read_value(&fix->host, CONFIG, at, 1) != PCI_CAP_ID_EXP)
		at = host_read_value(&fix->host, CONFIG, at + 1, 1);
	fixture_bus_master(fix, 1);
	assert_int_equal(host_set_vectors(&fix->host, 0, 1, &fd, 1), 0);
	assert_int_equal(host_dma_map(&fix->host, 0, MEMORY_SIZE, fix->memory_fd, 0, BOTH), 0);
	fixture_copy_start(fix, 0, 0, 60 * PAGE, 0);
	control = host_read_value(&fix->host, CONFIG, at + PCI_EXP_DEVCTL, 2);
	host_write_value(&fix->host, CONFIG, at + PCI_EXP_DEVCTL, control | PCI_EXP_DEVCTL_BCR_FLR,
			 2);
	assert_int_equal(fixture_count(fix, "copy.resets"), resets + 1);
	assert_int_equal(host_read_value(&fix->host, 0, COPY_STATUS, 4), COPY_IDLE);
	assert_int_equal(host_read_value(&fix->host, CONFIG, PCI_COMMAND, 2), 0);
	assert_false(raised(fd));
	/* Windows stay, bus mastering is off until the host says so. */
	assert_int_equal(dma_space_windows(pci_device_dma(fix->pci)), 1);
	fixture_copy_start(fix, 0, PAGE, 1, 0);
	assert_int_equal(fixture_copy_status(fix), EPERM);
	assert_int_equal(host_request(&fix->host, HOST_RESET, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(fixture_count(fix, "copy.resets"), resets + 2);
	fixture_bus_master(fix, 1);
	fixture_copy_start(fix, 0, PAGE, 1, 0);
	assert_int_equal(fixture_copy_status(fix), COPY_SUCCESS);
	close(fd);
}

static void next_host_finds_a_clean_function(void **state)
{
	struct fixture *fix = *state;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	fixture_bus_master(fix, 1);
	assert_int_equal(host_set_vectors(&fix->host, 0, 1, &fd, 1), 0);
	assert_int_equal(host_dma_map(&fix->host, 0, MEMORY_SIZE, fix->memory_fd, 0, BOTH), 0);
	host_write_value(&fix->host, 0, COPY_SCRATCH, 0x55, 1);
	/* Leaves in the midst of a job and of a message. */
	fixture_copy_start(fix, 0, 0, 60 * PAGE, 0);
	host_send_raw(&fix->host, "abc", 3, &fix->memory_fd, 1);
	close(fix->host.fd);
	while (dma_space_windows(pci_device_dma(fix->pci)))
		ev_run(fix->loop, EVRUN_ONCE);
	ev_run(fix->loop, EVRUN_NOWAIT);
	assert_false(raised(fd));
	fixture_connect(fix);
	assert_int_equal(host_read_value(&fix->host, 0, COPY_SCRATCH, 1), 0);
	assert_int_equal(host_read_value(&fix->host, CONFIG, PCI_COMMAND, 2), 0);
	fixture_bus_master(fix, 1);
	pci_device_interrupt(fix->pci, 0);
	assert_false(raised(fd));
	close(fd);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void listens_for_one_host_at_a_time(void **state)
{
	struct fixture *fix = *state;
	char folder[] = "/tmp/vfio-user-XXXXXX", path[64];
	struct host second = { .loop = fix->loop };

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	assert_int_equal(pci_device_listen(fix->pci, path), 0);
	second.fd = connect_to(path);
	host_expect_hangup(&second);
	close(second.fd);
	close(fix->host.fd);
	ev_run(fix->loop, EVRUN_ONCE);
	fix->host.fd = connect_to(path);
	assert_int_equal(host_read_value(&fix->host, CONFIG, PCI_VENDOR_ID, 2), COPY_VENDOR);
	/* Without `keep` the run ends when the host leaves. */
	close(fix->host.fd);
	fix->host.fd = -1;
	pci_device_run(fix->pci, false);
	copy_device_free(fix->copy);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(rmdir(folder), 0);
	fix->copy = copy_device_new(fix->counters, fix->loop);
}

static void impossible_functions_are_refused(void **state)
{
	static const struct pci_device_ops ops = { 0 };
	const struct pci_device_config sound = {
		.bar = { [0] = { .size = 8192 } }, .msix_vectors = 4, .msix_pba_offset = 4096,
	};
	struct fixture *fix = *state;
	struct pci_device *pci;
	struct pci_device_config config;

	pci = pci_device_new(&sound, &ops, NULL, fix->counters, fix->loop);
	assert_non_null(pci);
	pci_device_free(pci);
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		config = sound;                                                                    \
		config.change;                                                                     \
		assert_null(pci_device_new(&config, &ops, NULL, fix->counters, fix->loop));        \
		assert_int_equal(errno, EINVAL);                                                   \
	} while (0)
	REFUSED(bar[0].size = 5000);
	REFUSED(bar[0].size = 2048);
	REFUSED(bar[0].size = 1ull << 32);
	REFUSED(bar[5] = ((struct pci_bar){ .size = 4096, .is_64bit = true }));
	REFUSED(bar[1] = ((struct pci_bar){ .size = 4096, .mmap_size = 8192 }));
	REFUSED(bar[1] = ((struct pci_bar){ .size = 4096, .mmap_size = 100 }));
	REFUSED(msix_vectors = PCI_DEVICE_MAX_VECTORS + 1);
	REFUSED(msix_bar = 1);
	REFUSED(msix_bar = 6);
	REFUSED(msix_table_offset = 8192 - 48);
	REFUSED(msix_pba_offset = 8192);
	REFUSED(msix_pba_offset = 4100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(version_is_negotiated),
		TEST(device_tells_regions_and_interrupts),
		TEST(mappable_part_comes_as_a_file),
		TEST(registers_are_read_and_written),
		TEST(several_writes_in_one_message),
		TEST(interrupts_reach_their_eventfds),
		TEST(full_eventfd_blocks_nobody),
		TEST(memory_is_mapped_and_unmapped),
		TEST(copies_and_interrupts),
		TEST(unmap_comes_between_slices),
		TEST(pulled_out_and_put_back),
		TEST(function_level_reset),
		TEST(next_host_finds_a_clean_function),
		TEST(listens_for_one_host_at_a_time),
		TEST(impossible_functions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
