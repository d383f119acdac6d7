/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "verbs_peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/*
 * The kernel looks at the driver's ability before it looks at the fd, so an
 * fd that is none tells -EBADF (or -EINVAL) from -EOPNOTSUPP.
 */
bool verbs_device_takes_dmabuf(struct ibv_pd *pd)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr(pd, 0, 4096, 0, -1, IBV_ACCESS_LOCAL_WRITE);

	if (mr) {
		ibv_dereg_mr(mr);
		return true;
	}
	return errno != EOPNOTSUPP && errno != EPROTONOSUPPORT && errno != ENOSYS &&
	       errno != ENOTTY;
}

static bool is_roce_v2(const struct ibv_gid_entry *entry)
{
	return entry->gid_type == IBV_GID_TYPE_ROCE_V2;
}

static bool is_ipv4_mapped(const union ibv_gid *gid)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(gid->raw, prefix, sizeof(prefix));
}

/* RoCE v2 with an IPv4 address first, then any RoCE v2, then whatever is there. */
static int best_gid_index(struct verbs_peer *peer)
{
	struct ibv_gid_entry entries[64];
	int best = -1, best_rank = -1;
	ssize_t count;

	count = ibv_query_gid_table(peer->context, entries, 64, 0);
	for (ssize_t i = 0; i < count; i++) {
		int rank = 2 * is_roce_v2(&entries[i]) + is_ipv4_mapped(&entries[i].gid);

		if (entries[i].port_num == peer->port && rank > best_rank) {
			best = (int)entries[i].gid_index;
			best_rank = rank;
		}
	}
	return best;
}

static int set_up_port(struct verbs_peer *peer, const struct verbs_peer_options *options,
		       struct error *err)
{
	const char *name = ibv_get_device_name(peer->context->device);
	int ret;

	peer->port = options->port ?: 1;
	peer->gid_index = options->gid_index;
	ret = ibv_query_device_ex(peer->context, NULL, &peer->attr);
	if (ret)
		return error_set(err, ret, "querying RDMA device %s failed", name);
	ret = ibv_query_port(peer->context, peer->port, &peer->port_attr);
	if (ret)
		return error_set(err, ret, "RDMA device %s: querying port %u failed; it has %u port%s",
				 name, peer->port, peer->attr.orig_attr.phys_port_cnt,
				 peer->attr.orig_attr.phys_port_cnt == 1 ? "" : "s");
	if (peer->port_attr.state != IBV_PORT_ACTIVE)
		return error_missing(err, ENETDOWN, "RDMA device %s: port %u is %s, not active; bring "
				     "its link up", name, peer->port,
				     ibv_port_state_str(peer->port_attr.state));
	if (peer->gid_index < 0 && peer->port_attr.link_layer == IBV_LINK_LAYER_ETHERNET) {
		peer->gid_index = best_gid_index(peer);
		if (peer->gid_index < 0)
			return error_missing(err, EADDRNOTAVAIL, "RDMA device %s: port %u has no GID; "
					     "give its network interface an address", name, peer->port);
	}
	if (peer->gid_index >= 0) {
		ret = ibv_query_gid(peer->context, peer->port, peer->gid_index, &peer->gid);
		if (ret)
			return error_set(err, errno ?: EINVAL, "RDMA device %s: port %u has no GID %d",
					 name, peer->port, peer->gid_index);
	}
	return 0;
}

/* 0: opened and takes dma-bufs; -EOPNOTSUPP: it does not. */
static int try_device(struct verbs_peer *peer, struct ibv_device *device, struct error *err)
{
	const char *name = ibv_get_device_name(device);
	int ret;

	peer->context = ibv_open_device(device);
	if (!peer->context) {
		if (errno == EACCES || errno == EPERM)
			return error_missing(err, errno, "no permission to open RDMA device %s "
					     "(/dev/infiniband/uverbs*)", name);
		return error_set(err, errno, "opening RDMA device %s failed", name);
	}
	peer->pd = ibv_alloc_pd(peer->context);
	if (!peer->pd) {
		ret = error_set(err, errno, "RDMA device %s: allocating a PD failed", name);
		goto close;
	}
	if (verbs_device_takes_dmabuf(peer->pd))
		return 0;
	ret = error_missing(err, EOPNOTSUPP, "RDMA device %s cannot register dma-bufs: its kernel "
			    "driver or its rdma-core provider does not implement it", name);
	ibv_dealloc_pd(peer->pd);
	peer->pd = NULL;
close:
	ibv_close_device(peer->context);
	peer->context = NULL;
	return ret;
}

static int open_one(struct verbs_peer *peer, struct ibv_device **devices, int count,
		    const char *wanted, struct error *err)
{
	int ret = 0, tried = 0;

	for (int i = 0; i < count; i++) {
		if (wanted && strcmp(wanted, ibv_get_device_name(devices[i])))
			continue;
		tried++;
		ret = try_device(peer, devices[i], err);
		if (!ret)
			return 0;
	}
	if (wanted && !tried)
		return error_missing(err, ENODEV, "there is no RDMA device %s (ibv_devices lists those "
				     "that are there)", wanted);
	if (!tried)
		return error_missing(err, ENODEV, "there is no RDMA device: no NIC, or its driver is "
				     "not loaded, or rdma-core has no provider for it");
	if (tried > 1)
		return error_missing(err, EOPNOTSUPP, "none of the %d RDMA devices can register "
				     "dma-bufs", tried);
	return ret;
}

int verbs_peer_open(struct verbs_peer *peer, const struct verbs_peer_options *options,
		    struct error *err)
{
	struct ibv_device **devices;
	int count, ret;

	*peer = (struct verbs_peer){ .gid_index = -1, .events = options->events };
	devices = ibv_get_device_list(&count);
	if (!devices)
		return error_missing(err, errno, "listing RDMA devices failed; is ib_uverbs loaded?");
	ret = open_one(peer, devices, count, options->device, err);
	ibv_free_device_list(devices);
	if (ret)
		return ret;
	ret = set_up_port(peer, options, err);
	if (ret)
		verbs_peer_close(peer);
	return ret;
}

void verbs_peer_close(struct verbs_peer *peer)
{
	if (peer->pd)
		ibv_dealloc_pd(peer->pd);
	if (peer->context)
		ibv_close_device(peer->context);
	peer->pd = NULL;
	peer->context = NULL;
}

int verbs_reg_dmabuf(struct verbs_peer *peer, int dmabuf_fd, uint64_t offset, size_t length,
		     uint64_t iova, int access, struct ibv_mr **mr, struct error *err)
{
	const char *name = ibv_get_device_name(peer->context->device);

	*mr = ibv_reg_dmabuf_mr(peer->pd, offset, length, iova, dmabuf_fd, access);
	if (*mr)
		return 0;
	switch (errno) {
	case EOPNOTSUPP:
		return error_missing(err, errno, "RDMA device %s cannot take this dma-buf: its driver "
				     "cannot stop using memory that is revoked, or cannot reach it "
				     "peer to peer", name);
	case ENODEV:
		return error_set(err, errno, "RDMA device %s: the dma-buf is revoked", name);
	default:
		return error_set(err, errno, "RDMA device %s: registering %zu bytes at %#llx of a "
				 "dma-buf failed", name, length, (unsigned long long)offset);
	}
}

int verbs_buffer_init(struct verbs_peer *peer, size_t length, int access,
		      struct verbs_buffer *buffer, struct error *err)
{
	int ret;

	*buffer = (struct verbs_buffer){ .length = length };
	buffer->address = mmap(NULL, length, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffer->address == MAP_FAILED) {
		buffer->address = NULL;
		return error_set(err, errno, "no memory for a buffer of %zu bytes", length);
	}
	buffer->mr = ibv_reg_mr(peer->pd, buffer->address, length, access);
	if (!buffer->mr) {
		ret = errno;
		munmap(buffer->address, length);
		buffer->address = NULL;
		return error_set(err, ret, "RDMA device %s: registering a buffer of %zu bytes failed%s",
				 ibv_get_device_name(peer->context->device), length,
				 ret == ENOMEM ? " (is the limit on locked memory too low? ulimit -l)" :
						 "");
	}
	return 0;
}

void verbs_buffer_free(struct verbs_buffer *buffer)
{
	if (buffer->mr)
		ibv_dereg_mr(buffer->mr);
	if (buffer->address)
		munmap(buffer->address, buffer->length);
	*buffer = (struct verbs_buffer){ 0 };
}
