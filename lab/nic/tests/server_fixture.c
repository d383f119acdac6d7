// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "server_fixture.h"

#include <dirent.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HANG_SECONDS 60

unsigned int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

void fixture_connect(struct fixture *fix)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pci_device_serve(fix->pci, pair[1]), 0);
	fix->host.fd = pair[0];
	fix->host.loop = fix->loop;
}

int fixture_setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	alarm(HANG_SECONDS);
	fix->open_fds = open_descriptors();
	fix->loop = ev_loop_new(EVFLAG_AUTO);
	fix->counters = counters_new();
	fix->copy = copy_device_new(fix->counters, fix->loop);
	fix->pci = copy_device_pci(fix->copy);
	fix->memory_fd = memfd_create("host", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fix->memory_fd, MEMORY_SIZE), 0);
	fix->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fix->memory_fd,
			   0);
	assert_ptr_not_equal(fix->memory, MAP_FAILED);
	fixture_connect(fix);
	*state = fix;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *fix = *state;

	copy_device_free(fix->copy);
	counters_free(fix->counters);
	ev_loop_destroy(fix->loop);
	munmap(fix->memory, MEMORY_SIZE);
	close(fix->memory_fd);
	if (fix->host.fd >= 0)
		close(fix->host.fd);
	assert_int_equal(open_descriptors(), fix->open_fds);
	free(fix);
	return 0;
}

uint64_t fixture_count(struct fixture *fix, const char *name)
{
	const uint64_t *value = counters_find(fix->counters, name);

	assert_non_null(value);
	return *value;
}

void fixture_bus_master(struct fixture *fix, int enabled)
{
	host_write_value(&fix->host, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND,
			 PCI_COMMAND_MEMORY | (enabled ? PCI_COMMAND_MASTER : 0), 2);
}

void fixture_copy_start(struct fixture *fix, uint64_t source, uint64_t destination,
			uint32_t length, uint32_t vector)
{
	host_write_value(&fix->host, 0, COPY_SOURCE, source, 8);
	host_write_value(&fix->host, 0, COPY_DESTINATION, destination, 8);
	host_write_value(&fix->host, 0, COPY_LENGTH, length, 4);
	host_write_value(&fix->host, 0, COPY_VECTOR, vector, 4);
	host_write_value(&fix->host, 0, COPY_DOORBELL, 1, 4);
}

uint32_t fixture_copy_status(struct fixture *fix)
{
	uint32_t status;

	while ((status = host_read_value(&fix->host, 0, COPY_STATUS, 4)) == COPY_RUNNING)
		;
	return status;
}
