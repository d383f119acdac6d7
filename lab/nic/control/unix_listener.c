// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "unix_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct unix_listener {
	struct ev_loop *loop;
	ev_io watcher;
	char *path;
	unix_listener_fn accepted;
	void *opaque;
};

int unix_listener_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct unix_listener *listener = watcher->data;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)loop;
	(void)revents;
	if (fd >= 0)
		listener->accepted(listener->opaque, fd);
}

static int socket_at(const char *path, int (*join)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (join(fd, (struct sockaddr *)&address, sizeof(address))) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

struct unix_listener *unix_listener_new(struct ev_loop *loop, const char *path,
					unix_listener_fn accepted, void *opaque, int *error)
{
	struct unix_listener *listener;
	int fd = socket_at(path, bind);

	if (fd == -EADDRINUSE) {
		int peer = socket_at(path, connect);

		if (peer >= 0)
			close(peer);
		else if (peer == -ECONNREFUSED && !unlink(path))
			fd = socket_at(path, bind);
	}
	if (fd < 0) {
		*error = fd;
		return NULL;
	}
	if (listen(fd, 8) || unix_listener_set_nonblocking(fd)) {
		*error = -errno;
		close(fd);
		unlink(path);
		return NULL;
	}
	listener = g_new0(struct unix_listener, 1);
	listener->loop = loop;
	listener->path = g_strdup(path);
	listener->accepted = accepted;
	listener->opaque = opaque;
	ev_io_init(&listener->watcher, on_connection, fd, EV_READ);
	listener->watcher.data = listener;
	ev_io_start(loop, &listener->watcher);
	return listener;
}

void unix_listener_free(struct unix_listener *listener)
{
	if (!listener)
		return;
	ev_io_stop(listener->loop, &listener->watcher);
	close(listener->watcher.fd);
	unlink(listener->path);
	g_free(listener->path);
	g_free(listener);
}
