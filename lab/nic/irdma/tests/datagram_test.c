/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Datagrams inside a device and between two: keys, address handles, neighbours, multicast groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "host.h"

#include <cmocka.h>

#define CQN 3u
#define MANAGEMENT_QPN 1u
#define OTHER_QPN 5u
#define MULTICAST_QPN 0xffffffu
/* What the CM's messages name, and what QP 1 has. */
#define SENDERS_OWN_KEY 0x80000000u
#define MANAGEMENT_KEY 0x80010000u
#define KEY 0x01234567u
#define ADDRESS_A 0xc0000201u
#define ADDRESS_B 0xc0000202u
#define GROUP_ADDRESS 0xef000001u
#define MAC_A 0x020000000200ull
#define MAC_B 0x020000000201ull
#define MAC_OF_GROUP 0x01005e000001ull
#define HEADER 40u
#define LENGTH 256u

enum {
	HANDLE_SELF = 11,
	HANDLE_PEER,
	HANDLE_GROUP,
	NEIGHBOUR_SELF = 20,
	NEIGHBOUR_PEER,
	NEIGHBOUR_GROUP,
	GROUP = 7,
};

struct end {
	struct host *host;
	struct host_cq cq;
	struct host_qp management, other;
	u8 *from, *to;
	u32 stag;
	u64 *members;
};

struct world {
	struct end a, b;
};

static u16 set_neighbour(struct end *end, u32 index, u64 mac)
{
	u64 wqe[CONTROL_WQE_QWORDS] = {
		[2] = FIELD_PREP(IRDMA_CQPSQ_MAT_MACADDR, mac),
		[3] = index | FIELD_PREP(IRDMA_CQPSQ_MAT_ENTRYVALID, !!mac),
	};

	return host_command(end->host, IRDMA_CQP_OP_MANAGE_ARP, wqe);
}

static void new_handle(struct end *end, u32 index, u32 neighbour, u32 from, u32 to, bool loopback)
{
	u64 wqe[CONTROL_WQE_QWORDS] = {
		[1] = FIELD_PREP(IRDMA_UDA_CQPSQ_MAV_PDINDEXLO, HOST_PD),
		[2] = FIELD_PREP(IRDMA_UDA_CQPSQ_MAV_ARPINDEX, neighbour) |
		      FIELD_PREP(IRDMA_UDA_CQPSQ_MAV_HOPLIMIT, 64),
		[3] = FIELD_PREP(IRDMA_UDA_CQPSQ_MAV_AVIDX, index) |
		      FIELD_PREP(IRDMA_UDA_CQPSQ_MAV_DOLOOPBACKK, loopback) |
		      IRDMA_UDA_CQPSQ_MAV_IPV4VALID,
		[4] = FIELD_PREP(IRDMA_UDA_CQPSQ_MAV_ADDR3, to),
		[6] = FIELD_PREP(IRDMA_UDA_CQPSQ_MAV_ADDR3, from),
	};

	assert_int_equal(host_command(end->host, IRDMA_CQP_OP_CREATE_ADDR_HANDLE, wqe),
			 CONTROL_OK);
}

static u16 group_command(struct end *end, u8 opcode, u64 context)
{
	u64 wqe[CONTROL_WQE_QWORDS] = {
		[3] = FIELD_PREP(IRDMA_UDA_CQPSQ_MG_MGIDX, GROUP) | IRDMA_UDA_CQPSQ_MG_IPV4VALID,
		[4] = context,
		[6] = FIELD_PREP(IRDMA_UDA_CQPSQ_MAV_ADDR3, GROUP_ADDRESS),
	};

	return host_command(end->host, opcode, wqe);
}

/* Members are QPs, 0 is nobody. */
static u16 set_group(struct end *end, u8 opcode, u32 first, u32 second)
{
	end->members[0] = first | FIELD_PREP(IRDMA_UDA_MGCTX_VALIDENT, !!first);
	end->members[1] = second | FIELD_PREP(IRDMA_UDA_MGCTX_VALIDENT, !!second);
	return group_command(end, opcode, host_iova(end->host, end->members));
}

static void set_up_end(struct end *end, struct host *host, u32 own, u64 own_mac, u32 peer,
		       u64 peer_mac)
{
	end->host = host;
	host_new_cq(host, &end->cq, CQN);
	host_new_ud_qp(host, &end->management, MANAGEMENT_QPN, MANAGEMENT_KEY, CQN);
	host_new_ud_qp(host, &end->other, OTHER_QPN, KEY, CQN);
	end->from = host_alloc(host, HOST_PAGE);
	end->to = host_alloc(host, HOST_PAGE);
	end->members = (void *)host_alloc(host, HOST_PAGE);
	fill_pattern(end->from, HOST_PAGE);
	/* The two follow each other. */
	end->stag = host_register(host, 20, end->from, 2 * HOST_PAGE);
	assert_int_equal(set_neighbour(end, NEIGHBOUR_SELF, own_mac), CONTROL_OK);
	assert_int_equal(set_neighbour(end, NEIGHBOUR_PEER, peer_mac), CONTROL_OK);
	assert_int_equal(set_neighbour(end, NEIGHBOUR_GROUP, MAC_OF_GROUP), CONTROL_OK);
	new_handle(end, HANDLE_SELF, NEIGHBOUR_SELF, own, own, true);
	new_handle(end, HANDLE_PEER, NEIGHBOUR_PEER, own, peer, false);
	new_handle(end, HANDLE_GROUP, NEIGHBOUR_GROUP, own, GROUP_ADDRESS, true);
}

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);
	struct host *a = host_new();

	set_up_end(&world->a, a, ADDRESS_A, MAC_A, ADDRESS_B, MAC_B);
	set_up_end(&world->b, host_new_beside(a), ADDRESS_B, MAC_B, ADDRESS_A, MAC_A);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	host_free(world->b.host);
	host_free(world->a.host);
	g_free(world);
	return 0;
}

static void receive(struct end *end, struct host_qp *qp)
{
	host_post_receive(qp, end->to, HOST_PAGE, end->stag);
}

static void post(struct end *end, struct host_qp *qp, u32 handle, u32 qpn, u32 qkey)
{
	const u64 qwords[4] = {
		host_iova(end->host, end->from),
		FIELD_PREP(IRDMAQPSQ_FRAG_LEN, LENGTH) |
			FIELD_PREP(IRDMAQPSQ_FRAG_STAG, end->stag),
		FIELD_PREP(IRDMAQPSQ_DESTQPN, qpn) | FIELD_PREP(IRDMAQPSQ_DESTQKEY, qkey),
		FIELD_PREP(IRDMAQPSQ_OPCODE, IRDMAQP_OP_RDMA_SEND) |
			FIELD_PREP(IRDMAQPSQ_REMSTAG, handle),
	};

	host_put(qp, qwords);
	host_ring(qp);
	host_settle(end->host);
}

static void expect(struct end *end, u32 qpn, u32 source_qpn, u32 source, u32 destination)
{
	const u64 *entry = host_poll(&end->cq);
	u32 addresses[2];

	assert_non_null(entry);
	assert_false(entry[3] & (IRDMA_CQ_ERROR | IRDMA_CQ_SQ));
	assert_true(entry[3] & IRDMACQ_IPV4);
	assert_int_equal(FIELD_GET(IRDMACQ_QPID, entry[2]), qpn);
	assert_int_equal(FIELD_GET(IRDMACQ_UDSRCQPN, entry[2]), source_qpn);
	assert_int_equal(FIELD_GET(IRDMACQ_PAYLDLEN, entry[0]), HEADER + LENGTH);
	memcpy(addresses, end->to + HEADER - sizeof(addresses), sizeof(addresses));
	assert_int_equal(GUINT32_FROM_BE(addresses[0]), source);
	assert_int_equal(GUINT32_FROM_BE(addresses[1]), destination);
	assert_memory_equal(end->to + HEADER, end->from, LENGTH);
	memset(end->to, 0, HEADER + LENGTH);
}

static void expect_nothing(struct end *end)
{
	assert_null(host_poll(&end->cq));
}

static void key_of_the_sender(void **state)
{
	struct end *a = &((struct world *)*state)->a;

	/* As the CM talks to itself. */
	receive(a, &a->management);
	post(a, &a->management, HANDLE_SELF, MANAGEMENT_QPN, SENDERS_OWN_KEY);
	expect(a, MANAGEMENT_QPN, MANAGEMENT_QPN, ADDRESS_A, ADDRESS_A);
	/* Whoever has another key does not get there by it, nor by naming the right one. */
	receive(a, &a->management);
	post(a, &a->other, HANDLE_SELF, MANAGEMENT_QPN, SENDERS_OWN_KEY);
	post(a, &a->other, HANDLE_SELF, MANAGEMENT_QPN, MANAGEMENT_KEY);
	expect_nothing(a);
	assert_int_equal(host_counter(a->host, "lost"), 2);
}

static void key_that_is_named(void **state)
{
	struct end *a = &((struct world *)*state)->a;

	receive(a, &a->other);
	post(a, &a->management, HANDLE_SELF, OTHER_QPN, KEY + 1);
	expect_nothing(a);
	post(a, &a->management, HANDLE_SELF, OTHER_QPN, KEY);
	expect(a, OTHER_QPN, MANAGEMENT_QPN, ADDRESS_A, ADDRESS_A);
}

static void to_the_other_host(void **state)
{
	struct world *world = *state;

	receive(&world->a, &world->a.management);
	receive(&world->b, &world->b.management);
	post(&world->a, &world->a.management, HANDLE_PEER, MANAGEMENT_QPN, SENDERS_OWN_KEY);
	expect(&world->b, MANAGEMENT_QPN, MANAGEMENT_QPN, ADDRESS_A, ADDRESS_B);
	expect_nothing(&world->a);
	/* And back. */
	post(&world->b, &world->b.management, HANDLE_PEER, MANAGEMENT_QPN, SENDERS_OWN_KEY);
	expect(&world->a, MANAGEMENT_QPN, MANAGEMENT_QPN, ADDRESS_B, ADDRESS_A);
	expect_nothing(&world->b);
}

static void neighbour_decides(void **state)
{
	struct world *world = *state;
	struct end *a = &world->a, *b = &world->b;

	receive(b, &b->other);
	assert_int_equal(set_neighbour(a, NEIGHBOUR_PEER, MAC_B + 8), CONTROL_OK);
	post(a, &a->other, HANDLE_PEER, OTHER_QPN, KEY);
	assert_int_equal(set_neighbour(a, NEIGHBOUR_PEER, 0), CONTROL_OK);
	post(a, &a->other, HANDLE_PEER, OTHER_QPN, KEY);
	expect_nothing(b);
	assert_int_equal(host_counter(a->host, "lost"), 2);
	assert_int_equal(set_neighbour(a, NEIGHBOUR_PEER, 0), CONTROL_NO_OBJECT);
	assert_int_equal(set_neighbour(a, NEIGHBOUR_PEER, MAC_B), CONTROL_OK);
	post(a, &a->other, HANDLE_PEER, OTHER_QPN, KEY);
	expect(b, OTHER_QPN, OTHER_QPN, ADDRESS_A, ADDRESS_B);
}

static bool has_completion(const struct host_cq *cq)
{
	struct host_cq copy = *cq;

	return host_poll(&copy);
}

static void link_decides(void **state)
{
	struct world *world = *state;
	struct end *a = &world->a, *b = &world->b;
	double start;

	receive(b, &b->other);
	fabric_set_link(b->host->dev->port, false, 0, 0, 1);
	post(a, &a->other, HANDLE_PEER, OTHER_QPN, KEY);
	fabric_set_link(b->host->dev->port, true, 1000, 0, 1);
	post(a, &a->other, HANDLE_PEER, OTHER_QPN, KEY);
	expect_nothing(b);
	assert_int_equal(host_counter(b->host, "link.lost"), 1);
	fabric_set_link(b->host->dev->port, true, 0, 50000, 1);
	start = ev_time();
	post(a, &a->other, HANDLE_PEER, OTHER_QPN, KEY);
	expect_nothing(b);
	host_wait_for(a->host, has_completion(&b->cq) ? b : NULL);
	assert_true(ev_time() - start > .049);
	expect(b, OTHER_QPN, OTHER_QPN, ADDRESS_A, ADDRESS_B);
}

static void group_hears(void **state)
{
	struct world *world = *state;
	struct end *a = &world->a, *b = &world->b;

	assert_int_equal(set_group(a, IRDMA_CQP_OP_CREATE_MCAST_GRP, OTHER_QPN, 0), CONTROL_OK);
	assert_int_equal(set_group(b, IRDMA_CQP_OP_CREATE_MCAST_GRP, MANAGEMENT_QPN, OTHER_QPN),
			 CONTROL_OK);
	receive(a, &a->other);
	receive(b, &b->other);
	receive(b, &b->management); /* a member with another key */
	post(a, &a->other, HANDLE_GROUP, MULTICAST_QPN, KEY);
	expect(a, OTHER_QPN, OTHER_QPN, ADDRESS_A, GROUP_ADDRESS);
	expect(b, OTHER_QPN, OTHER_QPN, ADDRESS_A, GROUP_ADDRESS);
	expect_nothing(b);
	/* One goes, the other's group ends. */
	receive(a, &a->other);
	receive(b, &b->other);
	assert_int_equal(set_group(b, IRDMA_CQP_OP_MODIFY_MCAST_GRP, MANAGEMENT_QPN, 0),
			 CONTROL_OK);
	assert_int_equal(group_command(a, IRDMA_CQP_OP_DESTROY_MCAST_GRP, 0), CONTROL_OK);
	post(a, &a->other, HANDLE_GROUP, MULTICAST_QPN, KEY);
	expect_nothing(a);
	expect_nothing(b);
	assert_int_equal(host_counter(a->host, "lost"), 1);
}

static void group_is_not_a_host(void **state)
{
	struct world *world = *state;
	struct end *a = &world->a;

	assert_int_equal(set_group(a, IRDMA_CQP_OP_CREATE_MCAST_GRP, OTHER_QPN, 0), CONTROL_OK);
	receive(a, &a->other);
	/* The group's QP number at a host's address, and another group's address. */
	post(a, &a->other, HANDLE_SELF, MULTICAST_QPN, KEY);
	new_handle(a, HANDLE_GROUP + 1, NEIGHBOUR_GROUP, ADDRESS_A, GROUP_ADDRESS + 1, true);
	post(a, &a->other, HANDLE_GROUP + 1, MULTICAST_QPN, KEY);
	expect_nothing(a);
}

static void group_commands(void **state)
{
	struct world *world = *state;
	struct end *a = &world->a;
	u64 nowhere = 1ull << 60;

	/* Without effect: */
	assert_int_equal(set_group(a, IRDMA_CQP_OP_MODIFY_MCAST_GRP, OTHER_QPN, 0), CONTROL_OK);
	assert_int_equal(group_command(a, IRDMA_CQP_OP_DESTROY_MCAST_GRP, 0), CONTROL_NO_OBJECT);
	assert_int_equal(group_command(a, IRDMA_CQP_OP_CREATE_MCAST_GRP, nowhere),
			 CONTROL_BAD_ADDRESS);
	assert_int_equal(set_group(a, IRDMA_CQP_OP_CREATE_MCAST_GRP, OTHER_QPN, 0), CONTROL_OK);
	assert_int_equal(set_group(a, IRDMA_CQP_OP_CREATE_MCAST_GRP, OTHER_QPN, 0),
			 CONTROL_OBJECT_EXISTS);
	assert_int_equal(group_command(a, IRDMA_CQP_OP_MODIFY_MCAST_GRP, nowhere),
			 CONTROL_BAD_ADDRESS);
	assert_int_equal(group_command(a, IRDMA_CQP_OP_DESTROY_MCAST_GRP, 0), CONTROL_OK);
}

#define test_of(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test_of(key_of_the_sender),
		test_of(key_that_is_named),
		test_of(to_the_other_host),
		test_of(neighbour_decides),
		test_of(link_decides),
		test_of(group_hears),
		test_of(group_is_not_a_host),
		test_of(group_commands),
	};

	return cmocka_run_group_tests_name("datagrams", tests, NULL, NULL);
}
