/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The smallest function that does what a NIC does: a doorbell makes it copy host memory in slices
 * and raise an interrupt. It is here to try the transport, and as an example of a model.
 */
#ifndef LAB_NIC_TESTS_COPY_DEVICE_H
#define LAB_NIC_TESTS_COPY_DEVICE_H

#include <ev.h>
#include <stdint.h>

#include "../control/counters.h"
#include "../vfio-user/pci_device.h"

#define COPY_VENDOR 0x1234
#define COPY_DEVICE 0xc0b1
#define COPY_VECTORS 4
#define COPY_SLICE 4096
#define COPY_MAX_LENGTH (64u << 20)

/* BAR 0: registers, little-endian. BAR 2: 64 KiB, its page 1 mappable. BAR 4: MSI-X. */
#define COPY_BAR_MEMORY 2
#define COPY_BAR_MSIX 4
#define COPY_MAPPABLE 0x1000
enum copy_register {
	COPY_SOURCE = 0x00,	 /* 64 bits: IOVA */
	COPY_DESTINATION = 0x08, /* 64 bits: IOVA */
	COPY_LENGTH = 0x10,	 /* 32 bits */
	COPY_VECTOR = 0x14,	 /* 32 bits: raised at the end */
	COPY_DOORBELL = 0x18,	 /* 32 bits: any write starts */
	COPY_STATUS = 0x1c,	 /* 32 bits: enum copy_status, or an errno */
	COPY_DONE = 0x20,	 /* 32 bits: jobs ended since reset */
	COPY_SCRATCH = 0x100,	 /* 256 bytes that keep what is written */
	COPY_REGISTERS = 0x1000,
};

enum copy_status { COPY_IDLE = 0, COPY_RUNNING = 0x10000, COPY_SUCCESS = 0x20000 };

struct copy_device;

struct copy_device *copy_device_new(struct counters *counters, struct ev_loop *loop);
void copy_device_free(struct copy_device *copy);
struct pci_device *copy_device_pci(struct copy_device *copy);

#endif
