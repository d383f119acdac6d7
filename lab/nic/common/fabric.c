/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "fabric.h"

#include <errno.h>
#include <glib.h>
#include <jansson.h>
#include <string.h>

#include "../control/control.h"
#include "../control/counters.h"

#define LOSS_OF 1000
#define MAX_DELAY_US 10000000
#define FIRST_SEED 1

struct fabric {
	GPtrArray *ports; /* in the order of their coming */
};

struct fabric_port {
	struct fabric *fabric;
	uint8_t address[FABRIC_ADDRESS_BYTES];
	void *device;
	void (*changed)(void *device, bool up);
	bool up;
	unsigned int loss;
	uint64_t delay_us;
	uint32_t seed;
	GRand *chance;
	uint64_t *packets, *lost;
};

struct fabric *fabric_new(void)
{
	struct fabric *fabric = g_new0(struct fabric, 1);

	fabric->ports = g_ptr_array_new();
	return fabric;
}

void fabric_free(struct fabric *fabric)
{
	if (!fabric)
		return;
	g_assert(!fabric->ports->len);
	g_ptr_array_unref(fabric->ports);
	g_free(fabric);
}

/* Shorter addresses stand at the end, as those of IPv4 do among those of IPv6. */
static bool pad(const void *address, size_t length, uint8_t padded[FABRIC_ADDRESS_BYTES])
{
	if (length > FABRIC_ADDRESS_BYTES)
		return false;
	memset(padded, 0, FABRIC_ADDRESS_BYTES);
	memcpy(padded + FABRIC_ADDRESS_BYTES - length, address, length);
	return true;
}

static struct fabric_port *find(const struct fabric *fabric, const void *address, size_t length)
{
	uint8_t padded[FABRIC_ADDRESS_BYTES];

	if (!pad(address, length, padded))
		return NULL;
	for (guint i = 0; i < fabric->ports->len; i++) {
		struct fabric_port *port = g_ptr_array_index(fabric->ports, i);

		if (!memcmp(port->address, padded, sizeof(padded)))
			return port;
	}
	return NULL;
}

struct fabric_port *fabric_attach(struct fabric *fabric, const void *address, size_t length,
				  void *device, struct counters *counters)
{
	struct fabric_port *port;

	if (length > FABRIC_ADDRESS_BYTES || find(fabric, address, length)) {
		errno = length > FABRIC_ADDRESS_BYTES ? EINVAL : EADDRINUSE;
		return NULL;
	}
	port = g_new0(struct fabric_port, 1);
	port->fabric = fabric;
	pad(address, length, port->address);
	port->device = device;
	port->packets = counter(counters, "link.packets");
	port->lost = counter(counters, "link.lost");
	port->chance = g_rand_new_with_seed(FIRST_SEED);
	port->seed = FIRST_SEED;
	port->up = true;
	g_ptr_array_add(fabric->ports, port);
	return port;
}

void fabric_detach(struct fabric_port *port)
{
	if (!port)
		return;
	g_ptr_array_remove(port->fabric->ports, port);
	g_rand_free(port->chance);
	g_free(port);
}

void fabric_on_link_change(struct fabric_port *port, void (*changed)(void *device, bool up))
{
	port->changed = changed;
}

static bool reaches(const struct fabric_port *from, const struct fabric_port *to)
{
	return from == to || (from->up && to->up);
}

void *fabric_lookup(const struct fabric_port *from, const void *address, size_t length)
{
	struct fabric_port *to = find(from->fabric, address, length);

	return to ? to->device : NULL;
}

void *fabric_reach(const struct fabric_port *from, const void *address, size_t length)
{
	struct fabric_port *to = find(from->fabric, address, length);

	return to && reaches(from, to) ? to->device : NULL;
}

void fabric_for_each(struct fabric_port *from, bool (*fn)(void *device, void *opaque),
		     void *opaque)
{
	GPtrArray *ports = from->fabric->ports;

	if (!fn(from->device, opaque))
		return;
	for (guint i = 0; i < ports->len; i++) {
		struct fabric_port *to = g_ptr_array_index(ports, i);

		if (to != from && reaches(from, to) && !fn(to->device, opaque))
			return;
	}
}

static bool link_carries(struct fabric_port *port)
{
	++*port->packets;
	if (port->up &&
	    (!port->loss ||
	     (unsigned int)g_rand_int_range(port->chance, 0, LOSS_OF) >= port->loss))
		return true;
	++*port->lost;
	return false;
}

bool fabric_carries(struct fabric_port *from, struct fabric_port *to)
{
	return from == to || (link_carries(from) && link_carries(to));
}

uint64_t fabric_delay_ns(const struct fabric_port *from, const struct fabric_port *to)
{
	return from == to ? 0 : (from->delay_us + to->delay_us) * 1000;
}

bool fabric_link_up(const struct fabric_port *port)
{
	return port->up;
}

void fabric_set_link(struct fabric_port *port, bool up, unsigned int loss, uint64_t delay_us,
		     uint32_t seed)
{
	bool changed = up != port->up;

	port->up = up;
	port->loss = loss;
	port->delay_us = delay_us;
	if (seed != port->seed)
		g_rand_set_seed(port->chance, seed);
	port->seed = seed;
	if (changed && port->changed)
		port->changed(port->device, up);
}

static json_t *command_link(void *opaque, const json_t *request)
{
	struct fabric_port *port = opaque;
	json_int_t loss = port->loss, delay_us = port->delay_us, seed = port->seed;
	int up = port->up;

	if (json_unpack((json_t *)request, "{s?b, s?I, s?I, s?I}", "up", &up, "loss", &loss,
			"delay_us", &delay_us, "seed", &seed) ||
	    loss < 0 || loss > LOSS_OF || delay_us < 0 || delay_us > MAX_DELAY_US || seed < 0 ||
	    seed > UINT32_MAX)
		return control_error("link takes `up`, true or false; `loss`, packets of %d; "
				     "`delay_us`, up to %d; `seed`: all optional", LOSS_OF,
				     MAX_DELAY_US);
	/* Said again, it begins anew. */
	if (json_object_get(request, "seed"))
		g_rand_set_seed(port->chance, (guint32)seed);
	fabric_set_link(port, up, (unsigned int)loss, (uint64_t)delay_us, (uint32_t)seed);
	return json_pack("{s:b, s:I, s:I, s:I}", "up", up, "loss", loss, "delay_us", delay_us,
			 "seed", seed);
}

void fabric_control(struct fabric_port *port, struct control *control)
{
	control_add_command(control, "link",
			    "{up, loss, delay_us, seed}: the link between this NIC and the "
			    "network goes up or down, loses `loss` packets of 1000 (the same ones "
			    "for the same seed), delays each message; nothing: tells how it is",
			    command_link, port);
}
