// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DMA to memory that came without a file, such as another device's BAR: the device asks the host
 * to move the bytes, and waits.
 *
 * The host may be waiting for this device meanwhile, with a lock held that its answer needs. So what
 * it wants to know, and what it maps and unmaps, is dealt with at once. Writes to registers come
 * after the work that waits, which they could pull the ground from under; so does a reset, and that
 * work fails.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#include "vfu_server.h"

#define CHUNK (64u << 10)

static bool writes_registers(const struct vfu_message *message)
{
	struct vfu_region_access access;

	if (message->header.command == VFU_REGION_WRITE_MULTI)
		return true;
	if (message->header.command != VFU_REGION_WRITE ||
	    message->header.size < sizeof(message->header) + sizeof(access))
		return false;
	memcpy(&access, message->payload, sizeof(access));
	return access.region != VFIO_PCI_CONFIG_REGION_INDEX;
}

/* Whoever waits for it to have arrived is told that it has: it will, before anything later. */
static void defer(struct vfu_server *server)
{
	struct vfu_message *message = server->now;
	GByteArray *whole = g_byte_array_new();
	size_t told = message->header.command == VFU_REGION_WRITE_MULTI
			      ? sizeof(uint64_t)
			      : sizeof(struct vfu_region_access);
	size_t len = message->header.size - sizeof(message->header);

	g_byte_array_set_size(message->reply, 0);
	g_byte_array_append(message->reply, message->payload, MIN(told, len));
	message->reply_fd = -1;
	vfu_send_reply(server, 0);
	message->header.flags |= VFU_FLAG_NO_REPLY;
	g_byte_array_append(whole, (const uint8_t *)&message->header, sizeof(message->header));
	g_byte_array_append(whole, message->payload, len);
	g_queue_push_tail(&server->deferred, whole);
	message->got = 0;
}

/* 1: it is there; 0: not yet; -errno: it will not come. */
static int await(struct vfu_server *server, uint16_t id)
{
	struct pollfd ready = {.fd = server->readable.fd, .events = POLLIN};
	struct vfu_message *message = server->now;

	if (!vfu_read_message(server)) {
		if (server->broken)
			return -EIO;
		return poll(&ready, 1, server->pci->patience) ? 0 : -ETIMEDOUT;
	}
	if ((message->header.flags & VFU_FLAG_TYPE) == VFU_FLAG_REPLY && message->header.id == id)
		return 1;
	if (writes_registers(message))
		defer(server);
	else
		vfu_handle_message(server);
	return server->broken || server->pci->reset_pending ? -EIO : 0;
}

static int exchange(struct vfu_server *server, uint64_t iova, uint8_t *data, uint32_t len,
		    bool write)
{
	struct vfu_dma_access access = {.iova = iova, .count = len};
	struct vfu_header header = {
		.id = server->next_id++,
		.command = write ? VFU_DMA_WRITE : VFU_DMA_READ,
		.size = sizeof(header) + sizeof(access) + (write ? len : 0),
	};
	struct iovec iov[] = {
		{ &header, sizeof(header) },
		{ &access, sizeof(access) },
		{ data, write ? len : 0 },
	};
	struct vfu_message *message = server->now;
	int ret;

	vfu_send(server, iov, G_N_ELEMENTS(iov), -1);
	if (server->broken)
		return -EIO;
	while (!(ret = await(server, header.id)))
		;
	if (ret < 0) {
		server->forgotten += !server->broken;
		return ret;
	}
	message->got = 0;
	if (message->header.flags & VFU_FLAG_ERROR)
		return -EFAULT;
	if (write)
		return 0;
	if (message->header.size < sizeof(header) + sizeof(access) + len)
		return -EIO;
	memcpy(data, message->payload + sizeof(access), len);
	return 0;
}

int vfu_server_dma(struct pci_device *pci, uint64_t iova, uint8_t *data, size_t len, bool write)
{
	struct vfu_server *server = pci->server;
	struct vfu_message *before;
	int ret = 0;

	if (!server || server->broken || pci->reset_pending)
		return -EIO;
	before = server->now;
	/* A message that is half read is read on; one that is being handled is kept. */
	if (before->in_work) {
		if (before == &server->levels[VFU_LEVELS - 1])
			return -EIO;
		server->now = before + 1;
	}
	pci->waits++;
	while (len && !ret) {
		uint32_t step = MIN(len, CHUNK);

		ret = exchange(server, iova, data, step, write);
		iova += step;
		data += step;
		len -= step;
	}
	pci->waits--;
	server->now = before;
	/* The socket says nothing of what was put off. */
	if (server->broken || pci->reset_pending || !g_queue_is_empty(&server->deferred))
		ev_feed_event(pci->loop, &server->readable, EV_READ);
	return ret;
}
