/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "lab_control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "patience.h"

#define PORT_PATH "/dev/virtio-ports/lab.nic"
#define REPLY_TIMEOUT_MS patience(30000)

struct lab_control {
	int fd;
	size_t used;
	char buffer[1 << 16];
};

int lab_control_open(struct lab_control **result, struct error *err)
{
	struct lab_control *control;
	int fd;

	*result = NULL;
	fd = open(PORT_PATH, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENODEV || errno == ENXIO ?
			error_missing(err, ENODEV, "%s is not there: this NIC is not one of the "
				      "lab's models", PORT_PATH) :
			error_set(err, errno, "cannot open %s", PORT_PATH);
	control = calloc(1, sizeof(*control));
	if (!control) {
		close(fd);
		return error_set(err, ENOMEM, "no memory for the control port");
	}
	control->fd = fd;
	*result = control;
	return 0;
}

void lab_control_close(struct lab_control *control)
{
	if (!control)
		return;
	close(control->fd);
	free(control);
}

static int send_line(struct lab_control *control, const char *line, struct error *err)
{
	size_t length = strlen(line), done = 0;

	while (done < length) {
		ssize_t n = write(control->fd, line + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, errno, "writing to %s failed", PORT_PATH);
		done += (size_t)n;
	}
	return 0;
}

/* The first line of the buffer without its end, and how many bytes it took with it. */
static char *first_line(struct lab_control *control, size_t *taken)
{
	char *end = memchr(control->buffer, '\n', control->used);

	if (!end)
		return NULL;
	*end = '\0';
	*taken = (size_t)(end - control->buffer) + 1;
	return control->buffer;
}

static int fill(struct lab_control *control, int timeout_ms, struct error *err)
{
	struct pollfd port = { .fd = control->fd, .events = POLLIN };
	ssize_t n;
	int ready;

	if (control->used == sizeof(control->buffer))
		return error_set(err, EMSGSIZE, "a reply on %s is longer than %zu bytes", PORT_PATH,
				 sizeof(control->buffer));
	do {
		ready = poll(&port, 1, timeout_ms);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return error_set(err, errno, "waiting for %s failed", PORT_PATH);
	if (!ready)
		return error_set(err, ETIMEDOUT, "the device model did not answer on %s within %d ms",
				 PORT_PATH, timeout_ms);
	n = read(control->fd, control->buffer + control->used,
		 sizeof(control->buffer) - control->used);
	if (n < 0)
		return errno == EINTR ? 0 : error_set(err, errno, "reading %s failed", PORT_PATH);
	if (!n)
		return error_set(err, EPIPE, "nobody listens at the other end of %s: has the device "
				 "model ended?", PORT_PATH);
	control->used += (size_t)n;
	return 0;
}

static int receive(struct lab_control *control, int timeout_ms, json_t **reply, struct error *err)
{
	json_error_t parse_error;
	size_t taken;
	char *line;
	int ret;

	while (!(line = first_line(control, &taken))) {
		ret = fill(control, timeout_ms, err);
		if (ret)
			return ret;
	}
	*reply = json_loads(line, 0, &parse_error);
	if (*reply)
		ret = 0;
	else
		ret = error_set(err, EPROTO, "the device model's answer is no JSON (%s): %.100s",
				parse_error.text, line);
	control->used -= taken;
	memmove(control->buffer, control->buffer + taken, control->used);
	return ret;
}

static int exchange(struct lab_control *control, json_t *request, int timeout_ms, json_t **reply,
		    struct error *err)
{
	char *text = json_dumps(request, JSON_COMPACT);
	char *line = NULL;
	int ret;

	json_decref(request);
	if (!text || asprintf(&line, "%s\n", text) < 0) {
		free(text);
		return error_set(err, ENOMEM, "no memory for a request to the device model");
	}
	free(text);
	ret = send_line(control, line, err);
	free(line);
	return ret ?: receive(control, timeout_ms, reply, err);
}

/* What went wrong is {"error": TEXT}; a wait that was in vain says "timed_out". */
static int check(const json_t *reply, struct error *err)
{
	const char *text = json_string_value(json_object_get(reply, "error"));

	if (text)
		return error_set(err, EREMOTEIO, "the device model refused: %s", text);
	if (json_is_true(json_object_get(reply, "timed_out")))
		return error_set(err, ETIMEDOUT, "the device model's counter did not get there");
	return 0;
}

static int request_within(struct lab_control *control, json_t *request, int timeout_ms,
			  json_t **result, struct error *err)
{
	json_t *reply = NULL;
	int ret;

	if (!request)
		return error_set(err, EINVAL, "a request to the device model that is no JSON");
	ret = exchange(control, request, timeout_ms, &reply, err);
	if (!ret)
		ret = check(reply, err);
	if (!ret && result)
		*result = reply;
	else
		json_decref(reply);
	return ret;
}

int lab_control_request(struct lab_control *control, json_t *request, json_t **reply,
			struct error *err)
{
	return request_within(control, request, REPLY_TIMEOUT_MS, reply, err);
}

int lab_control_counter(struct lab_control *control, const char *name, uint64_t *value,
			struct error *err)
{
	const json_t *counter;
	json_t *reply;
	int ret;

	ret = lab_control_request(control, json_pack("{s:s}", "command", "counters"), &reply, err);
	if (ret)
		return ret;
	counter = json_object_get(json_object_get(reply, "counters"), name);
	if (json_is_integer(counter))
		*value = (uint64_t)json_integer_value(counter);
	else
		ret = error_set(err, ENOENT, "the device model has no counter \"%s\"", name);
	json_decref(reply);
	return ret;
}

int lab_set_link(struct lab_control *control, json_t *how, struct error *err)
{
	if (!control) {
		json_decref(how);
		return error_missing(err, ENODEV, "only the lab can spoil a link");
	}
	json_object_set_new(how, "command", json_string("link"));
	return lab_control_request(control, how, NULL, err);
}

void lab_mend_link(struct lab_control *control)
{
	struct error ignored;

	lab_set_link(control, json_pack("{s:b, s:i, s:i}", "up", 1, "loss", 0, "delay_us", 0),
		     &ignored);
}

int lab_control_wait(struct lab_control *control, const char *name, uint64_t at_least,
		     unsigned int timeout_ms, struct error *err)
{
	json_t *request = json_pack("{s:s, s:s, s:I, s:i}", "command", "wait", "counter", name,
				    "at_least", (json_int_t)at_least, "timeout_ms", (int)timeout_ms);

	return request_within(control, request, (int)timeout_ms + REPLY_TIMEOUT_MS, NULL, err);
}
