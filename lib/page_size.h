/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A page of the kernel that runs: 4 KiB, 16 or 64 KiB on some arm64. */
#ifndef LIB_PAGE_SIZE_H
#define LIB_PAGE_SIZE_H

#include <stddef.h>
#include <unistd.h>

/* For what has to have a length when it is compiled. */
#define LARGEST_PAGE 65536

static inline size_t page_size(void)
{
	static size_t size;

	if (!size)
		size = (size_t)sysconf(_SC_PAGESIZE);
	return size;
}

#define PAGE page_size()

#endif
