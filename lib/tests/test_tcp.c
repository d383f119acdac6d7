/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "tcp.h"
#include "test.h"

struct connection {
	int listener, one, other;
	uint16_t port;
};

static int set_up(void **state)
{
	static struct connection connection;
	struct error err;

	connection.port = 0;
	connection.listener = tcp_listen("127.0.0.1", &connection.port, &err);
	assert_true(connection.listener >= 0);
	assert_int_not_equal(connection.port, 0);
	connection.one = tcp_connect("127.0.0.1", connection.port, &err);
	connection.other = tcp_accept(connection.listener, NS_PER_S, &err);
	assert_true(connection.one >= 0 && connection.other >= 0);
	*state = &connection;
	return 0;
}

static int tear_down(void **state)
{
	struct connection *connection = *state;

	close(connection->listener);
	close(connection->one);
	if (connection->other >= 0)
		close(connection->other);
	return 0;
}

static void all_of_it(void **state)
{
	struct connection *connection = *state;
	char sent[6000], received[6000];
	struct error err;

	memset(sent, 'x', sizeof(sent));
	assert_int_equal(tcp_send(connection->one, sent, 1, &err), 0);
	assert_int_equal(tcp_send(connection->one, sent, sizeof(sent) - 1, &err), 0);
	assert_int_equal(tcp_receive(connection->other, received, sizeof(received), &err), 0);
	assert_memory_equal(sent, received, sizeof(sent));
}

static void peer_is_gone(void **state)
{
	struct connection *connection = *state;
	struct error err;
	char byte = 0;
	int ret;

	assert_int_equal(tcp_send(connection->other, &byte, 1, &err), 0);
	close(connection->other);
	connection->other = -1;
	assert_int_equal(tcp_receive(connection->one, (char[2]){ 0 }, 2, &err), -ECONNRESET);
	assert_non_null(strstr(err.text, "went away"));
	/* The first one may still be taken. */
	do {
		ret = tcp_send(connection->one, &byte, 1, &err);
	} while (!ret);
	assert_int_equal(ret, -ECONNRESET);
}

static void time_limits(void **state)
{
	struct connection *connection = *state;
	struct error err;
	char byte = 0;

	assert_int_equal(tcp_set_timeout(connection->one, 20 * NS_PER_MS, &err), 0);
	assert_int_equal(tcp_receive(connection->one, &byte, 1, &err), -ETIMEDOUT);
	assert_int_equal(tcp_accept(connection->listener, 20 * NS_PER_MS, &err), -ETIMEDOUT);
}

static void wrong_addresses(void **state)
{
	struct connection *connection = *state;
	uint16_t taken = connection->port;
	struct error err;

	assert_int_equal(tcp_listen("127.0.0.1", &taken, &err), -EADDRINUSE);
	assert_int_equal(tcp_connect("256.0.0.1", 1, &err), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.text, "256.0.0.1"));
	close(connection->listener);
	assert_int_equal(tcp_connect("127.0.0.1", connection->port, &err), -ECONNREFUSED);
	connection->listener = dup(connection->one);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_of_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(peer_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(time_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_addresses, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
