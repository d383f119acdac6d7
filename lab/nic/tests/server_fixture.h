/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A copy device behind a connected vfio-user socket, and 64 pages of host memory. */
#ifndef LAB_NIC_TESTS_SERVER_FIXTURE_H
#define LAB_NIC_TESTS_SERVER_FIXTURE_H

#include "copy_device.h"
#include "vfio_user_host.h"

#define PAGE 4096ul
#define MEMORY_SIZE (64 * PAGE)

struct fixture {
	struct ev_loop *loop;
	struct counters *counters;
	struct copy_device *copy;
	struct pci_device *pci;
	struct host host;
	int memory_fd;
	uint8_t *memory;
	unsigned int open_fds; /* before anything was made */
};

int fixture_setup(void **state);
/* Checks that no descriptor is left over. */
int fixture_teardown(void **state);
/* Connects a host again after the last one left. */
void fixture_connect(struct fixture *fix);
uint64_t fixture_count(struct fixture *fix, const char *name);
void fixture_bus_master(struct fixture *fix, int enabled);
/* Starts a copy; its end is waited for by fixture_copy_status(). */
void fixture_copy_start(struct fixture *fix, uint64_t source, uint64_t destination,
			uint32_t length, uint32_t vector);
uint32_t fixture_copy_status(struct fixture *fix);
unsigned int open_descriptors(void);

#endif
