/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "mappers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat.h"
#include "vfio_exporter.h"

#define ANSWER_TIMEOUT_MS 20000

/* ---- the order that goes to a process, with an fd at its side; the answer is an errno ---- */

union control {
	struct cmsghdr header;
	char buffer[CMSG_SPACE(sizeof(int))];
};

static int send_order(int socket, uint64_t size, int dmabuf)
{
	struct iovec part = { .iov_base = &size, .iov_len = sizeof(size) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	union control control = { 0 };

	if (dmabuf >= 0) {
		message.msg_control = control.buffer;
		message.msg_controllen = sizeof(control.buffer);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &dmabuf, sizeof(dmabuf));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof(size) ? 0 : -EPIPE;
}

static int receive_order(int socket, uint64_t *size, int *dmabuf)
{
	struct iovec part = { .iov_base = size, .iov_len = sizeof(*size) };
	union control control = { 0 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.buffer, .msg_controllen = sizeof(control.buffer),
	};

	*dmabuf = -1;
	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != sizeof(*size))
		return -ECONNRESET;
	if (message.msg_controllen)
		memcpy(dmabuf, CMSG_DATA(&control.header), sizeof(*dmabuf));
	return 0;
}

/* ---- in the process ---- */

static void __attribute__((noreturn)) serve(int socket)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t mapped = 0, size;
	void *map = NULL;
	int dmabuf;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!receive_order(socket, &size, &dmabuf)) {
		int ret = 0;

		if (dmabuf >= 0) {
			if (map)
				munmap(map, mapped);
			map = NULL;
			mapped = size;
			ret = vfio_dmabuf_map(dmabuf, mapped, &map, NULL);
			close(dmabuf);
		}
		for (uint64_t at = 0; !ret && at < mapped; at += page)
			(void)*((volatile uint8_t *)map + at);
		if (send(socket, &ret, sizeof(ret), MSG_NOSIGNAL) != sizeof(ret))
			break;
	}
	_exit(0);
}

/* ---- in the benchmark ---- */

static int start_one(struct mapper *mapper)
{
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	mapper->pid = fork();
	if (!mapper->pid) {
		/* Those of its elders would keep them from seeing the end. */
		if (sockets[1] != 3) {
			dup2(sockets[1], 3);
			sockets[1] = 3;
		}
		close_range(4, ~0u, 0);
		serve(sockets[1]);
	}
	close(sockets[1]);
	mapper->socket = sockets[0];
	return mapper->pid < 0 ? -EAGAIN : 0;
}

int mappers_start(struct mappers *mappers, unsigned int count, struct error *err)
{
	*mappers = (struct mappers){ .all = calloc(count ? count : 1, sizeof(*mappers->all)) };
	if (!mappers->all)
		return error_set(err, ENOMEM, "no memory for %u processes", count);
	while (mappers->count < count) {
		int ret = start_one(&mappers->all[mappers->count]);

		if (ret) {
			mappers_stop(mappers);
			return error_set(err, -ret, "starting process %u of %u that map failed",
					 mappers->count + 1, count);
		}
		mappers->count++;
	}
	return 0;
}

void mappers_stop(struct mappers *mappers)
{
	for (unsigned int i = 0; i < mappers->count; i++)
		close(mappers->all[i].socket);
	for (unsigned int i = 0; i < mappers->count; i++)
		waitpid(mappers->all[i].pid, NULL, 0);
	free(mappers->all);
	*mappers = (struct mappers){ 0 };
}

static int await(const struct mapper *mapper, struct error *err)
{
	struct pollfd answer = { .fd = mapper->socket, .events = POLLIN };
	int ret;

	if (poll(&answer, 1, ANSWER_TIMEOUT_MS) != 1)
		return error_set(err, ETIMEDOUT, "process %d did not map within %d ms", mapper->pid,
				 ANSWER_TIMEOUT_MS);
	if (recv(mapper->socket, &ret, sizeof(ret), 0) != sizeof(ret))
		return error_set(err, ECONNRESET, "process %d ended while it touched lent memory",
				 mapper->pid);
	if (ret == -EINVAL)
		return error_missing(err, EINVAL, "this kernel's VFIO dma-bufs cannot be mapped by a "
				     "process");
	return ret ? error_set(err, -ret, "mapping a dma-buf in process %d failed", mapper->pid) : 0;
}

int mappers_touch(struct mappers *mappers, unsigned int count, int dmabuf, uint64_t size,
		  struct error *err)
{
	int ret = 0;

	for (unsigned int i = 0; i < count; i++)
		if (send_order(mappers->all[i].socket, size, dmabuf))
			return error_set(err, EPIPE, "process %d is gone", mappers->all[i].pid);
	for (unsigned int i = 0; !ret && i < count; i++)
		ret = await(&mappers->all[i], err);
	return ret;
}
