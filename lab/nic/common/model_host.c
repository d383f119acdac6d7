/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "model_host.h"

#include <stdarg.h>

void model_log(FILE *log, const char *model, const char *format, ...)
{
	va_list args;

	if (!log)
		return;
	fprintf(log, "%s: ", model);
	va_start(args, format);
	vfprintf(log, format, args);
	va_end(args);
	fputc('\n', log);
}
