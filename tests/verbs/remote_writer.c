/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The other host's side of common/remote.h: usage: remote_writer ADDRESS PORT [RDMA_DEVICE] */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fixture.h"
#include "remote.h"
#include "tcp.h"
#include "writer.h"

#define DEPTH 8
#define COMPLETION_TIMEOUT_NS patience_ns(50 * NS_PER_S)

struct side {
	struct verbs_peer peer;
	struct verbs_buffer buffer;
	bool is_srd;
	int socket;
	union remote_qp qp[REMOTE_QPS];
	uint64_t sequence;
	struct error err;
};

static void disconnect(struct side *side)
{
	for (unsigned int i = 0; i < REMOTE_QPS; i++)
		remote_qp_destroy(&side->qp[i], side->is_srd);
	memset(side->qp, 0, sizeof(side->qp));
}

/* The QPs' numbers go over the socket only after the answer. */
static int prepare(struct side *side, struct remote_answer *answer)
{
	int ret = 0;

	disconnect(side);
	for (unsigned int i = 0; i < REMOTE_QPS && !ret; i++)
		ret = remote_qp_create(&side->peer, &side->qp[i], side->is_srd, &side->err);
	answer->address = (uintptr_t)side->buffer.address;
	answer->rkey = side->buffer.mr->rkey;
	return ret;
}

static int finish_connecting(struct side *side)
{
	int ret = 0;

	for (unsigned int i = 0; i < REMOTE_QPS && !ret; i++)
		ret = remote_qp_connect(&side->qp[i], side->is_srd, side->socket, &side->err);
	return ret;
}

static struct verbs_local local_at(struct side *side, size_t offset, uint32_t length)
{
	return (struct verbs_local){
		.address = (uintptr_t)side->buffer.address + offset,
		.length = length,
		.lkey = side->buffer.mr->lkey,
	};
}

static int one_message(struct side *side, const struct remote_order *order, struct ibv_wc *wc)
{
	const struct verbs_remote remote = { .address = order->address, .rkey = order->rkey };
	struct verbs_local local = local_at(side, 0, order->length);
	bool write = order->what == REMOTE_WRITE;
	union remote_qp *qp = &side->qp[0];
	int ret;

	if (side->is_srd)
		return write ? srd_write(&qp->srd, NULL, local, remote, wc, &side->err) :
			       srd_read(&qp->srd, NULL, local, remote, wc, &side->err);
	ret = write ? verbs_post_write(&qp->rc, 1, local, remote, &side->err) :
		      verbs_post_read(&qp->rc, 1, local, remote, &side->err);
	return ret ?: verbs_wait(&qp->rc, wc, COMPLETION_TIMEOUT_NS, &side->err);
}

static int message(struct side *side, const struct remote_order *order,
		   struct remote_answer *answer)
{
	void *expected = (uint8_t *)side->buffer.address + REMOTE_BUFFER;
	struct ibv_wc wc;
	int ret;

	if (order->length > REMOTE_BUFFER)
		return error_set(&side->err, EINVAL, "a message has at most %u bytes", REMOTE_BUFFER);
	fill_pattern(expected, order->length, order->seed);
	if (order->what == REMOTE_WRITE)
		memcpy(side->buffer.address, expected, order->length);
	else
		memset(side->buffer.address, 0, order->length);
	ret = one_message(side, order, &wc);
	answer->status[0] = ret ? 0 : wc.status;
	answer->same = !memcmp(side->buffer.address, expected, order->length);
	return ret;
}

/* ---- ever new words ---- */

struct stream {
	unsigned int id, outstanding;
	uint64_t begin, posted;
	uint32_t blocks;
	bool failed;
};

static int post_next(struct side *side, struct stream *stream, uint32_t rkey)
{
	size_t slot = (stream->id * DEPTH + stream->posted % DEPTH) * REMOTE_BLOCK;
	uint64_t *words = (void *)((uint8_t *)side->buffer.address + slot);
	const struct verbs_remote to = {
		.address = stream->begin + stream->posted % stream->blocks * REMOTE_BLOCK,
		.rkey = rkey,
	};

	side->sequence++;
	for (size_t i = 0; i < REMOTE_BLOCK / sizeof(*words); i++)
		words[i] = writer_word(stream->id, side->sequence);
	stream->posted++;
	stream->outstanding++;
	return verbs_post_write(&side->qp[stream->id].rc, side->sequence,
				local_at(side, slot, REMOTE_BLOCK), to, &side->err);
}

/* The first failure is the one that counts: what follows is flushed. */
static int advance(struct side *side, struct stream *stream, uint32_t rkey,
		   struct remote_answer *answer)
{
	struct ibv_wc wc;
	int ret = 0;

	while (!stream->failed && stream->outstanding < DEPTH && !ret)
		ret = post_next(side, stream, rkey);
	if (ret)
		return ret;
	ret = verbs_poll(&side->qp[stream->id].rc, &wc);
	if (ret <= 0)
		return ret;
	stream->outstanding--;
	if (wc.status == IBV_WC_SUCCESS)
		answer->completed++;
	else if (!stream->failed)
		answer->status[stream->id] = wc.status;
	stream->failed |= wc.status != IBV_WC_SUCCESS;
	return 0;
}

static int run(struct side *side, const struct remote_order *order, struct remote_answer *answer)
{
	struct stream streams[REMOTE_QPS];
	unsigned int failed = 0;
	int ret = 0;

	if (side->is_srd)
		return error_set(&side->err, EOPNOTSUPP, "a stream takes connections");
	for (unsigned int i = 0; i < REMOTE_QPS; i++)
		streams[i] = (struct stream){
			.id = i,
			.begin = order->address + i * (order->length / REMOTE_QPS),
			.blocks = order->length / REMOTE_QPS / REMOTE_BLOCK,
		};
	while (failed < REMOTE_QPS && !ret) {
		failed = 0;
		for (unsigned int i = 0; i < REMOTE_QPS && !ret; i++) {
			if (!streams[i].failed || streams[i].outstanding)
				ret = advance(side, &streams[i], order->rkey, answer);
			failed += streams[i].failed && !streams[i].outstanding;
		}
	}
	return ret;
}

/* ---- orders ---- */

static int obey(struct side *side, const struct remote_order *order)
{
	struct remote_answer answer = { 0 };
	int ret;

	side->err = (struct error){ 0 };
	switch (order->what) {
	case REMOTE_CONNECT:
		ret = prepare(side, &answer);
		break;
	case REMOTE_WRITE:
	case REMOTE_READ:
		ret = message(side, order, &answer);
		break;
	default:
		ret = run(side, order, &answer);
		break;
	}
	answer.error = ret;
	snprintf(answer.text, sizeof(answer.text), "%.500s", side->err.text);
	ret = tcp_send(side->socket, &answer, sizeof(answer), &side->err);
	if (!ret && !answer.error && order->what == REMOTE_CONNECT)
		ret = finish_connecting(side);
	return ret;
}

static int start(struct side *side, char **argv)
{
	const struct verbs_peer_options options = { .device = argv[3], .gid_index = -1 };
	int ret;

	ret = verbs_peer_open(&side->peer, &options, &side->err);
	if (ret)
		return ret;
	side->is_srd = remote_is_srd(&side->peer);
	ret = verbs_buffer_init(&side->peer, 2 * REMOTE_BUFFER,
				side->is_srd ? IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
						       IBV_ACCESS_REMOTE_READ :
					       VERBS_ACCESS_ALL,
				&side->buffer, &side->err);
	if (ret)
		return ret;
	side->socket = tcp_connect(argv[1], (uint16_t)atoi(argv[2]), &side->err);
	return side->socket < 0 ? side->socket : 0;
}

int main(int argc, char **argv)
{
	struct side side = { .socket = -1 };
	struct remote_order order;
	int ret;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: %s ADDRESS PORT [RDMA_DEVICE]\n", argv[0]);
		return EXIT_STATUS_USAGE;
	}
	ret = start(&side, argv);
	while (!ret) {
		ret = tcp_receive(side.socket, &order, sizeof(order), &side.err);
		if (!ret && order.what == REMOTE_QUIT)
			return 0;
		if (!ret)
			ret = obey(&side, &order);
	}
	fprintf(stderr, "remote_writer: %s\n", side.err.text);
	return error_exit_status(&side.err);
}
