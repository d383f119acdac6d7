/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A stream socket between two hosts: what they have to tell each other before
 * RDMA can carry anything (verbs_qp_connect_over()), and whose turn it is.
 *
 * Functions return 0 or a descriptor, or -errno, and fill *err, which may be NULL.
 */
#ifndef LIB_TCP_H
#define LIB_TCP_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* A listening socket; *port, 0 for any, is the one it has. */
int tcp_listen(const char *address, uint16_t *port, struct error *err);
/* -ETIMEDOUT after timeout_ns. */
int tcp_accept(int listener, int64_t timeout_ns, struct error *err);
int tcp_connect(const char *address, uint16_t port, struct error *err);
/* From then on receiving gives up after that time, with -ETIMEDOUT. */
int tcp_set_timeout(int socket, int64_t timeout_ns, struct error *err);

/* All of it, or an error: -ECONNRESET if the peer is gone. */
int tcp_send(int socket, const void *data, size_t length, struct error *err);
int tcp_receive(int socket, void *data, size_t length, struct error *err);

#endif
