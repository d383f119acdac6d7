/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A writer on another host. The test lends, remote_writer over there writes to
 * it by RDMA, RC or on an EFA SRD, and is told what to do over a TCP connection.
 * PEER says how to start a program there, OWN_ADDRESS where it finds this host.
 *
 * Functions return 0 or -errno and fill *err.
 */
#ifndef TESTS_VERBS_COMMON_REMOTE_H
#define TESTS_VERBS_COMMON_REMOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "srd.h"
#include "verbs_peer.h"

#define REMOTE_QPS 2
#define REMOTE_BUFFER (1u << 20)
#define REMOTE_BLOCK 4096u

/* One QP of this host's, connected to one of the writer's. */
union remote_qp {
	struct verbs_qp rc;
	struct srd_qp srd;
};

struct remote {
	struct verbs_peer *peer;
	bool is_srd;
	pid_t pid;	/* of what PEER names; 0: none */
	int socket;
	union remote_qp qp[REMOTE_QPS];
	struct verbs_remote lent;	/* the writer's own buffer */
	bool connected;
};

enum remote_what {
	REMOTE_CONNECT,	/* new QPs on both hosts */
	REMOTE_WRITE,	/* one message, with fill_pattern(seed) */
	REMOTE_READ,	/* one message, which must hold fill_pattern(seed) */
	REMOTE_RUN,	/* ever new words (writer_word()) by all QPs, until all have failed */
	REMOTE_QUIT,
};

struct remote_order {
	uint32_t what, seed, rkey, length;
	uint64_t address;
};

struct remote_answer {
	int32_t error;			/* -errno, and text says why */
	uint32_t status[REMOTE_QPS];	/* enum ibv_wc_status of the first failure, or of the one message */
	uint32_t rkey;			/* CONNECT: of the writer's buffer */
	uint32_t same;			/* READ: the pattern was there */
	uint64_t address, completed;
	char text[512];
};

/* ---- the lending host ---- */

/* -ENODEV, and err says that something is missing, without another host. */
int remote_is_there(struct error *err);
int remote_start(struct remote *remote, struct verbs_peer *peer, struct error *err);
void remote_stop(struct remote *remote);
int remote_connect(struct remote *remote, struct error *err);
/* *status: of the completion over there. */
int remote_write(struct remote *remote, struct verbs_remote to, uint32_t length, uint32_t seed,
		 enum ibv_wc_status *status, struct error *err);
/* -EBADMSG if it succeeded and the bytes were others. */
int remote_read(struct remote *remote, struct verbs_remote from, uint32_t length, uint32_t seed,
		enum ibv_wc_status *status, struct error *err);
/* Starts REMOTE_RUN: each QP has its own half of the range. */
int remote_run(struct remote *remote, struct verbs_remote to, uint32_t length, struct error *err);
/* Its end: when all QPs have failed. */
int remote_wait(struct remote *remote, struct remote_answer *answer, struct error *err);

/* ---- both ---- */

int remote_qp_create(struct verbs_peer *peer, union remote_qp *qp, bool srd, struct error *err);
void remote_qp_destroy(union remote_qp *qp, bool srd);
int remote_qp_connect(union remote_qp *qp, bool srd, int socket, struct error *err);
bool remote_is_srd(struct verbs_peer *peer);

#endif
