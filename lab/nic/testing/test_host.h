/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What a host that plays against a model in one process is made of, whatever the model: memory that
 * the device can reach, a loop, a network, counters and rules. What a driver lays out in the memory
 * is for the tests of each model, whose struct host begins with this (host_calls.h).
 */
#ifndef LAB_NIC_TESTING_TEST_HOST_H
#define LAB_NIC_TESTING_TEST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/fabric.h"
#include "../common/model_host.h"
#include "../control/counters.h"
#include "../control/knobs.h"
#include "../vfio-user/pci_device.h"

#define HOST_MEMORY (16u << 20)
#define HOST_IOVA 0x100000000ull
#define HOST_PAGE 4096u
#define HOST_PATIENCE 5 /* seconds */
#define HOST_VECTORS 2u /* that can be counted */

struct test_host {
	struct test_host *first; /* whose loop and fabric it shares; NULL: its own */
	struct model_host model; /* what its device is made with */
	void *device;
	const struct pci_device_ops *ops;
	struct dma_space *dma;
	int fd; /* of the memory */
	uint8_t *memory;
	uint64_t used;
	int vectors[HOST_VECTORS];
};

/* All but the device. first: another host on the same fabric, to be closed after it; or NULL. */
void test_host_open(struct test_host *host, struct test_host *first);
/* From now on the device reaches the memory: bus mastering is on, and all of it is mapped. */
void test_host_plug(struct test_host *host, void *device, const struct pci_device_ops *ops,
		    struct pci_device *pci);
/* Gives the first vectors eventfds. Without, interrupts are not enabled. */
void test_host_enable_interrupts(struct test_host *host, struct pci_device *pci);
/* The device is already gone. */
void test_host_close(struct test_host *host);

/* Whole pages, zeroed at first. */
uint8_t *test_host_alloc(struct test_host *host, size_t len);
uint64_t test_host_iova(const struct test_host *host, const void *address);
/* Slices until nothing is ready, and timers that are due. */
void test_host_turn(struct test_host *host);
/* How often the vector was raised since it was asked for last. */
uint64_t test_host_interrupts(struct test_host *host, uint32_t vector);
uint64_t test_host_counter(const struct test_host *host, const char *name);
/* One rule: {"operation": ..., "action": ...} and more as JSON members, or "". */
void test_host_rule(struct test_host *host, const char *operation, const char *action,
		    const char *more);

/* Bytes that tell when some are missing, twice there or in another place. */
void fill_pattern(uint8_t *bytes, size_t len);

#endif
