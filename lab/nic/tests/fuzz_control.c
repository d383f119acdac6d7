// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* libFuzzer target: a client of the control socket that says anything. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../control/control.h"

static void require(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

/* Every reply is one JSON object a line. */
static void check_replies(int fd)
{
	static char line[1 << 20];
	static size_t used;
	char *end;
	ssize_t n;

	used = 0;
	while ((n = recv(fd, line + used, sizeof(line) - used, MSG_DONTWAIT)) > 0)
		used += n;
	while ((end = memchr(line, '\n', used))) {
		json_t *reply = json_loadb(line, end - line, 0, NULL);

		require(json_is_object(reply), "a reply is a JSON object");
		json_decref(reply);
		used -= end + 1 - line;
		memmove(line, end + 1, used);
	}
	require(!used, "a reply ends with its line");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ev_loop *loop;
	struct counters *counters = counters_new();
	struct knobs *knobs = knobs_new();
	struct control *control;
	int pair[2];

	if (!loop)
		loop = ev_loop_new(EVFLAG_AUTO);
	*counter(counters, "umrs") = 5;
	control = control_new(loop, counters, knobs);
	require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "a socket pair");
	require(!control_serve(control, pair[1]), "the client is taken");
	/* Bytes of zero cut the input into pieces that arrive apart; rules apply in between. */
	while (size) {
		const uint8_t *cut = memchr(data, 0, size);
		size_t piece = cut ? (size_t)(cut - data) : size;

		if (piece && send(pair[0], data, piece, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		knob_check(knobs, "umr");
		for (unsigned int i = 0; i < 4; i++)
			ev_run(loop, EVRUN_NOWAIT);
		check_replies(pair[0]);
		piece += cut != NULL;
		data += piece;
		size -= piece;
	}
	close(pair[0]);
	ev_run(loop, EVRUN_NOWAIT);
	control_free(control);
	knobs_free(knobs);
	counters_free(counters);
	ev_run(loop, EVRUN_NOWAIT);
	return 0;
}
