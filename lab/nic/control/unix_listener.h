/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A listening AF_UNIX stream socket in a libev loop; its file goes away with it. */
#ifndef LAB_NIC_CONTROL_UNIX_LISTENER_H
#define LAB_NIC_CONTROL_UNIX_LISTENER_H

#include <ev.h>

struct unix_listener;

/* fd becomes the callee's. */
typedef void (*unix_listener_fn)(void *opaque, int fd);

/* NULL and *error = -errno on failure. A socket file on which nobody listens is replaced. */
struct unix_listener *unix_listener_new(struct ev_loop *loop, const char *path,
					unix_listener_fn accepted, void *opaque, int *error);
void unix_listener_free(struct unix_listener *listener);
/* 0 or -errno. */
int unix_listener_set_nonblocking(int fd);

#endif
