// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vfio_user_host.h"

#include <errno.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FLAG_REPLY 0x1
#define FLAG_ERROR 0x20

void host_send_raw(struct host *host, const void *data, size_t size, const int *fds,
		   unsigned int fd_count)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * HOST_MAX_FDS)];
		struct cmsghdr align;
	} control = { 0 };
	size_t sent = 0;

	assert_true(fd_count <= HOST_MAX_FDS);
	while (sent < size) {
		struct iovec iov = { (uint8_t *)data + sent, size - sent };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		if (fd_count) {
			msg.msg_control = control.bytes;
			msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
			CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
			CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
			CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
			memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, sizeof(int) * fd_count);
		}
		n = sendmsg(host->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			ev_run(host->loop, EVRUN_ONCE);
			continue;
		}
		fd_count = 0;
		sent += n;
	}
}

uint16_t host_send(struct host *host, uint16_t command, uint32_t flags, const void *data,
		   size_t size, const int *fds, unsigned int fd_count)
{
	struct host_header header = {
		.id = host->next_id++,
		.command = command,
		.size = sizeof(header) + size,
		.flags = flags,
	};

	host_send_raw(host, &header, sizeof(header), fds, fd_count);
	if (size)
		host_send_raw(host, data, size, NULL, 0);
	return header.id;
}

static void receive_bytes(struct host *host, void *data, size_t size, struct reply *reply)
{
	while (size) {
		char control[CMSG_SPACE(sizeof(int) * HOST_MAX_FDS)];
		struct iovec iov = { data, size };
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(host->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			ev_run(host->loop, EVRUN_ONCE);
			continue;
		}
		assert_int_not_equal(n, 0);
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			unsigned int count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			assert_true(reply->fd_count + count <= HOST_MAX_FDS);
			memcpy(reply->fds + reply->fd_count, CMSG_DATA(c), count * sizeof(int));
			reply->fd_count += count;
		}
		data = (uint8_t *)data + n;
		size -= n;
	}
}

void host_receive(struct host *host, uint16_t id, struct reply *reply)
{
	reply->fd_count = 0;
	receive_bytes(host, &reply->header, sizeof(reply->header), reply);
	assert_true(reply->header.size >= sizeof(reply->header));
	reply->size = reply->header.size - sizeof(reply->header);
	assert_true(reply->size <= sizeof(reply->data));
	receive_bytes(host, reply->data, reply->size, reply);
	assert_int_equal(reply->header.id, id);
	assert_true(reply->header.flags & FLAG_REPLY);
	if (reply->header.flags & FLAG_ERROR)
		assert_int_not_equal(reply->header.error, 0);
	else
		assert_int_equal(reply->header.error, 0);
}

int host_request(struct host *host, uint16_t command, const void *data, size_t size,
		 const int *fds, unsigned int fd_count, struct reply *reply)
{
	struct reply unused;
	uint16_t id = host_send(host, command, 0, data, size, fds, fd_count);

	if (!reply)
		reply = &unused;
	host_receive(host, id, reply);
	assert_int_equal(reply->header.command, command);
	if (reply == &unused)
		assert_int_equal(reply->fd_count, 0);
	return reply->header.error;
}

void host_expect_hangup(struct host *host)
{
	char byte;
	ssize_t n;

	while ((n = recv(host->fd, &byte, 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
		ev_run(host->loop, EVRUN_ONCE);
	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

int host_dma_map(struct host *host, uint64_t iova, uint64_t size, int fd, uint64_t offset,
		 uint32_t flags)
{
	struct {
		uint32_t argsz, flags;
		uint64_t offset, iova, size;
	} map = { sizeof(map), flags, offset, iova, size };

	return host_request(host, HOST_DMA_MAP, &map, sizeof(map), &fd, fd >= 0, NULL);
}

int host_dma_unmap(struct host *host, uint64_t iova, uint64_t size, uint32_t flags)
{
	struct {
		uint32_t argsz, flags;
		uint64_t iova, size;
	} unmap = { sizeof(unmap), flags, iova, size };
	struct reply reply;
	int error = host_request(host, HOST_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, &reply);

	if (!error)
		assert_int_equal(reply.size, sizeof(unmap));
	return error;
}

struct access {
	uint64_t offset;
	uint32_t region, count;
	uint8_t data[4000];
};

int host_read(struct host *host, uint32_t region, uint64_t offset, void *data, uint32_t count)
{
	struct access access = { offset, region, count, { 0 } };
	struct reply reply;
	int error = host_request(host, HOST_REGION_READ, &access, 16, NULL, 0, &reply);

	if (error)
		return error;
	assert_int_equal(reply.size, 16 + count);
	assert_memory_equal(reply.data, &access, 16);
	memcpy(data, reply.data + 16, count);
	return 0;
}

int host_write(struct host *host, uint32_t region, uint64_t offset, const void *data,
	       uint32_t count)
{
	struct access access = { offset, region, count, { 0 } };
	struct reply reply;
	int error;

	assert_true(count <= sizeof(access.data));
	memcpy(access.data, data, count);
	error = host_request(host, HOST_REGION_WRITE, &access, 16 + count, NULL, 0, &reply);
	if (error)
		return error;
	assert_int_equal(reply.size, 16);
	assert_memory_equal(reply.data, &access, 16);
	return 0;
}

uint64_t host_read_value(struct host *host, uint32_t region, uint64_t offset, unsigned int size)
{
	uint64_t value = 0;

	assert_int_equal(host_read(host, region, offset, &value, size), 0);
	return value;
}

void host_write_value(struct host *host, uint32_t region, uint64_t offset, uint64_t value,
		      unsigned int size)
{
	assert_int_equal(host_write(host, region, offset, &value, size), 0);
}

int host_set_vectors(struct host *host, uint32_t start, uint32_t count, const int *fds,
		     unsigned int fd_count)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_ACTION_TRIGGER |
			 (count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE),
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.start = start,
		.count = count,
	};

	return host_request(host, HOST_SET_IRQS, &set, sizeof(set), fds, fd_count, NULL);
}
