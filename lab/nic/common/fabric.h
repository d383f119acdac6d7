/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The network between the devices of one model program. Each has a port on it, found by its
 * address, and between port and network lies a link that a test makes lose packets, delay
 * messages, or go down. What a device sends to itself passes no link.
 *
 * The models' packets are calls, and this only says what becomes of one: a device hands it over to
 * the device it found, or does as if there had been no answer. Peers are to be remembered by their
 * address, never by pointer, so that one which is gone is not found.
 */
#ifndef LAB_NIC_COMMON_FABRIC_H
#define LAB_NIC_COMMON_FABRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FABRIC_ADDRESS_BYTES 16

struct control;
struct counters;
struct fabric;
struct fabric_port;

struct fabric *fabric_new(void);
/* No port may be left. */
void fabric_free(struct fabric *fabric);

/*
 * address: up to FABRIC_ADDRESS_BYTES, of whatever kind the device's network has. NULL and errno
 * EADDRINUSE if it is taken. The counters get "link.packets" and "link.lost", for what crosses this
 * port's link.
 */
struct fabric_port *fabric_attach(struct fabric *fabric, const void *address, size_t length,
				  void *device, struct counters *counters);
/* The port is gone for everybody at once. NULL is fine. */
void fabric_detach(struct fabric_port *port);
/* changed: the link went up or down. */
void fabric_on_link_change(struct fabric_port *port, void (*changed)(void *device, bool up));

/* The device with that address, whatever the links are like; NULL if there is none. */
void *fabric_lookup(const struct fabric_port *from, const void *address, size_t length);
/* The same if both links are up, or it is the port's own device. */
void *fabric_reach(const struct fabric_port *from, const void *address, size_t length);
/* Every device that can be reached, the port's own first, until fn returns false. */
void fabric_for_each(struct fabric_port *from, bool (*fn)(void *device, void *opaque),
		     void *opaque);

/* Whether one packet gets there now; where it is lost is drawn for each link that it crosses. */
bool fabric_carries(struct fabric_port *from, struct fabric_port *to);
/* How long a message and its answer take on both links. */
uint64_t fabric_delay_ns(const struct fabric_port *from, const struct fabric_port *to);

bool fabric_link_up(const struct fabric_port *port);
/* loss: packets of a thousand; seed: of which ones, the same for the same seed. */
void fabric_set_link(struct fabric_port *port, bool up, unsigned int loss, uint64_t delay_us,
		     uint32_t seed);
/* The command "link". */
void fabric_control(struct fabric_port *port, struct control *control);

#endif
