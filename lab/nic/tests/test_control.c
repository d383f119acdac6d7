// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The control socket, asked over real sockets by clients that behave and by some that do not. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../control/control.h"

#define HANG_SECONDS 60

static struct ev_loop *loop;
static struct counters *counters;
static struct knobs *knobs;
static struct control *control;
static int client;
static unsigned int releases;

static void on_release(void *opaque, const char *operation, uint64_t ticket)
{
	(void)opaque;
	(void)operation;
	(void)ticket;
	releases++;
}

static int connected_client(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(control_serve(control, pair[1]), 0);
	return pair[0];
}

static int setup(void **state)
{
	(void)state;
	alarm(HANG_SECONDS);
	releases = 0;
	loop = ev_loop_new(EVFLAG_AUTO);
	counters = counters_new();
	knobs = knobs_new();
	knobs_set_release(knobs, on_release, NULL);
	control = control_new(loop, counters, knobs);
	client = connected_client();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	control_free(control);
	knobs_free(knobs);
	counters_free(counters);
	ev_loop_destroy(loop);
	if (client >= 0)
		close(client);
	return 0;
}

/* Sends without waiting, running the loop whenever the socket is full. */
static void send_text(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			ev_run(loop, EVRUN_NOWAIT);
			continue;
		}
		text += n;
		len -= n;
	}
}

static json_t *receive(int fd)
{
	static char line[1 << 20];
	size_t used = 0;
	json_t *reply;

	for (;;) {
		ssize_t n = recv(fd, line + used, 1, MSG_DONTWAIT);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			ev_run(loop, EVRUN_ONCE);
			continue;
		}
		assert_int_equal(n, 1);
		if (line[used] == '\n')
			break;
		assert_true(++used < sizeof(line));
	}
	reply = json_loadb(line, used, 0, NULL);
	assert_true(json_is_object(reply));
	return reply;
}

static json_t *ask(const char *request)
{
	send_text(client, request, strlen(request));
	send_text(client, "\n", 1);
	return receive(client);
}

static void assert_error(json_t *reply)
{
	assert_non_null(json_string_value(json_object_get(reply, "error")));
	json_decref(reply);
}

static void assert_ok(json_t *reply)
{
	assert_null(json_object_get(reply, "error"));
	json_decref(reply);
}

static json_int_t count_in(json_t *reply, const char *name)
{
	json_t *value = json_object_get(json_object_get(reply, "counters"), name);
	json_int_t count = json_integer_value(value);

	assert_true(json_is_integer(value));
	json_decref(reply);
	return count;
}

static void counters_are_told_and_reset(void **state)
{
	(void)state;
	*counter(counters, "umrs") = 12;
	assert_int_equal(count_in(ask("{\"command\":\"counters\"}"), "umrs"), 12);
	assert_ok(ask("{\"command\":\"reset_counters\"}"));
	assert_int_equal(count_in(ask("{\"command\":\"counters\"}"), "umrs"), 0);
}

static void rules_hold_and_release(void **state)
{
	json_t *reply;

	(void)state;
	assert_ok(ask("{\"command\":\"rule\",\"operation\":\"umr\",\"action\":\"hold\"}"));
	assert_int_equal(knob_check(knobs, "umr").action, KNOB_HOLD);
	reply = ask("{\"command\":\"held\"}");
	assert_int_equal(json_array_size(json_object_get(reply, "held")), 1);
	json_decref(reply);
	reply = ask("{\"command\":\"release\",\"operation\":\"page_fault\"}");
	assert_int_equal(json_integer_value(json_object_get(reply, "released")), 0);
	json_decref(reply);
	reply = ask("{\"command\":\"release\",\"operation\":\"umr\"}");
	assert_int_equal(json_integer_value(json_object_get(reply, "released")), 1);
	json_decref(reply);
	assert_int_equal(releases, 1);
	assert_ok(ask("{\"command\":\"rule\",\"operation\":\"umr\",\"action\":\"drop\"}"));
	assert_ok(ask("{\"command\":\"clear_rules\"}"));
	assert_int_equal(knob_check(knobs, "umr").action, KNOB_PASS);
	assert_error(ask("{\"command\":\"rule\",\"operation\":\"umr\"}"));
	assert_error(ask("{\"command\":\"release\",\"operation\":7}"));
	assert_error(ask("{\"command\":\"release\",\"most\":-1}"));
}

static json_t *model_command(void *opaque, const json_t *request)
{
	if (!json_object_get(request, "qpn"))
		return control_error("query_qp takes a %s", "qpn");
	return json_pack("{s:s}", "state", (const char *)opaque);
}

static void models_add_commands(void **state)
{
	char text[] = "RTS";
	json_t *reply;

	(void)state;
	control_add_command(control, "query_qp", "{qpn}: what is known of it", model_command, text);
	reply = ask("{\"command\":\"query_qp\",\"qpn\":5}");
	assert_string_equal(json_string_value(json_object_get(reply, "state")), "RTS");
	json_decref(reply);
	assert_error(ask("{\"command\":\"query_qp\"}"));
	reply = ask("{\"command\":\"help\"}");
	assert_non_null(json_object_get(json_object_get(reply, "commands"), "query_qp"));
	assert_non_null(json_object_get(json_object_get(reply, "commands"), "wait"));
	json_decref(reply);
}

static void id_comes_back(void **state)
{
	json_t *reply;

	(void)state;
	*counter(counters, "umrs") = 1;
	reply = ask("{\"command\":\"held\",\"id\":[1,\"a\"]}");
	assert_int_equal(json_array_size(json_object_get(reply, "id")), 2);
	json_decref(reply);
	reply = ask("{\"command\":\"wait\",\"counter\":\"umrs\",\"at_least\":1,\"id\":7}");
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), 7);
	json_decref(reply);
	reply = ask("{\"command\":\"nonsense\",\"id\":8}");
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), 8);
	assert_error(reply);
}

static void count_up(struct ev_loop *in, ev_timer *timer, int revents)
{
	(void)in;
	(void)revents;
	++*(uint64_t *)timer->data;
}

static void wait_ends_when_the_counter_is_there(void **state)
{
	ev_timer timer;
	json_t *reply;
	int other = connected_client();

	(void)state;
	ev_timer_init(&timer, count_up, 0.001, 0.001);
	timer.data = counter(counters, "umrs");
	ev_timer_start(loop, &timer);
	send_text(client, "{\"command\":\"wait\",\"counter\":\"umrs\",\"at_least\":20}\n", 50);
	/* Another client is served meanwhile, and so is this one. */
	send_text(other, "{\"command\":\"held\"}\n", 19);
	assert_ok(receive(other));
	reply = receive(client);
	assert_true(json_is_false(json_object_get(reply, "timed_out")));
	assert_int_equal(json_integer_value(json_object_get(reply, "value")), 20);
	json_decref(reply);
	ev_timer_stop(loop, &timer);
	close(other);
}

static void wait_ends_by_its_timeout(void **state)
{
	json_t *reply;

	(void)state;
	*counter(counters, "umrs") = 3;
	reply = ask("{\"command\":\"wait\",\"counter\":\"umrs\",\"at_least\":4,"
		    "\"timeout_ms\":20}");
	assert_true(json_is_true(json_object_get(reply, "timed_out")));
	assert_int_equal(json_integer_value(json_object_get(reply, "value")), 3);
	json_decref(reply);
	assert_error(ask("{\"command\":\"wait\",\"counter\":\"absent\",\"at_least\":4}"));
	assert_error(ask("{\"command\":\"wait\",\"counter\":\"umrs\"}"));
	assert_error(ask("{\"command\":\"wait\",\"counter\":\"umrs\",\"at_least\":-1}"));
	assert_error(ask("{\"command\":\"wait\",\"counter\":\"umrs\",\"at_least\":9,"
			 "\"timeout_ms\":1e99}"));
	assert_error(ask("{\"command\":\"wait\",\"counter\":\"umrs\",\"at_least\":9,"
			 "\"timeout_ms\":99999999999}"));
}

static void client_leaves_while_it_waits(void **state)
{
	int other = connected_client();

	(void)state;
	*counter(counters, "umrs") = 0;
	send_text(other, "{\"command\":\"wait\",\"counter\":\"umrs\",\"at_least\":1}\n", 49);
	ev_run(loop, EVRUN_ONCE);
	close(other);
	ev_run(loop, EVRUN_ONCE);
	*counter(counters, "umrs") = 1;
	control_poll_waits(control);
	assert_int_equal(count_in(ask("{\"command\":\"counters\"}"), "umrs"), 1);
}

static void nonsense_is_answered(void **state)
{
	static const char *const nonsense[] = {
		"x", "{", "[]", "null", "7", "\"counters\"", "{}", "{\"command\":7}",
		"{\"command\":\"\"}", "{\"command\":null}", "{\"command\":\"no such\"}",
		"{\"command\":\"held\",\"command\":\"held\"}", "{\"command\":\"held\"} trailing",
		"{\"command\":\"\\u0000\"}", "{\"command\":\"\xff\xfe\"}", "\xf0\x9f",
		"{\"command\":\"wait\"}", "{\"command\":\"rule\"}",
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		assert_error(ask(nonsense[i]));
	/* Deep nesting must not overflow the stack. */
	for (unsigned int i = 0; i < 60000; i++)
		send_text(client, "[", 1);
	assert_error(ask(""));
	/* Bytes of zero, and empty lines, which say nothing. */
	send_text(client, "\n\n\n\0\0\n", 6);
	assert_error(receive(client));
	assert_ok(ask("{\"command\":\"held\"}"));
}

static void endless_line_is_refused_and_the_next_one_served(void **state)
{
	char chunk[4096];

	(void)state;
	memset(chunk, 'a', sizeof(chunk));
	for (unsigned int i = 0; i < 1024; i++)
		send_text(client, chunk, sizeof(chunk));
	assert_error(ask(""));
	assert_ok(ask("{\"command\":\"held\"}"));
}

static void request_in_pieces_and_requests_in_one_piece(void **state)
{
	const char *request = "{\"command\":\"held\"}\n";

	(void)state;
	for (const char *c = request; *c; c++) {
		send_text(client, c, 1);
		ev_run(loop, EVRUN_NOWAIT);
	}
	assert_ok(receive(client));
	for (unsigned int i = 0; i < 100; i++)
		send_text(client, request, strlen(request));
	for (unsigned int i = 0; i < 100; i++)
		assert_ok(receive(client));
	/* The last piece never comes. */
	send_text(client, request, 5);
	ev_run(loop, EVRUN_NOWAIT);
	close(client);
	client = -1;
	ev_run(loop, EVRUN_ONCE);
}

/* It asks and asks, and reads no answer: memory stays bounded, others are served. */
static void client_that_never_reads(void **state)
{
	int other = connected_client();

	(void)state;
	for (unsigned int i = 0; i < 8000; i++)
		send_text(other, "{\"command\":\"help\"}\n", 19);
	assert_ok(ask("{\"command\":\"held\"}"));
	close(other);
	assert_ok(ask("{\"command\":\"held\"}"));
}

static void client_that_stops_reading_is_dropped(void **state)
{
	int other = connected_client();
	struct pollfd hung_up = { .fd = other };

	(void)state;
	shutdown(other, SHUT_RD);
	send_text(other, "{\"command\":\"help\"}\n", 19);
	while (poll(&hung_up, 1, 0) == 0 || !(hung_up.revents & POLLHUP))
		ev_run(loop, EVRUN_ONCE);
	close(other);
	assert_ok(ask("{\"command\":\"held\"}"));
}

static void listens_at_a_path(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control *second = control_new(loop, counters, knobs);
	char folder[] = "/tmp/control-XXXXXX", path[64];
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	strcpy(address.sun_path, path);
	/* A file left behind by somebody who died. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_listen(control, path), 0);
	/* Somebody listens: it is not taken from him. */
	assert_int_equal(control_listen(second, path), -EADDRINUSE);
	control_free(second);
	close(client);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_ok(ask("{\"command\":\"held\"}"));
	second = control_new(loop, counters, knobs);
	assert_true(control_listen(second, "/no/such/folder/socket") < 0);
	control_free(second);
	control_free(control);
	assert_int_equal(stat(address.sun_path, &st), -1);
	control = control_new(loop, counters, knobs);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(counters_are_told_and_reset),
		TEST(rules_hold_and_release),
		TEST(models_add_commands),
		TEST(id_comes_back),
		TEST(wait_ends_when_the_counter_is_there),
		TEST(wait_ends_by_its_timeout),
		TEST(client_leaves_while_it_waits),
		TEST(nonsense_is_answered),
		TEST(endless_line_is_refused_and_the_next_one_served),
		TEST(request_in_pieces_and_requests_in_one_piece),
		TEST(client_that_never_reads),
		TEST(client_that_stops_reading_is_dropped),
		TEST(listens_at_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
