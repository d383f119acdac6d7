/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How every function of this library reports a failure: it returns -errno and
 * fills a sentence that says what failed, on which object, why and what to do.
 */
#ifndef LIB_ERROR_H
#define LIB_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

/* Exit status of every program here; 4 is what kselftest calls a skip. */
enum exit_status {
	EXIT_STATUS_OK = 0,
	EXIT_STATUS_FAILED = 1,
	EXIT_STATUS_USAGE = 2,
	EXIT_STATUS_CANNOT_RUN = 4,
};

struct error {
	char text[768];
	/* The machine lacks something (device, driver, permission), nothing went wrong. */
	bool missing;
};

/*
 * All take a NULL error. Both return -errnum, so that a caller can write
 * "return error_set(err, errno, ...)", and append errnum's text. With an errnum
 * of 0 nothing is appended and the result is -EIO: a failure never returns 0.
 */
__attribute__((format(printf, 3, 4)))
int error_set(struct error *err, int errnum, const char *format, ...);

/* The same, and the program cannot run on this machine. */
__attribute__((format(printf, 3, 4)))
int error_missing(struct error *err, int errnum, const char *format, ...);

/* EXIT_STATUS_CANNOT_RUN if something is missing, else EXIT_STATUS_FAILED. */
int error_exit_status(const struct error *err);

#endif
