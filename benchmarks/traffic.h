/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* RDMA writes kept in flight by a thread, which notes when they begin to fail. */
#ifndef BENCHMARKS_TRAFFIC_H
#define BENCHMARKS_TRAFFIC_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "verbs_peer.h"

struct traffic {
	struct verbs_qp *qp;
	struct verbs_local local;
	struct verbs_remote remote;
	unsigned int depth;
	pthread_t thread;
	sem_t running;
	atomic_bool stop;
	/* The thread's results, for traffic_finish()'s caller. */
	int64_t last_success_ns;	/* time of day of clock_now_ns(); 0 if there is none */
	int64_t first_error_ns;
	enum ibv_wc_status first_error;	/* IBV_WC_SUCCESS if none failed */
	uint64_t completed;
	int result;
	struct error error;
};

/* Returns when depth writes are in flight and as many have completed. */
int traffic_start(struct traffic *traffic, struct verbs_qp *qp, struct verbs_local local,
		  struct verbs_remote remote, unsigned int depth, struct error *err);
/*
 * Waits until a write has failed, or stops posting after patience_ns without
 * one; then until nothing is in flight.
 */
int traffic_finish(struct traffic *traffic, int64_t patience_ns, struct error *err);

#endif
