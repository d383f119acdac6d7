// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The protocol: messages are read whole (header, then payload), handled, and answered in order.
 * A message that breaks the framing ends the connection; any other mistake is an error reply.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vfu_server.h"

/* ---- reading --------------------------------------------------------------------------------- */

static void close_fds(struct vfu_message *message)
{
	for (unsigned int i = 0; i < message->fd_count; i++)
		if (message->fds[i] >= 0)
			close(message->fds[i]);
	message->fd_count = 0;
}

static void take_fds(struct vfu_message *message, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		unsigned int count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (unsigned int i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (message->fd_count < VFU_MAX_FDS)
				message->fds[message->fd_count++] = fd;
			else
				close(fd);
		}
	}
}

/*
 * Reads on, up to `end` bytes of the message. True when they are there; false when the socket is
 * empty for now or the connection is broken.
 */
static bool read_until(struct vfu_server *server, size_t end)
{
	struct vfu_message *message = server->now;

	while (message->got < end) {
		char control[CMSG_SPACE(sizeof(int) * VFU_MAX_FDS)];
		uint8_t *to = message->got < sizeof(message->header)
				      ? (uint8_t *)&message->header + message->got
				      : message->payload + (message->got - sizeof(message->header));
		struct iovec iov = { to, end - message->got };
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(server->readable.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n <= 0) {
			server->broken = true;
			return false;
		}
		take_fds(message, &msg);
		message->got += n;
	}
	return true;
}

bool vfu_read_message(struct vfu_server *server)
{
	if (!read_until(server, sizeof(server->now->header)))
		return false;
	if (server->now->header.size < sizeof(server->now->header) ||
	    server->now->header.size > VFU_MAX_MESSAGE) {
		server->broken = true;
		return false;
	}
	return read_until(server, server->now->header.size);
}

/* ---- writing --------------------------------------------------------------------------------- */

void vfu_send(struct vfu_server *server, struct iovec *iov, size_t count, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = count };

	if (fd >= 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
	}
	while (msg.msg_iovlen) {
		ssize_t n = sendmsg(server->readable.fd, &msg, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			server->broken = true;
			return;
		}
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
		while (msg.msg_iovlen && (size_t)n >= msg.msg_iov->iov_len) {
			n -= msg.msg_iov->iov_len;
			msg.msg_iov++;
			msg.msg_iovlen--;
		}
		if (msg.msg_iovlen) {
			msg.msg_iov->iov_base = (uint8_t *)msg.msg_iov->iov_base + n;
			msg.msg_iov->iov_len -= n;
		}
	}
}

void vfu_send_reply(struct vfu_server *server, int error)
{
	struct vfu_message *message = server->now;
	struct vfu_header header = {
		.id = message->header.id,
		.command = message->header.command,
		.flags = VFU_FLAG_REPLY | (error ? VFU_FLAG_ERROR : 0),
		.error = -error,
	};
	struct iovec iov[2] = {
		{ &header, sizeof(header) },
		{ message->reply->data, error ? 0 : message->reply->len },
	};

	if (message->header.flags & VFU_FLAG_NO_REPLY)
		return;
	header.size = sizeof(header) + iov[1].iov_len;
	vfu_send(server, iov, 2, error ? -1 : message->reply_fd);
}

/* ---- handling -------------------------------------------------------------------------------- */

void vfu_handle_message(struct vfu_server *server)
{
	struct vfu_message *message = server->now;
	int ret;

	g_byte_array_set_size(message->reply, 0);
	message->reply_fd = -1;
	message->in_work = true;
	if ((message->header.flags & VFU_FLAG_TYPE) == VFU_FLAG_REPLY && server->forgotten) {
		server->forgotten--;
	} else {
		ret = message->header.flags & VFU_FLAG_TYPE ? -EINVAL : vfu_command(server);
		if (ret && server->pci->log)
			fprintf(server->pci->log, "vfio-user: command %u of %u bytes: %s\n",
				message->header.command, message->header.size, strerror(-ret));
		vfu_send_reply(server, ret);
	}
	close_fds(message);
	message->got = 0;
	message->in_work = false;
}

/* The next message: of those that came while the device waited for an answer, else the socket's. */
static bool next_message(struct vfu_server *server)
{
	GByteArray *deferred = g_queue_pop_head(&server->deferred);
	struct vfu_message *message = server->now;

	if (!deferred)
		return vfu_read_message(server);
	memcpy(&message->header, deferred->data, sizeof(message->header));
	memcpy(message->payload, deferred->data + sizeof(message->header),
	       deferred->len - sizeof(message->header));
	g_byte_array_unref(deferred);
	return true;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct vfu_server *server = watcher->data;
	unsigned int most = 64;

	(void)loop;
	(void)revents;
	pci_device_finish_reset(server->pci);
	/* A few messages at a time, and one if the device has work to do in between. */
	while (!server->broken && most-- && next_message(server)) {
		vfu_handle_message(server);
		pci_device_finish_reset(server->pci);
		if (ev_is_active(&server->pci->work))
			break;
	}
	if (server->broken) {
		struct pci_device *pci = server->pci;

		vfu_server_disconnect(pci);
		pci_device_host_gone(pci);
	} else if (!g_queue_is_empty(&server->deferred)) {
		ev_feed_event(server->pci->loop, &server->readable, EV_READ);
	}
}

int vfu_server_connect(struct pci_device *pci, int fd)
{
	struct vfu_server *server = g_new0(struct vfu_server, 1);

	server->pci = pci;
	for (unsigned int i = 0; i < VFU_LEVELS; i++) {
		server->levels[i].payload = g_malloc(VFU_MAX_MESSAGE);
		server->levels[i].reply = g_byte_array_new();
		server->levels[i].reply_fd = -1;
	}
	server->now = server->levels;
	g_queue_init(&server->deferred);
	ev_io_init(&server->readable, on_readable, fd, EV_READ);
	server->readable.data = server;
	ev_io_start(pci->loop, &server->readable);
	pci->server = server;
	return 0;
}

static void free_deferred(void *message)
{
	g_byte_array_unref(message);
}

void vfu_server_disconnect(struct pci_device *pci)
{
	struct vfu_server *server = pci->server;

	if (!server)
		return;
	pci->server = NULL;
	ev_io_stop(pci->loop, &server->readable);
	close(server->readable.fd);
	g_queue_clear_full(&server->deferred, free_deferred);
	for (unsigned int i = 0; i < VFU_LEVELS; i++) {
		close_fds(&server->levels[i]);
		g_byte_array_unref(server->levels[i].reply);
		g_free(server->levels[i].payload);
	}
	g_free(server);
}
