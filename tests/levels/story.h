/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* One exporter's memory and one importer, and what happens to them. */
#ifndef TESTS_LEVELS_STORY_H
#define TESTS_LEVELS_STORY_H

#include "expectations.h"
#include "fixture.h"
#include "importer.h"
#include "rdma_driver.h"

#define OUTCOME_LENGTH 64

struct story {
	enum exporter_kind kind;
	enum level level;
	bool has_begun;
	struct rdma_driver driver;
	struct fixture *vfio;	/* the device that is revoked; EXPORTER_VFIO lends its memory */
	struct importer importer;
	size_t size;
	int dmabuf;
	uint8_t *view;		/* of a plain dma-buf */
	struct ibv_mr *mr;
	uint32_t seed;		/* of the pattern that arrived last; 0: none */
	bool memory_is_off;	/* nobody can look at it */
	bool is_unsafe;		/* the NIC writes where it may not: the next page is anybody's */
};

/* Ends the running test if it cannot. nic: how the name of the RDMA device's driver begins. */
void story_begin(struct story *story, enum exporter_kind kind, enum level level, const char *nic);
/* Nothing on one that has not begun. */
void story_end(struct story *story);
/* What happened, in the words of expectations.c. Ends the running test if nothing is promised. */
void story_event(struct story *story, enum event event, char outcome[OUTCOME_LENGTH]);

#endif
