/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Dma-bufs of ordinary memory: whoever exports them never takes them back. */
#ifndef TESTS_VERBS_COMMON_PLAIN_DMABUF_H
#define TESTS_VERBS_COMMON_PLAIN_DMABUF_H

#include <stddef.h>

/*
 * Both end the running test: as failed, or as skipped if the kernel has no such exporter. huge:
 * made of huge pages (2 MiB each), which are reserved for it.
 */
int plain_udmabuf(size_t size, int huge);
int plain_heap_dmabuf(size_t size);

#endif
