/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "importer.h"

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

void importer_close(struct importer *importer)
{
	if (!importer->peer.context)
		return;
	close_queues(importer);
	verbs_buffer_free(&importer->source);
	verbs_peer_close(&importer->peer);
	*importer = (struct importer){ 0 };
}

int importer_post(struct importer *importer, uint32_t rkey, enum ibv_wc_status *status,
		  struct error *err)
{
	const struct verbs_local local = {
		(uintptr_t)importer->source.address, (uint32_t)importer->source.length,
		importer->source.mr->lkey,
	};
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
