// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "control.h"

#include <errno.h>
#include <glib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unix_listener.h"

#define MAX_LINE (64u << 10)
#define MAX_PENDING_OUTPUT (4u << 20)
#define MAX_WAIT_MS (60 * 60 * 1000)

struct command {
	const char *name, *help;
	control_command_fn fn;
	void *opaque;
};

struct client {
	struct control *control;
	ev_io readable, writable;
	GByteArray *in, *out;
	bool skipping; /* the rest of a line that was too long */
};

struct wait {
	struct client *client;
	char *counter;
	uint64_t at_least;
	json_t *id;
	ev_timer timeout;
};

struct control {
	struct ev_loop *loop;
	struct counters *counters;
	struct knobs *knobs;
	GArray *commands;
	GList *clients, *waits;
	struct unix_listener *listener;
	ev_prepare before_sleep;
};

json_t *control_error(const char *format, ...)
{
	va_list args;
	json_t *error;
	char *text;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	error = json_pack("{s:s}", "error", text);
	g_free(text);
	return error;
}

/* ---- clients --------------------------------------------------------------------------------- */

static void wait_free(struct wait *wait)
{
	struct control *control = wait->client->control;

	ev_timer_stop(control->loop, &wait->timeout);
	control->waits = g_list_remove(control->waits, wait);
	g_free(wait->counter);
	json_decref(wait->id);
	g_free(wait);
}

static void client_free(struct client *client)
{
	struct control *control = client->control;

	for (GList *link = control->waits; link;) {
		struct wait *wait = link->data;

		link = link->next;
		if (wait->client == client)
			wait_free(wait);
	}
	ev_io_stop(control->loop, &client->readable);
	ev_io_stop(control->loop, &client->writable);
	close(client->readable.fd);
	g_byte_array_unref(client->in);
	g_byte_array_unref(client->out);
	control->clients = g_list_remove(control->clients, client);
	g_free(client);
}

static void client_flush(struct client *client)
{
	while (client->out->len) {
		ssize_t n = send(client->writable.fd, client->out->data, client->out->len,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			/* Nobody reads the answers any more. Reading now ends the client, from the
			 * loop: who called this may still use it. */
			g_byte_array_set_size(client->out, 0);
			shutdown(client->writable.fd, SHUT_RDWR);
		}
		if (n <= 0)
			break;
		g_byte_array_remove_range(client->out, 0, n);
	}
	if (client->out->len)
		ev_io_start(client->control->loop, &client->writable);
	else
		ev_io_stop(client->control->loop, &client->writable);
}

/* id: the request's, or NULL; goes back with the reply, so that late replies can be told apart. */
static void client_reply(struct client *client, json_t *reply, json_t *id)
{
	char *line;

	if (id)
		json_object_set(reply, "id", id);
	line = json_dumps(reply, JSON_COMPACT);

	json_decref(reply);
	/* One who asks without ever reading the answers gets no more of them. */
	if (line && client->out->len < MAX_PENDING_OUTPUT) {
		g_byte_array_append(client->out, (const guint8 *)line, strlen(line));
		g_byte_array_append(client->out, (const guint8 *)"\n", 1);
	}
	free(line);
	client_flush(client);
}

/* ---- built-in commands ----------------------------------------------------------------------- */

static json_t *command_counters(void *opaque, const json_t *request)
{
	struct control *control = opaque;

	(void)request;
	return json_pack("{s:o}", "counters", counters_json(control->counters));
}

static json_t *command_reset_counters(void *opaque, const json_t *request)
{
	struct control *control = opaque;

	(void)request;
	counters_reset(control->counters);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *command_rule(void *opaque, const json_t *request)
{
	struct control *control = opaque;
	const char *wrong = knobs_add_rule(control->knobs, request);

	return wrong ? control_error("rule: %s", wrong) : json_pack("{s:b}", "ok", 1);
}

static json_t *command_clear_rules(void *opaque, const json_t *request)
{
	struct control *control = opaque;

	(void)request;
	knobs_clear_rules(control->knobs);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *command_release(void *opaque, const json_t *request)
{
	struct control *control = opaque;
	const char *operation = NULL;
	json_int_t most = UINT32_MAX;

	if (json_unpack((json_t *)request, "{s?s, s?I}", "operation", &operation, "most", &most) ||
	    most < 0 || most > UINT32_MAX)
		return control_error("release takes a string `operation` and a count `most`, "
				     "both optional");
	return json_pack("{s:i}", "released", knobs_release(control->knobs, operation, most));
}

static json_t *command_held(void *opaque, const json_t *request)
{
	struct control *control = opaque;

	(void)request;
	return json_pack("{s:o}", "held", knobs_held_json(control->knobs));
}

static json_t *command_help(void *opaque, const json_t *request)
{
	struct control *control = opaque;
	json_t *list = json_object();

	(void)request;
	for (unsigned int i = 0; i < control->commands->len; i++) {
		struct command *command = &g_array_index(control->commands, struct command, i);

		json_object_set_new(list, command->name, json_string(command->help));
	}
	json_object_set_new(list, "wait",
			    json_string("{counter, at_least, timeout_ms}: answered when the "
					"counter has got there"));
	return json_pack("{s:o}", "commands", list);
}

/* ---- wait: the one command that is answered later -------------------------------------------- */

static bool wait_answer(struct wait *wait, bool timed_out)
{
	struct client *client = wait->client;
	const uint64_t *value = counters_find(client->control->counters, wait->counter);

	if (!timed_out && (!value || *value < wait->at_least))
		return false;
	client_reply(client, json_pack("{s:s, s:I, s:b}", "counter", wait->counter, "value",
				       (json_int_t)(value ? *value : 0), "timed_out",
				       timed_out ? 1 : 0),
		     wait->id);
	wait_free(wait);
	return true;
}

static void on_wait_timeout(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	wait_answer(timer->data, true);
}

static json_t *start_wait(struct client *client, const json_t *request)
{
	struct control *control = client->control;
	json_int_t at_least, timeout_ms = 10000;
	const char *name;
	struct wait *wait;

	if (json_unpack((json_t *)request, "{s:s, s:I, s?I}", "counter", &name, "at_least",
			&at_least, "timeout_ms", &timeout_ms) ||
	    at_least < 0 || timeout_ms < 0 || timeout_ms > MAX_WAIT_MS)
		return control_error("wait takes a counter's name, at_least, and optionally "
				     "timeout_ms of at most %d", MAX_WAIT_MS);
	if (!counters_find(control->counters, name))
		return control_error("wait: there is no counter %s", name);
	wait = g_new0(struct wait, 1);
	wait->client = client;
	wait->counter = g_strdup(name);
	wait->at_least = at_least;
	wait->id = json_incref(json_object_get(request, "id"));
	ev_timer_init(&wait->timeout, on_wait_timeout, timeout_ms / 1000., 0);
	wait->timeout.data = wait;
	ev_now_update(control->loop);
	ev_timer_start(control->loop, &wait->timeout);
	control->waits = g_list_append(control->waits, wait);
	wait_answer(wait, false);
	return NULL;
}

void control_poll_waits(struct control *control)
{
	GList *link = control->waits;

	while (link) {
		struct wait *wait = link->data;

		link = link->next;
		wait_answer(wait, false);
	}
}

static void on_before_sleep(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
	(void)loop;
	(void)revents;
	control_poll_waits(watcher->data);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void handle_line(struct client *client, const char *line, size_t len)
{
	struct control *control = client->control;
	json_t *reply = NULL, *request;
	json_error_t error;
	const char *name;

	request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (!request) {
		client_reply(client, control_error("not a JSON value: %s", error.text), NULL);
		return;
	}
	name = json_string_value(json_object_get(request, "command"));
	if (!name) {
		reply = control_error("a request is an object with a string `command`");
	} else if (!strcmp(name, "wait")) {
		reply = start_wait(client, request);
	} else {
		for (unsigned int i = 0; i < control->commands->len && !reply; i++) {
			struct command *command =
				&g_array_index(control->commands, struct command, i);

			if (!strcmp(command->name, name))
				reply = command->fn(command->opaque, request);
		}
		if (!reply)
			reply = control_error("there is no command %s; see help", name);
	}
	if (reply)
		client_reply(client, reply, json_object_get(request, "id"));
	json_decref(request);
}

static void handle_input(struct client *client)
{
	const guint8 *end;

	while ((end = memchr(client->in->data, '\n', client->in->len))) {
		size_t len = end - client->in->data;

		if (client->skipping) {
			client->skipping = false;
			client_reply(client, control_error("a request has at most %u bytes",
							   MAX_LINE), NULL);
		} else if (len) {
			handle_line(client, (const char *)client->in->data, len);
		}
		g_byte_array_remove_range(client->in, 0, len + 1);
	}
	if (client->in->len > MAX_LINE) {
		client->skipping = true;
		g_byte_array_set_size(client->in, 0);
	}
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct client *client = watcher->data;
	guint8 data[4096];
	ssize_t n = read(watcher->fd, data, sizeof(data));

	(void)loop;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(client);
		return;
	}
	g_byte_array_append(client->in, data, n);
	handle_input(client);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
	(void)loop;
	(void)revents;
	client_flush(watcher->data);
}

int control_serve(struct control *control, int fd)
{
	struct client *client;
	int ret = unix_listener_set_nonblocking(fd);

	if (ret) {
		close(fd);
		return ret;
	}
	client = g_new0(struct client, 1);
	client->control = control;
	client->in = g_byte_array_new();
	client->out = g_byte_array_new();
	ev_io_init(&client->readable, on_readable, fd, EV_READ);
	ev_io_init(&client->writable, on_writable, fd, EV_WRITE);
	client->readable.data = client->writable.data = client;
	ev_io_start(control->loop, &client->readable);
	control->clients = g_list_prepend(control->clients, client);
	return 0;
}

static void on_connection(void *opaque, int fd)
{
	control_serve(opaque, fd);
}

int control_listen(struct control *control, const char *socket_path)
{
	int error = 0;

	control->listener = unix_listener_new(control->loop, socket_path, on_connection, control,
					      &error);
	return error;
}

void control_add_command(struct control *control, const char *name, const char *help,
			 control_command_fn fn, void *opaque)
{
	struct command command = { name, help, fn, opaque };

	g_array_append_val(control->commands, command);
}

struct control *control_new(struct ev_loop *loop, struct counters *counters, struct knobs *knobs)
{
	struct control *control = g_new0(struct control, 1);

	control->loop = loop;
	control->counters = counters;
	control->knobs = knobs;
	control->commands = g_array_new(FALSE, FALSE, sizeof(struct command));
	ev_prepare_init(&control->before_sleep, on_before_sleep);
	control->before_sleep.data = control;
	ev_prepare_start(loop, &control->before_sleep);
	ev_unref(loop);
	control_add_command(control, "help", "this list", command_help, control);
	control_add_command(control, "counters", "all counters", command_counters, control);
	control_add_command(control, "reset_counters", "all counters to 0",
			    command_reset_counters, control);
	control_add_command(control, "rule",
			    "{operation, action: delay|hold|drop|fail, skip, count, delay_us, "
			    "status}: what happens to the operation",
			    command_rule, control);
	control_add_command(control, "clear_rules", "no rule is left; what is held stays held",
			    command_clear_rules, control);
	control_add_command(control, "release", "{operation, most}: held operations go on",
			    command_release, control);
	control_add_command(control, "held", "held operations, oldest first", command_held,
			    control);
	return control;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	while (control->clients)
		client_free(control->clients->data);
	unix_listener_free(control->listener);
	ev_ref(control->loop);
	ev_prepare_stop(control->loop, &control->before_sleep);
	g_array_unref(control->commands);
	g_free(control);
}
