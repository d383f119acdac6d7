/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the framing (vfu_server.c), the commands and the device's own messages know of each other. */
#ifndef LAB_NIC_VFIO_USER_VFU_SERVER_H
#define LAB_NIC_VFIO_USER_VFU_SERVER_H

#include <glib.h>
#include <sys/uio.h>

#include "pci_device_internal.h"
#include "protocol.h"

struct vfu_message {
	struct vfu_header header;
	size_t got; /* bytes read so far, header included */
	uint8_t *payload;
	int fds[VFU_MAX_FDS];
	unsigned int fd_count;
	GByteArray *reply; /* behind the header */
	int reply_fd;	   /* goes along with the reply; stays the device's */
	bool in_work;	   /* read whole, and being handled */
};

/* A message that is handled can make the device send one, and others come before the answer. */
#define VFU_LEVELS 2

struct vfu_server {
	struct pci_device *pci;
	ev_io readable;
	struct vfu_message levels[VFU_LEVELS];
	struct vfu_message *now;
	GQueue deferred;	/* messages that came while the device waited, payloads included */
	uint16_t next_id;	/* of the device's own messages */
	unsigned int forgotten; /* answers that nobody waits for any more */
	bool broken;
};

/* Reads on, up to a whole message in server->now. False: it is not there yet, or broken is set. */
bool vfu_read_message(struct vfu_server *server);
/* Handles server->now and answers. */
void vfu_handle_message(struct vfu_server *server);
/* Everything, or broken is set. fd: -1 for none. */
void vfu_send(struct vfu_server *server, struct iovec *iov, size_t count, int fd);
void vfu_send_reply(struct vfu_server *server, int error);

/* vfu_commands.c: server->now -> server->now->reply, or -errno. */
int vfu_command(struct vfu_server *server);

#endif
