/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "traffic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "clock.h"

static void note(struct traffic *traffic, const struct ibv_wc *wc)
{
	int64_t now = clock_now_ns();

	if (wc->status == IBV_WC_SUCCESS) {
		traffic->last_success_ns = now;
		if (++traffic->completed == traffic->depth)
			sem_post(&traffic->running);
	} else if (traffic->first_error == IBV_WC_SUCCESS) {
		traffic->first_error = wc->status;
		traffic->first_error_ns = now;
	}
}

static int drive(struct traffic *traffic)
{
	unsigned int in_flight = 0;
	struct ibv_wc wc;
	int ret;

	for (;;) {
		bool posting = traffic->first_error == IBV_WC_SUCCESS &&
			       !atomic_load_explicit(&traffic->stop, memory_order_relaxed);

		if (!posting && !in_flight)
			return 0;
		while (posting && in_flight < traffic->depth) {
			ret = verbs_post_write(traffic->qp, 0, traffic->local, traffic->remote,
					       &traffic->error);
			if (ret)
				return ret;
			in_flight++;
		}
		ret = verbs_wait(traffic->qp, &wc, OPERATION_TIMEOUT_NS, &traffic->error);
		if (ret)
			return ret;
		in_flight--;
		note(traffic, &wc);
	}
}

static void *run(void *argument)
{
	struct traffic *traffic = argument;

	traffic->result = drive(traffic);
	/* Whoever waits for either event must not wait for a thread that has ended. */
	sem_post(&traffic->running);
	return NULL;
}

int traffic_start(struct traffic *traffic, struct verbs_qp *qp, struct verbs_local local,
		  struct verbs_remote remote, unsigned int depth, struct error *err)
{
	int ret;

	memset(traffic, 0, sizeof(*traffic));
	traffic->qp = qp;
	traffic->local = local;
	traffic->remote = remote;
	traffic->depth = depth;
	sem_init(&traffic->running, 0, 0);
	ret = pthread_create(&traffic->thread, NULL, run, traffic);
	if (ret) {
		sem_destroy(&traffic->running);
		return error_set(err, ret, "starting the thread that keeps writes in flight failed");
	}
	while (sem_wait(&traffic->running) && errno == EINTR)
		;
	return 0;
}

int traffic_finish(struct traffic *traffic, int64_t patience_ns, struct error *err)
{
	struct timespec deadline;
	int ret;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += (deadline.tv_nsec + patience_ns) / NS_PER_S;
	deadline.tv_nsec = (deadline.tv_nsec + patience_ns) % NS_PER_S;
	ret = pthread_timedjoin_np(traffic->thread, NULL, &deadline);
	if (ret) {
		atomic_store(&traffic->stop, true);
		pthread_join(traffic->thread, NULL);
	}
	sem_destroy(&traffic->running);
	if (traffic->result && err)
		*err = traffic->error;
	return traffic->result;
}
