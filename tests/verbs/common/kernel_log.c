/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "kernel_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define KMSG "/dev/kmsg"
/* No record is longer: PRINTKRB_RECORD_MAX and what /dev/kmsg puts before it. */
#define RECORD_MAX 4096

int kernel_log_open(struct error *err)
{
	int log = open(KMSG, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (log < 0)
		return error_set(err, errno, "cannot open " KMSG);
	if (lseek(log, 0, SEEK_END) < 0) {
		int ret = error_set(err, errno, "cannot find the end of " KMSG);

		close(log);
		return ret;
	}
	return log;
}

static bool has_all(const char *text, const char *const *words)
{
	while (*words && strstr(text, *words))
		words++;
	return !*words;
}

/* -EAGAIN: there is none yet. */
static int read_record(int log, char *record, size_t length)
{
	ssize_t got = read(log, record, length - 1);

	if (got < 0)
		return -errno;
	record[got] = '\0';
	return 0;
}

/* It begins after a semicolon, and ends with the line. */
static const char *text_of(const char *record)
{
	const char *semicolon = strchr(record, ';');

	return semicolon ? semicolon + 1 : record;
}

int kernel_log_wait(int log, const char *const *words, unsigned int timeout_ms, char *line, size_t length,
		    struct error *err)
{
	const int64_t deadline = clock_now_ns() + timeout_ms * NS_PER_MS;
	struct pollfd events = { .fd = log, .events = POLLIN };
	char record[RECORD_MAX];

	for (;;) {
		int ret = read_record(log, record, sizeof(record));
		int64_t left = deadline - clock_now_ns();

		if (!ret && has_all(text_of(record), words)) {
			snprintf(line, length, "%.*s", (int)strcspn(text_of(record), "\n"), text_of(record));
			return 0;
		}
		/* EPIPE: records were lost, as newer ones took their place. */
		if (ret && ret != -EAGAIN && ret != -EPIPE)
			return error_set(err, -ret, "reading " KMSG " failed");
		if (left <= 0)
			return error_set(err, ETIMEDOUT, "the kernel has not said \"%s\" for %u ms", words[0],
					 timeout_ms);
		if (ret == -EAGAIN)
			poll(&events, 1, (int)(left / NS_PER_MS) + 1);
	}
}
