/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Who finds whom, and what links do to packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <ev.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../common/fabric.h"
#include "../control/control.h"
#include "../control/counters.h"
#include "../control/knobs.h"

#define PACKETS 10000u

static const unsigned char address_a[2] = {0, 1}, address_b[2] = {0, 2};

struct pair {
	struct fabric *fabric;
	struct counters *counters;
	int a, b; /* stand for devices */
	struct fabric_port *port_a, *port_b;
};

static int set_up(void **state)
{
	static struct pair pair;

	pair.fabric = fabric_new();
	pair.counters = counters_new();
	pair.port_a = fabric_attach(pair.fabric, address_a, 2, &pair.a, pair.counters);
	pair.port_b = fabric_attach(pair.fabric, address_b, 2, &pair.b, pair.counters);
	*state = &pair;
	return !pair.port_a || !pair.port_b;
}

static int tear_down(void **state)
{
	struct pair *pair = *state;

	fabric_detach(pair->port_a);
	fabric_detach(pair->port_b);
	fabric_free(pair->fabric);
	counters_free(pair->counters);
	return 0;
}

static void test_addresses(void **state)
{
	static const unsigned char nobody[2] = {0, 3}, longer[4] = {0, 0, 0, 2}, far_too_long[17];
	struct pair *pair = *state;

	assert_ptr_equal(fabric_lookup(pair->port_a, address_b, 2), &pair->b);
	assert_ptr_equal(fabric_reach(pair->port_a, address_a, 2), &pair->a);
	assert_ptr_equal(fabric_reach(pair->port_a, longer, 4), &pair->b);
	assert_null(fabric_reach(pair->port_a, nobody, 2));
	assert_null(fabric_lookup(pair->port_a, far_too_long, sizeof(far_too_long)));
	/* Taken, and free again. */
	assert_null(fabric_attach(pair->fabric, address_b, 2, &pair->b, pair->counters));
	fabric_detach(pair->port_b);
	assert_null(fabric_lookup(pair->port_a, address_b, 2));
	pair->port_b = fabric_attach(pair->fabric, address_b, 2, &pair->b, pair->counters);
	assert_non_null(pair->port_b);
}

static unsigned int changes;

static void on_change(void *device, bool up)
{
	*(int *)device = up ? 1 : -1;
	changes++;
}

static bool count_one(void *device, void *opaque)
{
	(void)device;
	++*(unsigned int *)opaque;
	return true;
}

static void test_down(void **state)
{
	struct pair *pair = *state;
	unsigned int count = 0;

	fabric_on_link_change(pair->port_b, on_change);
	changes = 0;
	fabric_set_link(pair->port_b, false, 0, 0, 1);
	fabric_set_link(pair->port_b, false, 0, 0, 1);
	assert_int_equal(changes, 1);
	assert_int_equal(pair->b, -1);
	assert_false(fabric_link_up(pair->port_b));
	assert_null(fabric_reach(pair->port_a, address_b, 2));
	assert_null(fabric_reach(pair->port_b, address_a, 2));
	assert_false(fabric_carries(pair->port_a, pair->port_b));
	assert_ptr_equal(fabric_lookup(pair->port_a, address_b, 2), &pair->b);
	/* To itself it needs no link. */
	assert_ptr_equal(fabric_reach(pair->port_b, address_b, 2), &pair->b);
	assert_true(fabric_carries(pair->port_b, pair->port_b));
	fabric_for_each(pair->port_a, count_one, &count);
	assert_int_equal(count, 1);
	fabric_set_link(pair->port_b, true, 0, 0, 1);
	assert_int_equal(pair->b, 1);
	fabric_for_each(pair->port_a, count_one, &count);
	assert_int_equal(count, 3);
}

static unsigned int lost(struct pair *pair, unsigned char pattern[PACKETS])
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < PACKETS; i++) {
		pattern[i] = fabric_carries(pair->port_a, pair->port_b);
		count += !pattern[i];
	}
	return count;
}

static void test_loss(void **state)
{
	static unsigned char first[PACKETS], second[PACKETS];
	struct pair *pair = *state;
	unsigned int count;

	assert_int_equal(lost(pair, first), 0);
	fabric_set_link(pair->port_b, true, 100, 0, 7);
	count = lost(pair, first);
	assert_in_range(count, PACKETS / 20, PACKETS / 5);
	assert_int_equal(*counters_find(pair->counters, "link.lost"), count);
	/* The same ones again; others for another seed; all of them. */
	fabric_set_link(pair->port_b, true, 100, 0, 8);
	lost(pair, second);
	assert_memory_not_equal(first, second, PACKETS);
	fabric_set_link(pair->port_b, true, 100, 0, 7);
	lost(pair, second);
	assert_memory_equal(first, second, PACKETS);
	fabric_set_link(pair->port_b, true, 1000, 0, 7);
	assert_int_equal(lost(pair, first), PACKETS);
	assert_true(fabric_carries(pair->port_b, pair->port_b));
}

static void test_delay(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(fabric_delay_ns(pair->port_a, pair->port_b), 0);
	fabric_set_link(pair->port_a, true, 0, 20, 1);
	fabric_set_link(pair->port_b, true, 0, 300, 1);
	assert_int_equal(fabric_delay_ns(pair->port_a, pair->port_b), 320000);
	assert_int_equal(fabric_delay_ns(pair->port_a, pair->port_a), 0);
}

struct client {
	struct ev_loop *loop;
	struct knobs *knobs;
	struct control *control;
	int fd;
};

static json_t *ask(struct client *client, const char *line)
{
	char reply[4096];
	json_t *value;
	ssize_t n;

	assert_int_equal(write(client->fd, line, strlen(line)), strlen(line));
	ev_run(client->loop, EVRUN_ONCE);
	n = recv(client->fd, reply, sizeof(reply), MSG_DONTWAIT);
	assert_true(n > 0);
	value = json_loadb(reply, (size_t)n, 0, NULL);
	assert_non_null(value);
	return value;
}

static void must_answer(struct client *client, const char *line, const char *answer)
{
	json_t *expected = json_loads(answer, 0, NULL), *found = ask(client, line);

	assert_true(json_equal(expected, found));
	json_decref(expected);
	json_decref(found);
}

static void must_refuse(struct client *client, const char *line)
{
	json_t *found = ask(client, line);

	assert_true(json_is_string(json_object_get(found, "error")));
	json_decref(found);
}

static void test_command(void **state)
{
	struct pair *pair = *state;
	struct client client = {.loop = ev_loop_new(0), .knobs = knobs_new()};
	int fds[2];

	client.control = control_new(client.loop, pair->counters, client.knobs);
	fabric_control(pair->port_a, client.control);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(control_serve(client.control, fds[1]), 0);
	client.fd = fds[0];
	must_answer(&client, "{\"command\": \"link\"}\n",
		    "{\"up\": true, \"loss\": 0, \"delay_us\": 0, \"seed\": 1}");
	must_answer(&client, "{\"command\": \"link\", \"loss\": 7, \"delay_us\": 9}\n",
		    "{\"up\": true, \"loss\": 7, \"delay_us\": 9, \"seed\": 1}");
	/* What is not named stays. */
	must_answer(&client, "{\"command\": \"link\", \"up\": false}\n",
		    "{\"up\": false, \"loss\": 7, \"delay_us\": 9, \"seed\": 1}");
	assert_false(fabric_link_up(pair->port_a));
	must_refuse(&client, "{\"command\": \"link\", \"loss\": 1001}\n");
	must_refuse(&client, "{\"command\": \"link\", \"loss\": -1}\n");
	must_refuse(&client, "{\"command\": \"link\", \"delay_us\": 10000001}\n");
	must_refuse(&client, "{\"command\": \"link\", \"seed\": 4294967296}\n");
	must_refuse(&client, "{\"command\": \"link\", \"up\": 1}\n");
	must_answer(&client, "{\"command\": \"link\"}\n",
		    "{\"up\": false, \"loss\": 7, \"delay_us\": 9, \"seed\": 1}");
	close(client.fd);
	control_free(client.control);
	knobs_free(client.knobs);
	ev_loop_destroy(client.loop);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_loss, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_delay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_command, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("fabric", tests, NULL, NULL);
}
