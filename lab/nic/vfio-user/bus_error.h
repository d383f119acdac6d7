/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Access to mapped files that their owner may cut short at any time: a page that is gone raises
 * SIGBUS, which becomes `false` here.
 */
#ifndef LAB_NIC_VFIO_USER_BUS_ERROR_H
#define LAB_NIC_VFIO_USER_BUS_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/* Before the first access, and again if somebody else took the signal over. */
void bus_error_catch(void);

bool guarded_copy(void *to, const void *from, size_t len);
/* One store of 1, 2, 4 or 8 bytes with release order; target is naturally aligned. */
bool guarded_store(void *target, const void *value, size_t size);
/* Whether the byte is there now. */
bool guarded_touch(const void *target);

#endif
