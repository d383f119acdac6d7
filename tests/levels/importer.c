/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "importer.h"

#include <poll.h>

#include "fixture.h"

static int open_queues(struct importer *importer, struct error *err)
{
	int ret;

	if (!importer->by_srd)
		return verbs_pair_create(&importer->peer, NULL, &importer->pair, err);
	ret = srd_qp_create(&importer->peer, &importer->initiator, err);
	return ret ? ret : srd_qp_create(&importer->peer, &importer->target, err);
}

static void close_queues(struct importer *importer)
{
	if (!importer->by_srd) {
		verbs_pair_destroy(&importer->pair);
		return;
	}
	srd_qp_destroy(&importer->target);
	srd_qp_destroy(&importer->initiator);
}

int importer_open(struct importer *importer, size_t size, bool by_srd, struct error *err)
{
	const struct verbs_peer_options options = {
		.device = test_options.device,
		.port = test_options.port,
		.gid_index = by_srd ? 0 : test_options.gid_index,
	};
	int ret;

	*importer = (struct importer){ .by_srd = by_srd };
	ret = verbs_peer_open(&importer->peer, &options, err);
	if (ret)
		return ret;
	ret = verbs_buffer_init(&importer->peer, size, IBV_ACCESS_LOCAL_WRITE, &importer->source,
				err);
	if (!ret)
		ret = open_queues(importer, err);
	if (ret)
		importer_close(importer);
	return ret;
}

int importer_open_new(struct importer *importer, size_t size, bool by_srd, struct error *err)
{
	const int64_t deadline = clock_now_ns() + TEST_TIMEOUT_NS;
	int ret;

	do {
		ret = importer_open(importer, size, by_srd, err);
	} while (ret && err->missing && clock_now_ns() < deadline);
	return ret;
}

void importer_close(struct importer *importer)
{
	if (!importer->peer.context)
		return;
	close_queues(importer);
	verbs_buffer_free(&importer->source);
	verbs_peer_close(&importer->peer);
	*importer = (struct importer){ 0 };
}

static struct verbs_local source_of(const struct importer *importer)
{
	return (struct verbs_local){
		(uintptr_t)importer->source.address, (uint32_t)importer->source.length,
		importer->source.mr->lkey,
	};
}

bool importer_post_to_nobody(struct importer *importer, uint32_t rkey)
{
	const struct verbs_remote remote = { 0, rkey };
	struct ibv_wc wc;

	return !verbs_post_write(&importer->pair.initiator, 1, source_of(importer), remote, NULL) &&
	       verbs_poll(&importer->pair.initiator, &wc) > 0;
}

bool importer_device_is_fatal(struct importer *importer, int timeout_ms)
{
	struct pollfd news = { .fd = importer->peer.context->async_fd, .events = POLLIN };
	struct ibv_async_event event;
	bool fatal = false;

	while (!fatal && poll(&news, 1, timeout_ms) == 1 && news.revents & POLLIN) {
		if (ibv_get_async_event(importer->peer.context, &event))
			break;
		fatal = event.event_type == IBV_EVENT_DEVICE_FATAL;
		ibv_ack_async_event(&event);
	}
	return fatal;
}

int importer_post(struct importer *importer, uint32_t rkey, enum ibv_wc_status *status,
		  struct error *err)
{
	const struct verbs_local local = source_of(importer);
	const struct verbs_remote remote = { 0, rkey };
	struct ibv_wc wc;
	int ret;

	if (importer->by_srd) {
		ret = srd_write(&importer->initiator, &importer->target, local, remote, &wc, err);
	} else {
		ret = verbs_post_write(&importer->pair.initiator, 1, local, remote, err);
		if (!ret)
			ret = verbs_wait(&importer->pair.initiator, &wc, TEST_TIMEOUT_NS, err);
	}
	if (ret)
		return ret;
	*status = wc.status;
	if (wc.status == IBV_WC_SUCCESS)
		return 0;
	/* Not every device's QP leaves the error state. */
	close_queues(importer);
	return open_queues(importer, err);
}
