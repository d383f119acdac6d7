/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * An importer that cannot let go is kept away from memory that can be taken
 * back. The one at hand is the same NIC in another role: as the buffer of a CQ
 * it pins a dma-buf and has no way to stop using it. That takes a kernel whose
 * CREATE_CQ accepts a dma-buf (7.3), and mlx5.
 */
#include <rdma/mlx5-abi.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <string.h>
#include <unistd.h>
#include <infiniband/mlx5dv.h>

#include "dmabuf_cq.h"
#include "fixture.h"
#include "plain_dmabuf.h"

#define CQ_ENTRIES 255		/* the device makes 256 of 64 bytes of them */
#define CQ_BYTES 16384

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
	struct mlx5_ib_create_cq_resp driver_out;

	if (!uar)
		return -errno;
	return dmabuf_cq_create(fixture->peer.context, &(struct dmabuf_cq){
		.dmabuf = dmabuf,
		.length = CQ_BYTES,
		.entries = CQ_ENTRIES,
		.driver = RDMA_DRIVER_MLX5,
		.driver_in = &driver_in,
		.driver_in_length = sizeof(driver_in),
		.driver_out = &driver_out,
		.driver_out_length = sizeof(driver_out),
	});
}

/* Else what follows proves nothing: a dma-buf that nobody takes back is accepted in this role. */
static void needs_cq_in_dmabuf(struct fixture *fixture)
{
	int dmabuf, ret;

	if (strncmp(ibv_get_device_name(fixture->peer.context->device), "mlx5", 4))
		test_skip("no importer that cannot be revoked: it would be an mlx5 CQ's buffer");
	dmabuf = plain_udmabuf(2 << 20, true);
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
