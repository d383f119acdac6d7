/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * QPs that join one multicast group at once, and leave it at once: those who have joined all hear what is
 * sent to it, and a driver that frees the group when the last one leaves does not use it any more for
 * those who leave beside it. -n gives the rounds.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#define QKEY 0x11111111
#define MULTICAST_QPN 0xffffff
#define LISTEN_TIMEOUT_NS patience_ns(20 * NS_PER_S)

enum { MEMBERS = 4, HEADER = 40, LENGTH = 64, ROOM = 256 };

/* 239.192.0.1, which stays within an organisation. */
static const union ibv_gid group = {
	.raw = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 239, 192, 0, 1 },
};

struct datagram_qp {
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	uint8_t *memory;	/* ROOM bytes of the crowd's buffer */
};

struct member {
	struct datagram_qp datagrams;
	pthread_t thread;
	struct crowd *crowd;
	int joined, left;	/* errno */
};

struct crowd {
	struct verbs_peer peer;
	struct verbs_buffer buffer;
	struct datagram_qp sender;
	struct ibv_ah *ah;
	struct member members[MEMBERS];
	pthread_barrier_t together;
	bool over;	/* written by the test's thread between two meetings at the barrier */
};

static void datagram_qp_create(struct crowd *crowd, struct datagram_qp *self, uint8_t *memory)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT, .port_num = crowd->peer.port, .qkey = QKEY };
	struct ibv_qp_init_attr init = {
		.qp_type = IBV_QPT_UD,
		.cap = { .max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1, .max_recv_sge = 1 },
		.sq_sig_all = 1,
	};

	self->memory = memory;
	self->cq = ibv_create_cq(crowd->peer.context, 8, NULL, NULL, 0);
	assert_non_null(self->cq);
	init.send_cq = self->cq;
	init.recv_cq = self->cq;
	self->qp = ibv_create_qp(crowd->peer.pd, &init);
	assert_non_null(self->qp);
	assert_int_equal(ibv_modify_qp(self->qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				       IBV_QP_QKEY), 0);
	attr.qp_state = IBV_QPS_RTR;
	assert_int_equal(ibv_modify_qp(self->qp, &attr, IBV_QP_STATE), 0);
	attr.qp_state = IBV_QPS_RTS;
	assert_int_equal(ibv_modify_qp(self->qp, &attr, IBV_QP_STATE | IBV_QP_SQ_PSN), 0);
}

static void datagram_qp_destroy(struct datagram_qp *self)
{
	if (self->qp)
		ibv_destroy_qp(self->qp);
	if (self->cq)
		ibv_destroy_cq(self->cq);
}

static int set_up(void **state)
{
	const struct verbs_peer_options options = {
		.device = test_options.device, .port = test_options.port,
		.gid_index = test_options.gid_index,
	};
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	struct ibv_ah_attr attr = {
		.is_global = 1, .port_num = test_options.port,
		.grh = { .dgid = group, .hop_limit = 1 },
	};
	uint8_t *memory;

	assert_non_null(crowd);
	*state = crowd;
	assert_int_equal(pthread_barrier_init(&crowd->together, NULL, MEMBERS + 1), 0);
	must(verbs_peer_open(&crowd->peer, &options, &test_error));
	must(verbs_buffer_init(&crowd->peer, (MEMBERS + 1) * ROOM, IBV_ACCESS_LOCAL_WRITE, &crowd->buffer,
			       &test_error));
	memory = crowd->buffer.address;
	datagram_qp_create(crowd, &crowd->sender, memory);
	for (unsigned int i = 0; i < MEMBERS; i++) {
		crowd->members[i].crowd = crowd;
		datagram_qp_create(crowd, &crowd->members[i].datagrams, memory + (i + 1) * ROOM);
	}
	attr.grh.sgid_index = (uint8_t)crowd->peer.gid_index;
	crowd->ah = ibv_create_ah(crowd->peer.pd, &attr);
	assert_non_null(crowd->ah);
	return 0;
}

static int tear_down(void **state)
{
	struct crowd *crowd = *state;

	if (crowd->ah)
		ibv_destroy_ah(crowd->ah);
	datagram_qp_destroy(&crowd->sender);
	for (unsigned int i = 0; i < MEMBERS; i++)
		datagram_qp_destroy(&crowd->members[i].datagrams);
	verbs_buffer_free(&crowd->buffer);
	verbs_peer_close(&crowd->peer);
	pthread_barrier_destroy(&crowd->together);
	free(crowd);
	return 0;
}

static struct ibv_sge sge_of(const struct crowd *crowd, const struct datagram_qp *self, uint32_t length)
{
	return (struct ibv_sge){
		.addr = (uintptr_t)self->memory, .length = length, .lkey = crowd->buffer.mr->lkey,
	};
}

static bool completes(const struct datagram_qp *self)
{
	const int64_t deadline = clock_now_ns() + LISTEN_TIMEOUT_NS;
	struct ibv_wc wc;
	int count;

	while (!(count = ibv_poll_cq(self->cq, 1, &wc)))
		if (clock_now_ns() > deadline)
			return false;
	return count == 1 && wc.status == IBV_WC_SUCCESS;
}

static bool listen(struct crowd *crowd, struct datagram_qp *self)
{
	struct ibv_sge sge = sge_of(crowd, self, ROOM);
	struct ibv_recv_wr wr = { .sg_list = &sge, .num_sge = 1 }, *bad;

	memset(self->memory, 0, ROOM);
	return !ibv_post_recv(self->qp, &wr, &bad);
}

static bool send_to_all(struct crowd *crowd, uint32_t seed)
{
	struct ibv_sge sge = sge_of(crowd, &crowd->sender, LENGTH);
	struct ibv_send_wr wr = {
		.sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND,
		.wr.ud = { .ah = crowd->ah, .remote_qpn = MULTICAST_QPN, .remote_qkey = QKEY },
	}, *bad;

	fill_pattern(crowd->sender.memory, LENGTH, seed);
	return !ibv_post_send(crowd->sender.qp, &wr, &bad) && completes(&crowd->sender);
}

/* Between its own and the others' comings and goings it meets them, and the test's thread, at the barrier. */
static void *come_and_go(void *argument)
{
	struct member *self = argument;
	struct crowd *crowd = self->crowd;

	while (pthread_barrier_wait(&crowd->together), !crowd->over) {
		self->joined = ibv_attach_mcast(self->datagrams.qp, &group, 0);
		pthread_barrier_wait(&crowd->together);
		pthread_barrier_wait(&crowd->together);
		self->left = ibv_detach_mcast(self->datagrams.qp, &group, 0);
		pthread_barrier_wait(&crowd->together);
	}
	return NULL;
}

/* All have joined: what is wrong, or NULL. */
static const char *hear(struct crowd *crowd, uint32_t seed)
{
	for (unsigned int i = 0; i < MEMBERS; i++)
		if (crowd->members[i].joined)
			return "a QP could not join the group";
	if (!send_to_all(crowd, seed))
		return "the datagram could not be sent";
	for (unsigned int i = 0; i < MEMBERS; i++) {
		const struct datagram_qp *listener = &crowd->members[i].datagrams;

		if (!completes(listener))
			return "a QP that has joined heard nothing";
		if (memcmp(listener->memory + HEADER, crowd->sender.memory, LENGTH))
			return "a QP heard something else than what was sent";
	}
	return NULL;
}

static const char *go_round(struct crowd *crowd, uint32_t seed)
{
	const char *wrong = NULL;

	for (unsigned int i = 0; i < MEMBERS; i++)
		if (!listen(crowd, &crowd->members[i].datagrams))
			return "a receive could not be posted";
	pthread_barrier_wait(&crowd->together);
	pthread_barrier_wait(&crowd->together);
	wrong = hear(crowd, seed);
	pthread_barrier_wait(&crowd->together);
	pthread_barrier_wait(&crowd->together);
	for (unsigned int i = 0; i < MEMBERS && !wrong; i++)
		if (crowd->members[i].left)
			wrong = "a QP could not leave the group";
	return wrong;
}

/* The threads use the crowd: what is wrong is told when they have ended. */
static void at_once(void **state)
{
	struct crowd *crowd = *state;
	const char *wrong = NULL;
	unsigned int round;

	for (unsigned int i = 0; i < MEMBERS; i++)
		assert_int_equal(pthread_create(&crowd->members[i].thread, NULL, come_and_go,
						&crowd->members[i]), 0);
	rounds_begin(&test_rounds);
	for (round = 0; !wrong && rounds_another(&test_rounds, round); round++)
		wrong = go_round(crowd, round);
	crowd->over = true;
	pthread_barrier_wait(&crowd->together);
	for (unsigned int i = 0; i < MEMBERS; i++)
		pthread_join(crowd->members[i].thread, NULL);
	if (wrong)
		fail_msg("round %u: %s", round, wrong);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(at_once, set_up, tear_down),
};

TEST_MAIN("QPs join and leave a multicast group at once; -n gives the rounds", TEST_NEEDS_NIC, tests)
