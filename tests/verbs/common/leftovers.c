/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "leftovers.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "patience.h"
#include "text_file.h"

#define BUFINFO "/sys/kernel/debug/dma_buf/bufinfo"
#define KMEMLEAK "/sys/kernel/debug/kmemleak"
/* Exporters are named by their modules. */
#define EXPORTER "vfio_pci"
/* A file is given up a moment after it was closed. */
#define PATIENCE_NS patience_ns(10 * NS_PER_S)
/* Kmemleak does not suspect what is younger than 5 seconds. */
#define LEAK_AGE_SECONDS 6

/* How many are listed; the last one's line is kept. */
static int count_dmabufs(FILE *file, char *line, int length)
{
	char text[512];
	int count = 0;

	while (fgets(text, sizeof(text), file)) {
		if (!strstr(text, EXPORTER))
			continue;
		count++;
		snprintf(line, (size_t)length, "%.*s", (int)strcspn(text, "\n"), text);
	}
	return count;
}

int leftovers_dmabufs(struct error *err)
{
	const int64_t deadline = clock_now_ns() + PATIENCE_NS;
	char line[512] = "";
	int count;

	for (;;) {
		FILE *file = fopen(BUFINFO, "re");

		if (!file)
			return error_set(err, errno, "cannot open " BUFINFO);
		count = count_dmabufs(file, line, sizeof(line));
		fclose(file);
		if (!count)
			return 0;
		if (clock_now_ns() > deadline)
			return error_set(err, EBUSY, "%d dma-bufs of VFIO devices are left, the last: %s",
					 count, line);
		sched_yield();
	}
}

static int tell_kmemleak(const char *command)
{
	return text_file_write(KMEMLEAK, command, 0);
}

void leftovers_forget_leaks(void)
{
	/* What no scan has found cannot be cleared. */
	if (!tell_kmemleak("scan"))
		tell_kmemleak("clear");
}

int leftovers_leaks(struct error *err)
{
	char line[256];
	int leaks = 0;
	FILE *file;
	int ret;

	if (access(KMEMLEAK, W_OK))
		return error_set(err, errno, "cannot use " KMEMLEAK);
	sleep(LEAK_AGE_SECONDS);
	ret = tell_kmemleak("scan");
	/* What a register or a stack still seemed to name is found the second time. */
	if (!ret)
		ret = tell_kmemleak("scan");
	if (ret)
		return error_set(err, -ret, "asking " KMEMLEAK " for a scan failed");
	file = fopen(KMEMLEAK, "re");
	if (!file)
		return error_set(err, errno, "cannot open " KMEMLEAK);
	while (fgets(line, sizeof(line), file)) {
		fprintf(stderr, "# %s", line);
		leaks += !strncmp(line, "unreferenced object", 19);
	}
	fclose(file);
	return leaks ? error_set(err, EUCLEAN, "kmemleak found %d leaks", leaks) : 0;
}
