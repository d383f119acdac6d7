// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * libFuzzer target: a host that says anything. The input is a list of records
 *
 *	u8 control, u8 command, u16 length, length bytes
 *
 * each of which becomes a message (or, with RECORD_RAW, bytes as they are). The copy device behind
 * the socket checks what the transport promises to a model; replies are checked here.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "copy_device.h"

#define MEMORY_SIZE (16u << 12)
#define TURNS 4

enum {
	RECORD_FDS = 0x03,	/* how many descriptors ride along */
	RECORD_EVENTFD = 0x04,	/* eventfds rather than memory */
	RECORD_RAW = 0x08,	/* no header */
	RECORD_NO_REPLY = 0x10,
	RECORD_SPLIT = 0x20,	/* in two pieces, descriptors on the second */
	RECORD_LIE = 0x40,	/* the header's size is the first four bytes of the payload */
	DMA_READ = 11, /* the server's own */
	DMA_WRITE = 12,
	COMMAND_RESIZE = 200,	/* the host's memory gets as many pages as the length says */
};

static struct ev_loop *loop;
static int memory_fd, event_fd, lowest_free_fd;
static FILE *nowhere;

static void require(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

static int lowest_free(void)
{
	int fd = dup(memory_fd);

	close(fd);
	return fd;
}

static void prepare(void)
{
	loop = ev_loop_new(EVFLAG_AUTO);
	memory_fd = memfd_create("host", MFD_CLOEXEC);
	event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	nowhere = fopen("/dev/null", "w");
	require(loop && memory_fd >= 0 && event_fd >= 0 && nowhere, "the fuzzer's own setup");
	ev_run(loop, EVRUN_NOWAIT);
	lowest_free_fd = lowest_free();
}

/* What a host would read; keeps a message that is not whole yet. */
struct replies {
	uint8_t data[1 << 16];
	size_t used, skip;
};

static void check_replies(struct replies *replies)
{
	struct {
		uint16_t id, command;
		uint32_t size, flags, error;
	} header;

	for (;;) {
		size_t step = replies->skip < replies->used ? replies->skip : replies->used;

		replies->skip -= step;
		replies->used -= step;
		memmove(replies->data, replies->data + step, replies->used);
		if (replies->skip || replies->used < sizeof(header))
			return;
		memcpy(&header, replies->data, sizeof(header));
		require(header.size >= sizeof(header), "a reply is at least a header");
		if (header.command == DMA_READ || header.command == DMA_WRITE) {
			require(!header.flags || (header.flags & 0x21) == 0x21,
				"the server asks for bytes, or refuses to be asked");
			replies->skip = header.size;
			continue;
		}
		require((header.flags & 0xf) == 1, "what the server says is a reply");
		require(!(header.flags & 0x20) == !header.error, "an errno in error replies only");
		require(!header.error || header.size == sizeof(header), "no data with an error");
		replies->skip = header.size;
	}
}

static void drain(int fd, struct replies *replies)
{
	for (;;) {
		char control[CMSG_SPACE(sizeof(int) * 16)];
		struct iovec iov = { replies->data + replies->used,
				     sizeof(replies->data) - replies->used };
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n <= 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
			for (size_t at = CMSG_LEN(0); at < c->cmsg_len; at += sizeof(int)) {
				int received;

				memcpy(&received, (char *)c + at, sizeof(received));
				close(received);
			}
		replies->used += n;
		check_replies(replies);
	}
}

static void send_piece(int fd, const void *data, size_t size, const int *fds, unsigned int count)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 3)];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)data, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (!size)
		return;
	if (count) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, sizeof(int) * count);
	}
	/* A full socket or one that the server closed: the rest is lost, which is input too. */
	if (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

static void turn(int fd, struct replies *replies)
{
	for (unsigned int i = 0; i < TURNS; i++) {
		ev_run(loop, EVRUN_NOWAIT);
		drain(fd, replies);
	}
}

static void send_record(int fd, uint8_t control, uint8_t command, const uint8_t *payload,
			uint16_t length, struct replies *replies)
{
	static uint8_t message[16 + UINT16_MAX];
	const int which = control & RECORD_EVENTFD ? event_fd : memory_fd;
	const int fds[3] = { which, which, which };
	uint32_t size = 16 + length, flags = control & RECORD_NO_REPLY;
	const uint8_t *from = message;

	if (control & RECORD_LIE && length >= 4)
		memcpy(&size, payload, 4);
	memset(message, 0, 16);
	message[2] = command;
	memcpy(message + 4, &size, 4);
	memcpy(message + 8, &flags, 4);
	memcpy(message + 16, payload, length);
	size = 16 + length;
	if (control & RECORD_RAW) {
		from += 16;
		size = length;
	}
	if (control & RECORD_SPLIT) {
		send_piece(fd, from, size / 2, NULL, 0);
		turn(fd, replies);
		from += size / 2;
		size -= size / 2;
	}
	send_piece(fd, from, size, fds, control & RECORD_FDS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct replies replies;
	struct counters *counters;
	struct copy_device *copy;
	struct dma_space *dma;
	uint64_t drain_events;
	int pair[2];

	if (!loop)
		prepare();
	replies.used = replies.skip = 0;
	require(!ftruncate(memory_fd, MEMORY_SIZE), "the fuzzer's own memory");
	require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "a socket pair");
	counters = counters_new();
	copy = copy_device_new(counters, loop);
	dma = pci_device_dma(copy_device_pci(copy));
	pci_device_set_log(copy_device_pci(copy), nowhere);
	pci_device_set_patience(copy_device_pci(copy), 0);
	require(!pci_device_serve(copy_device_pci(copy), pair[1]), "the server takes the socket");
	while (size >= 4) {
		uint16_t length = data[2] | data[3] << 8;

		if (data[1] == COMMAND_RESIZE) {
			require(!ftruncate(memory_fd, (length % 32) << 12), "the fuzzer's resize");
			length = 0;
		} else {
			if (length > size - 4)
				length = size - 4;
			send_record(pair[0], data[0], data[1], data + 4, length, &replies);
		}
		turn(pair[0], &replies);
		data += 4 + length;
		size -= 4 + length;
	}
	close(pair[0]);
	turn(-1, &replies);
	require(!dma_space_windows(dma), "no window outlives its host");
	copy_device_free(copy);
	counters_free(counters);
	/* So that libev forgets the descriptors before their numbers are used again. */
	ev_run(loop, EVRUN_NOWAIT);
	if (read(event_fd, &drain_events, sizeof(drain_events)) < 0)
		require(errno == EAGAIN, "the eventfd is still one");
	require(lowest_free() == lowest_free_fd, "no descriptor is left open");
	return 0;
}
