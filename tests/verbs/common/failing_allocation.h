/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Has one allocation that the kernel makes for the calling thread fail, by its fault injection
 * (Documentation/fault-injection): of slab memory, or of a page.
 */
#ifndef TESTS_VERBS_COMMON_FAILING_ALLOCATION_H
#define TESTS_VERBS_COMMON_FAILING_ALLOCATION_H

#include <stdbool.h>

#include "error.h"

/*
 * Lets every allocation be one that may fail, also those that could wait for memory, and locks the memory
 * of the process: what is counted is what its calls allocate, not its page faults. -ENOENT, and err says
 * what to configure, if this kernel has no such thing.
 */
int failing_allocation_prepare(struct error *err);

/* The nth from now on (from 1) fails; 0: none. */
void failing_allocation_arm(unsigned int nth);
/* None fails any more. True if one has failed since it was armed. */
bool failing_allocation_disarm(void);

#endif
