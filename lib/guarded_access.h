/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Reading and writing memory that its owner may take back at any moment: where a
 * plain access would end the process by SIGBUS, these return -EFAULT. Any number
 * of threads may use them; a SIGBUS of anything else still ends the process.
 */
#ifndef LIB_GUARDED_ACCESS_H
#define LIB_GUARDED_ACCESS_H

#include <stddef.h>
#include <stdint.h>

/* Takes over SIGBUS, for the whole process; once, before the first access. */
int guarded_access_init(void);

int guarded_read(const volatile uint64_t *address, uint64_t *value);
int guarded_write(volatile uint64_t *address, uint64_t value);
/* Word by word, ascending; how many words were written before the memory was gone. */
size_t guarded_fill(volatile uint64_t *address, size_t words, uint64_t value);

#endif
