/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What an exporter and its dma-bufs can be asked for while another call on it waits. All of it is made at
 * once, each in a thread of its own, and none of it has a reason to wait.
 *
 * The functions end the running test when they fail.
 */
#ifndef TESTS_VERBS_COMMON_MEANWHILE_H
#define TESTS_VERBS_COMMON_MEANWHILE_H

#include "race.h"

/* What the calls use beside race->fixture->dmabuf: nothing of it belongs to that. */
struct meanwhile {
	struct race *race;
	int dmabuf;			/* another one of the same device, */
	struct ibv_mr *mr;		/* an MR of it, for the NIC's fault alone, */
	volatile uint64_t *words;	/* the CPU's mapping of it, not touched yet, */
	volatile uint64_t *bar;		/* and one of the BAR through the device's file. */
};

enum meanwhile_step {
	MEANWHILE_SAME_COMMAND,		/* a write of PCI_COMMAND that changes nothing */
	MEANWHILE_EXPORT,
	MEANWHILE_REQUEST,		/* for a dma-buf of its own */
	MEANWHILE_IOMMUFD,		/* attach and map by an importer that asks nothing of the NIC */
	MEANWHILE_MMAP,
	MEANWHILE_CPU_FAULT,
	MEANWHILE_BAR_FAULT,
	MEANWHILE_WITHOUT_NIC,		/* the number of those above */
	MEANWHILE_REGISTER = MEANWHILE_WITHOUT_NIC,
	MEANWHILE_NIC_FAULT,
	MEANWHILE_ALL,			/* the number of those above */
	MEANWHILE_BUS_MASTER = MEANWHILE_ALL,	/* writes of PCI_COMMAND that switch bus mastering */
	MEANWHILE_COUNT,
};

/* 0, or -errno and test_error. meanwhile_teardown() takes what there is. */
int meanwhile_setup(struct meanwhile *meanwhile, struct race *race);
/* Waits for calls that are under way: what holds them must be gone. */
void meanwhile_teardown(struct meanwhile *meanwhile);

/* Makes the calls from first to before last. How many have not returned after so many seconds; it says which. */
unsigned int meanwhile_count_waiting(struct meanwhile *meanwhile, enum meanwhile_step first,
				     enum meanwhile_step last, time_t seconds);
/* All of them have returned by now. */
void meanwhile_must_have_succeeded(struct meanwhile *meanwhile, enum meanwhile_step first,
				   enum meanwhile_step last);

#endif
