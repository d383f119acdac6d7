/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the kernel still has of what should be gone, as far as debugfs tells. */
#ifndef TESTS_VERBS_COMMON_LEFTOVERS_H
#define TESTS_VERBS_COMMON_LEFTOVERS_H

#include "error.h"

/* 0 if no dma-buf of a VFIO device is left; -ENOENT if nobody can tell. */
int leftovers_dmabufs(struct error *err);

/* Leaks from before this call are none of ours. */
void leftovers_forget_leaks(void);
/* 0 if kmemleak finds none; -ENOENT if the kernel has no kmemleak. */
int leftovers_leaks(struct error *err);

#endif
