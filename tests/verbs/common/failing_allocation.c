/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "failing_allocation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "text_file.h"

#define FAIL_NTH "/proc/thread-self/fail-nth"

/* By its own file; opening it allocates, reading and writing does not. */
static _Thread_local int armed = -1;

static int set(const char *path, const char *value, struct error *err)
{
	int ret = text_file_write(path, value, 0);

	if (ret == -ENOENT || ret == -EACCES)
		return error_missing(err, -ret,
				     "cannot open %s: the kernel needs CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC "
				     "and CONFIG_FAULT_INJECTION_DEBUG_FS, and debugfs mounted", path);
	return ret ? error_set(err, -ret, "cannot write %s to %s", value, path) : 0;
}

int failing_allocation_prepare(struct error *err)
{
	static const char *const settings[][2] = {
		{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
		{ "/sys/kernel/debug/failslab/verbose", "0" },
		{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N" },
		{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "/sys/kernel/debug/fail_page_alloc/min-order", "0" },
		{ "/sys/kernel/debug/fail_page_alloc/verbose", "0" },
	};
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(settings) / sizeof(settings[0]); i++)
		ret = set(settings[i][0], settings[i][1], err);
	if (!ret && mlockall(MCL_CURRENT | MCL_FUTURE))
		ret = error_set(err, errno, "cannot lock the memory of this process");
	return ret;
}

/* Also called in threads that cmocka knows nothing of. */
static void __attribute__((noreturn)) bail_out(const char *what)
{
	printf("Bail out! " FAIL_NTH ": %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(EXIT_STATUS_FAILED);
}

void failing_allocation_arm(unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);
	/* The first of a thread maps memory for all that follow. */
	void *volatile first = malloc(1);

	free(first);
	armed = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (armed < 0)
		bail_out("open");
	if (write(armed, text, (size_t)length) != length)
		bail_out("write");
}

bool failing_allocation_disarm(void)
{
	char text[16] = "";

	if (pread(armed, text, sizeof(text) - 1, 0) <= 0)
		bail_out("read");
	if (pwrite(armed, "0", 1, 0) != 1)
		bail_out("write");
	close(armed);
	return strtoul(text, NULL, 10) == 0;
}
