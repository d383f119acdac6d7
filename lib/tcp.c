/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "tcp.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"

static int resolve(const char *address, uint16_t port, int flags, struct addrinfo **found,
		   struct error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	char service[8];
	int ret;

	snprintf(service, sizeof(service), "%u", port);
	ret = getaddrinfo(address, service, &hints, found);
	if (ret)
		return error_set(err, EADDRNOTAVAIL, "cannot resolve %s: %s", address,
				 gai_strerror(ret));
	return 0;
}

static int port_of(int socket, uint16_t *port, struct error *err)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof(name);

	if (getsockname(socket, (struct sockaddr *)&name, &length))
		return error_set(err, errno, "asking for the port of a socket failed");
	/* Both families have it in the same place. */
	*port = ntohs(((struct sockaddr_in *)&name)->sin_port);
	return 0;
}

int tcp_listen(const char *address, uint16_t *port, struct error *err)
{
	struct addrinfo *at;
	int fd, ret = resolve(address, *port, AI_PASSIVE, &at, err);

	if (ret)
		return ret;
	fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, 8))
		ret = error_set(err, errno, "cannot listen on %s, port %u", address, *port);
	else
		ret = port_of(fd, port, err);
	freeaddrinfo(at);
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Orders are small and waited for. */
static int without_delay(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return fd;
}

int tcp_accept(int listener, int64_t timeout_ns, struct error *err)
{
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };
	int fd, ret;

	do {
		ret = poll(&poll_fd, 1, (int)(timeout_ns / NS_PER_MS));
	} while (ret < 0 && errno == EINTR);
	if (ret <= 0)
		return error_set(err, ret ? errno : ETIMEDOUT, "no peer has connected");
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? error_set(err, errno, "accepting a peer's connection failed") :
			without_delay(fd);
}

int tcp_connect(const char *address, uint16_t port, struct error *err)
{
	struct addrinfo *to;
	int fd, ret = resolve(address, port, 0, &to, err);

	if (ret)
		return ret;
	fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen))
		ret = error_set(err, errno, "cannot connect to %s, port %u", address, port);
	freeaddrinfo(to);
	if (!ret)
		return without_delay(fd);
	if (fd >= 0)
		close(fd);
	return ret;
}

int tcp_set_timeout(int socket, int64_t timeout_ns, struct error *err)
{
	const struct timeval timeout = {
		.tv_sec = timeout_ns / NS_PER_S,
		.tv_usec = timeout_ns % NS_PER_S / NS_PER_US,
	};

	if (setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		return error_set(err, errno, "setting a socket's time limit failed");
	return 0;
}

int tcp_send(int socket, const void *data, size_t length, struct error *err)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = send(socket, (const char *)data + done, length - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, errno == EPIPE ? ECONNRESET : errno,
					 "sending %zu bytes to the peer process failed", length);
		done += (size_t)n;
	}
	return 0;
}

int tcp_receive(int socket, void *data, size_t length, struct error *err)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = recv(socket, (char *)data + done, length - done, MSG_WAITALL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return error_set(err, ETIMEDOUT, "the peer process has sent %zu of %zu bytes",
					 done, length);
		if (n <= 0)
			return error_set(err, n < 0 ? errno : ECONNRESET,
					 "the peer process went away before it sent its %zu bytes",
					 length);
		done += (size_t)n;
	}
	return 0;
}
