/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * An importer that cannot let go is kept away from memory that can be taken
 * back. The one at hand is the same NIC in another role: as the buffer of a CQ
 * it pins a dma-buf and has no way to stop using it. That takes a kernel whose
 * CREATE_CQ accepts a dma-buf (7.3), and mlx5.
 */
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <rdma/ib_user_ioctl_cmds.h>
/* Before rdma-core's older copy, which has the same guard. */
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/mlx5-abi.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <infiniband/mlx5dv.h>

#include "fixture.h"

#define CQ_ENTRIES 255		/* the device makes 256 of 64 bytes of them */
#define CQ_BYTES 16384

struct create_cq {
	struct ib_uverbs_ioctl_hdr header;
	struct ib_uverbs_attr attrs[8];
};

static struct ib_uverbs_attr *add(struct create_cq *command, uint16_t id, uint16_t length)
{
	struct ib_uverbs_attr *attr = &command->attrs[command->header.num_attrs++];

	attr->attr_id = id;
	attr->len = length;
	attr->flags = UVERBS_ATTR_F_MANDATORY;
	return attr;
}

/* What is read and fits into the field stands in it. */
static void add_in(struct create_cq *command, uint16_t id, uint16_t length, const void *data)
{
	struct ib_uverbs_attr *attr = add(command, id, length);

	if (length <= sizeof(attr->data))
		memcpy(&attr->data, data, length);
	else
		attr->data = (uintptr_t)data;
}

static void add_out(struct create_cq *command, uint16_t id, uint16_t length, void *data)
{
	add(command, id, length)->data = (uintptr_t)data;
}

/* Does not give the CQ and its doorbell page back: they go with the context. Returns 0 or -errno. */
static int create_cq_in(struct fixture *fixture, int dmabuf)
{
	struct mlx5dv_devx_uar *uar = mlx5dv_devx_alloc_uar(fixture->peer.context,
							    MLX5DV_UAR_ALLOC_TYPE_NC);
	const struct mlx5_ib_create_cq driver_in = {
		.db_addr = (uintptr_t)fixture->buffer.address,	/* the doorbell record: ordinary memory */
		.cqe_size = 64,
		.flags = MLX5_IB_CREATE_CQ_FLAGS_UAR_PAGE_INDEX,
		.uar_page_index = uar ? (uint16_t)uar->page_id : 0,
	};
	const struct ib_uverbs_buffer_desc buffer = {
		.type = IB_UVERBS_BUFFER_TYPE_DMABUF, .fd = dmabuf, .length = CQ_BYTES,
	};
	const uint32_t entries = CQ_ENTRIES, vector = 0;
	const uint64_t user_handle = 0;
	struct mlx5_ib_create_cq_resp driver_out;
	struct create_cq command = { 0 };
	uint32_t got;

	if (!uar)
		return -errno;
	command.header.object_id = UVERBS_OBJECT_CQ;
	command.header.method_id = UVERBS_METHOD_CQ_CREATE;
	command.header.driver_id = RDMA_DRIVER_MLX5;
	add(&command, UVERBS_ATTR_CREATE_CQ_HANDLE, 0);
	add_in(&command, UVERBS_ATTR_CREATE_CQ_CQE, sizeof(entries), &entries);
	add_in(&command, UVERBS_ATTR_CREATE_CQ_USER_HANDLE, sizeof(user_handle), &user_handle);
	add_in(&command, UVERBS_ATTR_CREATE_CQ_COMP_VECTOR, sizeof(vector), &vector);
	add_out(&command, UVERBS_ATTR_CREATE_CQ_RESP_CQE, sizeof(got), &got);
	add_in(&command, UVERBS_ATTR_CREATE_CQ_BUF_UMEM, sizeof(buffer), &buffer);
	add_in(&command, UVERBS_ATTR_UHW_IN, sizeof(driver_in), &driver_in);
	add_out(&command, UVERBS_ATTR_UHW_OUT, sizeof(driver_out), &driver_out);
	command.header.length = (uint16_t)(sizeof(command.header) +
					   command.header.num_attrs * sizeof(command.attrs[0]));
	return ioctl(fixture->peer.context->cmd_fd, RDMA_VERBS_IOCTL, &command.header) ? -errno : 0;
}

static int make_udmabuf(size_t size)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int device, dmabuf;

	device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (device < 0)
		test_skip("/dev/udmabuf is not there (CONFIG_UDMABUF)");
	create.memfd = (uint32_t)must_sys(memfd_create("udmabuf", MFD_ALLOW_SEALING | MFD_CLOEXEC |
						       MFD_HUGETLB));
	must_sys(ftruncate((int)create.memfd, (off_t)size));
	must_sys(fcntl((int)create.memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	dmabuf = must_sys(ioctl(device, UDMABUF_CREATE, &create));
	close((int)create.memfd);
	close(device);
	return dmabuf;
}

/* Else what follows proves nothing: a dma-buf that nobody takes back is accepted in this role. */
static void needs_cq_in_dmabuf(struct fixture *fixture)
{
	int dmabuf, ret;

	if (strncmp(ibv_get_device_name(fixture->peer.context->device), "mlx5", 4))
		test_skip("no importer that cannot be revoked: it would be an mlx5 CQ's buffer");
	must_sys(system("echo 2 > /proc/sys/vm/nr_hugepages"));
	dmabuf = make_udmabuf(2 << 20);
	ret = create_cq_in(fixture, dmabuf);
	close(dmabuf);
	if (ret)
		test_skip("no importer that cannot be revoked: this kernel and NIC take no dma-buf as a "
			  "CQ's buffer (%s)", strerrorname_np(-ret));
}

static void refused(void **state)
{
	struct fixture *fixture = *state;

	needs_cq_in_dmabuf(fixture);
	must_fail(create_cq_in(fixture, fixture->dmabuf), EOPNOTSUPP);
	/* And nothing has changed for the one that can let go. */
	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	must_write_through(fixture, 2);
}

/* Being unable is said before the state of the memory: it would still be unable later. */
static void refused_while_revoked(void **state)
{
	struct fixture *fixture = *state;

	needs_cq_in_dmabuf(fixture);
	fixture_revoke(fixture);
	must_fail(create_cq_in(fixture, fixture->dmabuf), EOPNOTSUPP);
	fixture_unrevoke(fixture);
	must_write_through(fixture, 1);
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(refused),
	test_with_fixture(refused_while_revoked),
};

TEST_MAIN("an importer that cannot let go gets no dma-buf of a VFIO device",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
