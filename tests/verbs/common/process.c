/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "guarded_access.h"

#define REPLY_TIMEOUT_MS patience(60000)

enum request_kind {
	REQUEST_LEND, REQUEST_WRITE, REQUEST_RECYCLE, REQUEST_WRITE_FOREVER, REQUEST_EXPORT,
	REQUEST_MAP, REQUEST_TOUCH, REQUEST_EXIT,
};

struct request {
	enum request_kind kind;
	uint64_t argument;
};

struct reply {
	int result;
	struct error err;
};

/* ---- messages, one fd with each at most ---- */

static int send_message(int socket, const void *data, size_t length, int fd)
{
	struct iovec part = { .iov_base = (void *)data, .iov_len = length };
	union {
		struct cmsghdr align;
		char buffer[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *header = &control.align;

		message.msg_control = control.buffer;
		message.msg_controllen = sizeof(control.buffer);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)length ? 0 : -EPIPE;
}

static int receive_message(int socket, void *data, size_t length, int *fd)
{
	struct iovec part = { .iov_base = data, .iov_len = length };
	union {
		struct cmsghdr align;
		char buffer[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.buffer, .msg_controllen = sizeof(control.buffer),
	};
	const struct cmsghdr *header;

	*fd = -1;
	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != (ssize_t)length)
		return -ECONNRESET;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	return 0;
}

/* ---- in the process ---- */

static int serve_lend(struct fixture *fixture, int dmabuf, size_t size)
{
	const struct verbs_peer_options options = {
		.device = test_options.device, .port = test_options.port,
		.gid_index = test_options.gid_index,
	};
	int ret = 0;

	if (!fixture->peer.context) {
		ret = verbs_peer_open(&fixture->peer, &options, &test_error);
		if (!ret)
			ret = verbs_pair_create(&fixture->peer, NULL, &fixture->pair, &test_error);
		if (!ret)
			ret = verbs_buffer_init(&fixture->peer, size, VERBS_ACCESS_ALL, &fixture->buffer,
						&test_error);
	}
	if (!ret && fixture->mr) {
		ret = -ibv_dereg_mr(fixture->mr);
		fixture->mr = NULL;
	}
	fixture->size = size;
	if (!ret)
		ret = verbs_reg_dmabuf(&fixture->peer, dmabuf, 0, size, 0, VERBS_ACCESS_ALL, &fixture->mr,
				       &test_error);
	/* The MR holds it. */
	close(dmabuf);
	return ret;
}

static int post_write(struct fixture *fixture)
{
	return verbs_post_write(&fixture->pair.initiator, 1,
				buffer_at(fixture, 0, (uint32_t)fixture->size),
				mr_remote_at(fixture, 0), &test_error);
}

static int serve_write(struct fixture *fixture, uint32_t seed)
{
	struct ibv_wc wc;
	int ret;

	fill_pattern(fixture->buffer.address, fixture->size, seed);
	ret = post_write(fixture);
	if (!ret)
		ret = verbs_wait(&fixture->pair.initiator, &wc, TEST_TIMEOUT_NS, &test_error);
	return ret ?: (int)wc.status;
}

static void write_forever(struct fixture *fixture, int socket)
{
	struct pollfd order = { .fd = socket, .events = POLLIN };
	struct ibv_wc wc;
	int ret = 0;

	while (!ret && !poll(&order, 1, 0)) {
		ret = verbs_wait(&fixture->pair.initiator, &wc, TEST_TIMEOUT_NS, &test_error);
		if (!ret && wc.status != IBV_WC_SUCCESS)
			ret = verbs_pair_recycle(&fixture->pair, &test_error);
		if (!ret)
			ret = post_write(fixture);
	}
}

static int serve_export(struct fixture *fixture, size_t size)
{
	int ret = vfio_exporter_open(&fixture->exporter, test_options.exporter, test_options.interface,
				     &test_error);

	return ret ?: fixture_export(fixture, 0, size);
}

static int serve_map(struct fixture *fixture, int dmabuf, size_t size)
{
	void *address;
	int ret = vfio_dmabuf_map(dmabuf, size, &address, &test_error);

	close(dmabuf);
	if (!ret)
		fixture->window = address;
	return ret;
}

static void __attribute__((noreturn)) serve(int socket)
{
	static struct fixture fixture;
	struct request request;
	int fd;

	/* Not to be left behind by a test that died. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	guarded_access_init();
	while (!receive_message(socket, &request, sizeof(request), &fd)) {
		struct reply reply = { 0 };
		int reply_fd = -1;

		switch (request.kind) {
		case REQUEST_LEND:
			reply.result = serve_lend(&fixture, fd, request.argument);
			break;
		case REQUEST_WRITE:
			reply.result = serve_write(&fixture, (uint32_t)request.argument);
			break;
		case REQUEST_RECYCLE:
			reply.result = verbs_pair_recycle(&fixture.pair, &test_error);
			break;
		case REQUEST_WRITE_FOREVER:
			reply.result = post_write(&fixture);
			break;
		case REQUEST_EXPORT:
			reply.result = reply_fd = serve_export(&fixture, request.argument);
			break;
		case REQUEST_MAP:
			reply.result = serve_map(&fixture, fd, request.argument);
			break;
		case REQUEST_TOUCH:
			reply.result = guarded_write((volatile uint64_t *)(fixture.window + request.argument),
						     request.argument);
			break;
		case REQUEST_EXIT:
			_exit(0);
		}
		reply.err = test_error;
		if (send_message(socket, &reply, sizeof(reply), reply_fd))
			break;
		if (request.kind == REQUEST_WRITE_FOREVER && !reply.result)
			write_forever(&fixture, socket);
	}
	_exit(EXIT_STATUS_FAILED);
}

/* ---- in the test ---- */

static int start(struct process *process, struct error *err)
{
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return error_set(err, errno, "creating a pair of sockets failed");
	fflush(NULL);
	process->pid = fork();
	if (process->pid < 0) {
		process->pid = 0;
		close(sockets[0]);
		close(sockets[1]);
		return error_set(err, errno, "starting a process failed");
	}
	if (!process->pid) {
		close(sockets[0]);
		serve(sockets[1]);
	}
	close(sockets[1]);
	process->socket = sockets[0];
	return 0;
}

int importer_start(struct process *importer, struct error *err)
{
	return start(importer, err);
}

int exporter_start(struct process *exporter, struct error *err)
{
	return start(exporter, err);
}

static int ask(struct process *process, enum request_kind kind, uint64_t argument, int fd,
	       int *reply_fd, struct error *err)
{
	const struct request request = { .kind = kind, .argument = argument };
	struct pollfd answer = { .fd = process->socket, .events = POLLIN };
	struct reply reply;

	if (send_message(process->socket, &request, sizeof(request), fd))
		return error_set(err, EPIPE, "process %d is gone", process->pid);
	if (poll(&answer, 1, REPLY_TIMEOUT_MS) != 1)
		return error_set(err, ETIMEDOUT, "process %d did not answer within %d ms", process->pid,
				 REPLY_TIMEOUT_MS);
	if (receive_message(process->socket, &reply, sizeof(reply), reply_fd))
		return error_set(err, ECONNRESET, "process %d ended instead of answering", process->pid);
	*err = reply.err;
	return reply.result;
}

int importer_lend(struct process *importer, int dmabuf, size_t size, struct error *err)
{
	int none;

	return ask(importer, REQUEST_LEND, size, dmabuf, &none, err);
}

int importer_write(struct process *importer, uint32_t seed, struct error *err)
{
	int none;

	return ask(importer, REQUEST_WRITE, seed, -1, &none, err);
}

int importer_recycle(struct process *importer, struct error *err)
{
	int none;

	return ask(importer, REQUEST_RECYCLE, 0, -1, &none, err);
}

int importer_write_forever(struct process *importer, struct error *err)
{
	int none;

	return ask(importer, REQUEST_WRITE_FOREVER, 0, -1, &none, err);
}

int importer_map(struct process *importer, int dmabuf, size_t size, struct error *err)
{
	int none;

	return ask(importer, REQUEST_MAP, size, dmabuf, &none, err);
}

int importer_touch(struct process *importer, size_t offset, struct error *err)
{
	int none;

	return ask(importer, REQUEST_TOUCH, offset, -1, &none, err);
}

int exporter_export(struct process *exporter, size_t size, struct error *err)
{
	int dmabuf;
	int ret = ask(exporter, REQUEST_EXPORT, size, -1, &dmabuf, err);

	return ret < 0 ? ret : dmabuf;
}

int process_exit(struct process *process, struct error *err)
{
	const struct request request = { .kind = REQUEST_EXIT };
	int status;

	if (send_message(process->socket, &request, sizeof(request), -1))
		return error_set(err, EPIPE, "process %d is gone", process->pid);
	if (waitpid(process->pid, &status, 0) != process->pid || status)
		return error_set(err, ECHILD, "process %d did not exit as it should", process->pid);
	process->pid = 0;
	close(process->socket);
	return 0;
}

void process_kill(struct process *process)
{
	kill(process->pid, SIGKILL);
}

void process_reap(struct process *process)
{
	if (!process->pid)
		return;
	process_kill(process);
	waitpid(process->pid, NULL, 0);
	process->pid = 0;
	close(process->socket);
}
