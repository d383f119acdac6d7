/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The host's side of a vfio-user socket, message by message, written from the protocol alone. The
 * server runs in the same thread: whoever waits for it turns its loop.
 */
#ifndef LAB_NIC_TESTS_VFIO_USER_HOST_H
#define LAB_NIC_TESTS_VFIO_USER_HOST_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_MAX_FDS 64

enum {
	HOST_VERSION = 1,
	HOST_DMA_MAP,
	HOST_DMA_UNMAP,
	HOST_DEVICE_INFO,
	HOST_REGION_INFO,
	HOST_REGION_IO_FDS,
	HOST_IRQ_INFO,
	HOST_SET_IRQS,
	HOST_REGION_READ,
	HOST_REGION_WRITE,
	HOST_DMA_READ,
	HOST_DMA_WRITE,
	HOST_RESET,
	HOST_DIRTY_PAGES,
	HOST_WRITE_MULTI,
};

#define HOST_NO_REPLY 0x10

struct host_header {
	uint16_t id, command;
	uint32_t size, flags, error;
};

struct host {
	int fd;
	struct ev_loop *loop;
	uint16_t next_id;
};

struct reply {
	struct host_header header;
	uint8_t data[4096];
	size_t size; /* of data */
	int fds[HOST_MAX_FDS];
	unsigned int fd_count;
};

/* Bytes and descriptors as they are; the descriptors ride on the first byte. */
void host_send_raw(struct host *host, const void *data, size_t size, const int *fds,
		   unsigned int fd_count);
/* Returns the message's id. */
uint16_t host_send(struct host *host, uint16_t command, uint32_t flags, const void *data,
		   size_t size, const int *fds, unsigned int fd_count);
/* The next message of the server, which must be a reply to that id. */
void host_receive(struct host *host, uint16_t id, struct reply *reply);
/* Sends and receives. Returns the errno of the reply, 0 for none. */
int host_request(struct host *host, uint16_t command, const void *data, size_t size,
		 const int *fds, unsigned int fd_count, struct reply *reply);
/* Turns the loop until the server closes the connection, which it must without saying anything. */
void host_expect_hangup(struct host *host);

int host_dma_map(struct host *host, uint64_t iova, uint64_t size, int fd, uint64_t offset,
		 uint32_t flags);
int host_dma_unmap(struct host *host, uint64_t iova, uint64_t size, uint32_t flags);
int host_read(struct host *host, uint32_t region, uint64_t offset, void *data, uint32_t count);
int host_write(struct host *host, uint32_t region, uint64_t offset, const void *data,
	       uint32_t count);
uint64_t host_read_value(struct host *host, uint32_t region, uint64_t offset, unsigned int size);
void host_write_value(struct host *host, uint32_t region, uint64_t offset, uint64_t value,
		      unsigned int size);
/* count 0: all vectors are taken away. */
int host_set_vectors(struct host *host, uint32_t start, uint32_t count, const int *fds,
		     unsigned int fd_count);

#endif
