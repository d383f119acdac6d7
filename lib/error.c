/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "compat.h"

__attribute__((format(printf, 4, 0)))
static int error_vset(struct error *err, bool missing, int errnum, const char *format, va_list args)
{
	if (err) {
		size_t used;
		int n = vsnprintf(err->text, sizeof(err->text), format, args);

		used = n < 0 ? 0 : (size_t)n;
		if (errnum && used < sizeof(err->text))
			snprintf(err->text + used, sizeof(err->text) - used, ": %s (%s)",
				 strerror(errnum), strerrorname_np(errnum) ?: "?");
		err->missing = missing;
	}
	return errnum > 0 ? -errnum : -EIO;
}

int error_set(struct error *err, int errnum, const char *format, ...)
{
	va_list args;
	int ret;

	va_start(args, format);
	ret = error_vset(err, false, errnum, format, args);
	va_end(args);
	return ret;
}

int error_missing(struct error *err, int errnum, const char *format, ...)
{
	va_list args;
	int ret;

	va_start(args, format);
	ret = error_vset(err, true, errnum, format, args);
	va_end(args);
	return ret;
}

int error_exit_status(const struct error *err)
{
	return err->missing ? EXIT_STATUS_CANNOT_RUN : EXIT_STATUS_FAILED;
}
