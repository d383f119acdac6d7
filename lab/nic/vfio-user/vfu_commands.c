// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What each command of the host does. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <linux/vfio.h>
#include <string.h>
#include <unistd.h>

#include "../control/unix_listener.h"
#include "vfu_server.h"

static void reply_add(struct vfu_server *server, const void *data, size_t len)
{
	g_byte_array_append(server->now->reply, data, len);
}

/* ---- commands: payload of len bytes -> reply, or -errno -------------------------------------- */

static int do_version(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	const struct vfu_version ours = { 0, 0 };
	struct vfu_version theirs;
	char capabilities[256];
	json_t *offered;

	if (len < sizeof(theirs))
		return -EINVAL;
	memcpy(&theirs, payload, sizeof(theirs));
	if (theirs.major != ours.major)
		return -ENOTSUP;
	payload += sizeof(theirs);
	len -= sizeof(theirs);
	if (len) {
		/* What it can do is of no interest, but nonsense should not go unnoticed. */
		offered = payload[len - 1] ? NULL : json_loads((const char *)payload, 0, NULL);
		if (!offered)
			return -EINVAL;
		json_decref(offered);
	}
	snprintf(capabilities, sizeof(capabilities),
		 "{\"capabilities\":{\"max_msg_fds\":%d,\"max_data_xfer_size\":%u,"
		 "\"max_dma_maps\":65535,\"pgsizes\":4096,\"write_multiple\":true}}",
		 VFU_MAX_FDS, VFU_MAX_TRANSFER);
	reply_add(server, &ours, sizeof(ours));
	reply_add(server, capabilities, strlen(capabilities) + 1);
	return 0;
}

static int do_dma_map(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	struct vfu_dma_map map;

	if (len < sizeof(map))
		return -EINVAL;
	memcpy(&map, payload, sizeof(map));
	if (!map.size || map.iova + map.size - 1 < map.iova || map.flags & ~3u)
		return -EINVAL;
	/* Without a file it is another device's memory, or a ROM: the host moves the bytes. */
	return dma_space_map(server->pci->dma, map.iova, map.size,
			     server->now->fd_count ? server->now->fds[0] : -1, map.offset,
			     map.flags);
}

static int do_dma_unmap(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	struct pci_device *pci = server->pci;
	struct vfu_dma_unmap unmap;
	int ret;

	if (len < sizeof(unmap))
		return -EINVAL;
	memcpy(&unmap, payload, sizeof(unmap));
	if (unmap.flags & VFU_DMA_UNMAP_ALL) {
		dma_space_unmap_all(pci->dma);
		unmap.iova = 0;
		unmap.size = UINT64_MAX;
	} else {
		ret = dma_space_unmap(pci->dma, unmap.iova, unmap.size);
		/* -ENOENT: what could not be mapped is unmapped all the same. */
		if (ret && ret != -ENOENT)
			return ret;
	}
	if (pci->ops->dma_unmapped)
		pci->ops->dma_unmapped(pci->opaque, unmap.iova, unmap.size);
	reply_add(server, payload, sizeof(unmap));
	return 0;
}

static int do_device_info(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	struct {
		uint32_t argsz, flags, regions, irqs;
	} info = {
		sizeof(info),
		VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI,
		VFIO_PCI_NUM_REGIONS,
		VFIO_PCI_NUM_IRQS,
	};

	(void)payload;
	if (len < sizeof(info))
		return -EINVAL;
	reply_add(server, &info, sizeof(info));
	return 0;
}

static int do_region_info(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	struct pci_device *pci = server->pci;
	const struct vfio_region_info_cap_sparse_mmap sparse = {
		.header = { VFIO_REGION_INFO_CAP_SPARSE_MMAP, 1, 0 },
		.nr_areas = 1,
	};
	struct vfio_region_sparse_mmap_area area;
	struct vfio_region_info request, info = { .argsz = sizeof(info) };
	const struct pci_bar *bar = NULL;

	if (len < sizeof(request))
		return -EINVAL;
	memcpy(&request, payload, sizeof(request));
	info.index = request.index;
	if (!pci_device_region_size(pci, request.index, (uint64_t *)&info.size))
		return -EINVAL;
	if (info.size)
		info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (request.index < PCI_DEVICE_BARS)
		bar = &pci->config.bar[request.index];
	if (bar && bar->mmap_size) {
		info.flags |= VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
		/* Said even where the capability does not fit: QEMU looks at it at once. */
		info.cap_offset = sizeof(info);
		info.argsz = sizeof(info) + sizeof(sparse) + sizeof(area);
		area.offset = bar->mmap_offset;
		area.size = bar->mmap_size;
		if (request.argsz >= info.argsz) {
			reply_add(server, &info, sizeof(info));
			reply_add(server, &sparse, sizeof(sparse));
			reply_add(server, &area, sizeof(area));
			server->now->reply_fd = pci->bar_fd[request.index];
			return 0;
		}
	}
	reply_add(server, &info, sizeof(info));
	return 0;
}

static int do_irq_info(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	struct vfio_irq_info info;

	if (len < sizeof(info))
		return -EINVAL;
	memcpy(&info, payload, sizeof(info));
	if (info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	info.argsz = sizeof(info);
	info.flags = VFIO_IRQ_INFO_EVENTFD;
	info.count = info.index == VFIO_PCI_MSIX_IRQ_INDEX ? server->pci->config.msix_vectors : 0;
	reply_add(server, &info, sizeof(info));
	return 0;
}

/*
 * Only an eventfd will do: writing to anything else could block for ever, or kill. Its count can be
 * driven to the limit by the host, hence not to block; the host's event loop has that set anyway.
 */
static bool usable_eventfd(int fd)
{
	static const char expected[] = "anon_inode:[eventfd]";
	char path[32], target[sizeof(expected)];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target)) == sizeof(expected) - 1 &&
	       !memcmp(target, expected, sizeof(expected) - 1) &&
	       !unix_listener_set_nonblocking(fd);
}

static int set_vectors(struct vfu_server *server, const struct vfio_irq_set *set, size_t data_len,
		       const uint8_t *data)
{
	struct pci_device *pci = server->pci;

	switch (set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		if (!set->count)
			pci_device_release_vectors(pci, 0, pci->config.msix_vectors);
		else
			for (unsigned int i = 0; i < set->count; i++)
				pci_device_interrupt(pci, set->start + i);
		return 0;
	case VFIO_IRQ_SET_DATA_BOOL:
		if (data_len < set->count)
			return -EINVAL;
		for (unsigned int i = 0; i < set->count; i++)
			if (data[i])
				pci_device_interrupt(pci, set->start + i);
		return 0;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		/* No descriptor at all takes the vectors away. */
		if (server->now->fd_count && server->now->fd_count < set->count)
			return -EINVAL;
		for (unsigned int i = 0; i < server->now->fd_count; i++)
			if (!usable_eventfd(server->now->fds[i]))
				return -EINVAL;
		pci_device_release_vectors(pci, set->start, set->count);
		for (unsigned int i = 0; i < set->count && i < server->now->fd_count; i++) {
			pci->vectors[set->start + i] = server->now->fds[i];
			server->now->fds[i] = -1;
		}
		return 0;
	default:
		return -EINVAL;
	}
}

static int do_set_irqs(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	struct vfio_irq_set set;
	unsigned int vectors = server->pci->config.msix_vectors;

	if (len < sizeof(set))
		return -EINVAL;
	memcpy(&set, payload, sizeof(set));
	if (set.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	/* Only MSI-X has vectors; taking away what is not there is no mistake. */
	if (set.index != VFIO_PCI_MSIX_IRQ_INDEX)
		return set.count ? -EINVAL : 0;
	if (set.start > vectors || set.count > vectors - set.start)
		return -EINVAL;
	/* Masking is done by the host, which has the table. */
	if ((set.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) != VFIO_IRQ_SET_ACTION_TRIGGER)
		return 0;
	return set_vectors(server, &set, len - sizeof(set), payload + sizeof(set));
}

static int do_region_read(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	struct vfu_region_access access;
	size_t at;

	if (len < sizeof(access))
		return -EINVAL;
	memcpy(&access, payload, sizeof(access));
	if (access.count > VFU_MAX_TRANSFER)
		return -EINVAL;
	reply_add(server, &access, sizeof(access));
	at = server->now->reply->len;
	g_byte_array_set_size(server->now->reply, at + access.count);
	return pci_device_region_read(server->pci, access.region, access.offset,
				      server->now->reply->data + at, access.count);
}

static int do_region_write(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	struct vfu_region_access access;

	if (len < sizeof(access))
		return -EINVAL;
	memcpy(&access, payload, sizeof(access));
	if (access.count > len - sizeof(access))
		return -EINVAL;
	reply_add(server, &access, sizeof(access));
	return pci_device_region_write(server->pci, access.region, access.offset,
				       payload + sizeof(access), access.count);
}

static int do_region_write_multi(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	struct vfu_write_multi_entry entry;
	uint64_t count;

	if (len < sizeof(count))
		return -EINVAL;
	memcpy(&count, payload, sizeof(count));
	len -= sizeof(count);
	if (count > len / sizeof(entry))
		return -EINVAL;
	for (uint64_t i = 0; i < count; i++) {
		int ret;

		memcpy(&entry, payload + sizeof(count) + i * sizeof(entry), sizeof(entry));
		if (entry.count > sizeof(entry.data))
			return -EINVAL;
		ret = pci_device_region_write(server->pci, entry.region, entry.offset, entry.data,
					      entry.count);
		if (ret)
			return ret;
	}
	reply_add(server, &count, sizeof(count));
	return 0;
}

static int do_reset(struct vfu_server *server, const uint8_t *payload, size_t len)
{
	(void)payload;
	(void)len;
	pci_device_do_reset(server->pci);
	return 0;
}

int vfu_command(struct vfu_server *server)
{
	static int (*const commands[])(struct vfu_server *, const uint8_t *, size_t) = {
		[VFU_VERSION] = do_version,
		[VFU_DMA_MAP] = do_dma_map,
		[VFU_DMA_UNMAP] = do_dma_unmap,
		[VFU_DEVICE_GET_INFO] = do_device_info,
		[VFU_DEVICE_GET_REGION_INFO] = do_region_info,
		[VFU_DEVICE_GET_IRQ_INFO] = do_irq_info,
		[VFU_DEVICE_SET_IRQS] = do_set_irqs,
		[VFU_REGION_READ] = do_region_read,
		[VFU_REGION_WRITE] = do_region_write,
		[VFU_DEVICE_RESET] = do_reset,
		[VFU_REGION_WRITE_MULTI] = do_region_write_multi,
	};
	uint16_t command = server->now->header.command;

	if (command >= G_N_ELEMENTS(commands) || !commands[command])
		return -ENOTSUP;
	return commands[command](server, server->now->payload,
				 server->now->header.size - sizeof(server->now->header));
}
