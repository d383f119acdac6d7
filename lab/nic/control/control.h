/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The control socket of a device model: one JSON object a line each way, several clients at once.
 * {"command":"help"} lists what it understands. A request's "id" comes back in its reply.
 */
#ifndef LAB_NIC_CONTROL_CONTROL_H
#define LAB_NIC_CONTROL_CONTROL_H

#include <ev.h>
#include <jansson.h>

#include "counters.h"
#include "knobs.h"

struct control;

/* Returns a new object as the reply, or {"error": SENTENCE}. */
typedef json_t *(*control_command_fn)(void *opaque, const json_t *request);

struct control *control_new(struct ev_loop *loop, struct counters *counters, struct knobs *knobs);
void control_free(struct control *control);
/* 0 or -errno. An old socket file at that path is replaced if nobody listens on it. */
int control_listen(struct control *control, const char *socket_path);
/* Serves an already connected client; the descriptor becomes the control's. */
int control_serve(struct control *control, int fd);
/* help: one line. Both strings must live as long as the control. */
void control_add_command(struct control *control, const char *name, const char *help,
			 control_command_fn fn, void *opaque);
json_t *control_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Answers the waits that a changed counter fulfilled; called by the loop after every turn. */
void control_poll_waits(struct control *control);

#endif
