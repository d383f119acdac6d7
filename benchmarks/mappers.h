/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Processes that map lent memory and touch every page of it: what a revoke has to zap. */
#ifndef BENCHMARKS_MAPPERS_H
#define BENCHMARKS_MAPPERS_H

#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct mappers {
	struct mapper {
		pid_t pid;
		int socket;
	} *all;
	unsigned int count;
};

/* Before anything is opened: what is open by then would stay open in them. */
int mappers_start(struct mappers *mappers, unsigned int count, struct error *err);
void mappers_stop(struct mappers *mappers);

/*
 * The first count of them map size bytes of the dma-buf, in place of what they had
 * mapped, and touch it all; with a dmabuf of -1 they touch again what they have.
 */
int mappers_touch(struct mappers *mappers, unsigned int count, int dmabuf, uint64_t size,
		  struct error *err);

#endif
