/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Other processes of a test: an importer, which registers what it is lent and
 * writes to it, and an exporter, which lends. They are told what to do over a
 * socket. Start them before the test opens anything: what it has open by then
 * would stay open in them.
 */
#ifndef TESTS_VERBS_COMMON_PROCESS_H
#define TESTS_VERBS_COMMON_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct process {
	pid_t pid;	/* 0: none */
	int socket;
};

int importer_start(struct process *importer, struct error *err);

/* All return what happened in the process: 0 or -errno, and an ibv_wc_status where they say so. */

/* Registers size bytes of the dma-buf, in place of what it had registered before. */
int importer_lend(struct process *importer, int dmabuf, size_t size, struct error *err);
/* One RDMA write of fill_pattern(seed) to the whole MR: returns the status of its completion. */
int importer_write(struct process *importer, uint32_t seed, struct error *err);
int importer_recycle(struct process *importer, struct error *err);
/* Writes and recycles on and on; returns when the first write is on its way. Only an end ends it. */
int importer_write_forever(struct process *importer, struct error *err);

/* Maps the dma-buf for the CPU, from an fd of its own that is closed again at once. */
int importer_map(struct process *importer, int dmabuf, size_t size, struct error *err);
/* Writes the word at offset of what it has mapped, or -EFAULT where that is SIGBUS. */
int importer_touch(struct process *importer, size_t offset, struct error *err);

int exporter_start(struct process *exporter, struct error *err);
/* Opens --exporter and returns the fd of a dma-buf of size bytes of its BAR. */
int exporter_export(struct process *exporter, size_t size, struct error *err);

/* Exits as a program does that returns from main(): the kernel cleans up. */
int process_exit(struct process *process, struct error *err);
/* SIGKILL, without waiting for it to take effect. */
void process_kill(struct process *process);
/* Waits until the process is gone and frees the socket. Nothing on one that is gone. */
void process_reap(struct process *process);

#endif
