/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* RDMA writes to an MR of the same device: over RC, or over SRD where there are no connections. */
#ifndef TESTS_LEVELS_IMPORTER_H
#define TESTS_LEVELS_IMPORTER_H

#include "srd.h"
#include "verbs_peer.h"

#define IMPORTER_ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

struct importer {
	struct verbs_peer peer;
	struct verbs_buffer source;
	bool by_srd;
	struct verbs_pair pair;
	struct srd_qp initiator, target;
};

/* As many bytes of source as what is written will have. */
int importer_open(struct importer *importer, size_t size, bool by_srd, struct error *err);
/* Of a device that was bound just now: its port, and the addresses of it, come up by events. */
int importer_open_new(struct importer *importer, size_t size, bool by_srd, struct error *err);
void importer_close(struct importer *importer);
/* All of source to address 0 of the key. The QPs are new ones after an error. */
int importer_post(struct importer *importer, uint32_t rkey, enum ibv_wc_status *status,
		  struct error *err);
/* The same without waiting for anything: true if there is a completion all the same. RC alone. */
bool importer_post_to_nobody(struct importer *importer, uint32_t rkey);

/* Takes what events there are, and those that come within the time: has one said that the device is gone? */
bool importer_device_is_fatal(struct importer *importer, int timeout_ms);

#endif
