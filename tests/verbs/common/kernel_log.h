/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the kernel says from now on. */
#ifndef TESTS_VERBS_COMMON_KERNEL_LOG_H
#define TESTS_VERBS_COMMON_KERNEL_LOG_H

#include <stddef.h>

#include "error.h"

/* A descriptor of the log's end, or -errno. */
int kernel_log_open(struct error *err);
/*
 * Waits for a line that holds all of the words, NULL ends them, and copies it to line. -ETIMEDOUT after
 * timeout_ms. What was read before is not looked at again.
 */
int kernel_log_wait(int log, const char *const *words, unsigned int timeout_ms, char *line, size_t length,
		    struct error *err);

#endif
