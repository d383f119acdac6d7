/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "writer.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "guarded_access.h"
#include "patience.h"

#define TIMEOUT_NS patience_ns(20 * NS_PER_S)
#define NO_TARGET UINT64_MAX
/* No write that began after the revoke may succeed. After so many there will be no refusal. */
#define NEVER_REFUSED 256

void writers_meeting_init(struct writers_meeting *meeting)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&meeting->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&meeting->changed, &attr);
	pthread_condattr_destroy(&attr);
	atomic_init(&meeting->epoch, 0);
}

static void announce(struct writer *writer)
{
	pthread_mutex_lock(&writer->meeting->lock);
	pthread_cond_broadcast(&writer->meeting->changed);
	pthread_mutex_unlock(&writer->meeting->lock);
}

static void break_off(struct writer *writer)
{
	atomic_store(&writer->broken, true);
	announce(writer);
}

/* Without a lock as long as the target is far. */
static void count(struct writer *writer, atomic_ullong *counter, atomic_ullong *target)
{
	if (atomic_fetch_add(counter, 1) + 1 >= atomic_load(target)) {
		atomic_store(target, NO_TARGET);
		announce(writer);
	}
}

static void count_late(struct writer *writer)
{
	if (atomic_fetch_add(&writer->late, 1) + 1 == NEVER_REFUSED)
		announce(writer);
}

/* ---- the thread ---- */

static bool post_next(struct writer *writer)
{
	uint64_t sequence = atomic_load(&writer->posted) + 1;
	unsigned int slot = sequence % WRITER_DEPTH;
	uint64_t block = sequence % (writer->length / WRITER_BLOCK);
	uint64_t *words = (uint64_t *)((uint8_t *)writer->source.address + slot * WRITER_BLOCK);
	struct verbs_local local = {
		.address = (uintptr_t)words, .length = WRITER_BLOCK, .lkey = writer->source.mr->lkey,
	};
	struct verbs_remote remote = {
		.address = writer->iova + block * WRITER_BLOCK, .rkey = writer->rkey,
	};

	/* The epoch first: a write that begins before the revoke returns may be taken for an earlier one. */
	writer->post_epoch[slot] = atomic_load(&writer->meeting->epoch);
	for (unsigned int i = 0; i < WRITER_BLOCK / sizeof(*words); i++)
		words[i] = writer_word(writer->id, sequence);
	atomic_store(&writer->posted, sequence);
	if (verbs_post_write(&writer->pair.initiator, sequence, local, remote, &writer->err)) {
		break_off(writer);
		return false;
	}
	writer->outstanding++;
	return true;
}

static void take_completion(struct writer *writer, const struct ibv_wc *wc)
{
	unsigned int slot = wc->wr_id % WRITER_DEPTH;

	writer->outstanding--;
	switch (wc->status) {
	case IBV_WC_SUCCESS:
		/* An odd epoch is one in which the memory is revoked. */
		if (writer->post_epoch[slot] % 2)
			count_late(writer);
		count(writer, &writer->completed, &writer->completed_target);
		return;
	case IBV_WC_WR_FLUSH_ERR:
		return;
	case IBV_WC_REM_ACCESS_ERR:
		writer->needs_recycling = true;
		count(writer, &writer->refused, &writer->refused_target);
		return;
	default:
		writer->needs_recycling = true;
		atomic_store(&writer->last_status, wc->status);
		atomic_fetch_add(&writer->other_errors, 1);
		/* Keeps those waiting for a refusal from waiting in vain. */
		count(writer, &writer->refused, &writer->refused_target);
	}
}

/* One completion, if there is one. False when there has been none for too long. */
static bool poll_one(struct writer *writer, int64_t *waiting_since)
{
	struct ibv_wc wc;
	int n = verbs_poll(&writer->pair.initiator, &wc);

	if (n < 0) {
		error_set(&writer->err, -n, "writer %u: polling its CQ failed", writer->id);
		break_off(writer);
		return false;
	}
	if (n) {
		take_completion(writer, &wc);
		*waiting_since = clock_now_ns();
		return true;
	}
	if (clock_now_ns() - *waiting_since > TIMEOUT_NS) {
		error_set(&writer->err, ETIMEDOUT, "writer %u: %u writes under way and no completion",
			  writer->id, writer->outstanding);
		break_off(writer);
		return false;
	}
	return true;
}

static bool recycle(struct writer *writer)
{
	if (verbs_pair_recycle(&writer->pair, &writer->err)) {
		break_off(writer);
		return false;
	}
	writer->outstanding = 0;
	writer->needs_recycling = false;
	return true;
}

static void run_by_cpu(struct writer *writer)
{
	const size_t words = WRITER_BLOCK / sizeof(*writer->mapping);

	while (atomic_load(&writer->order) == WRITER_RUN) {
		uint64_t sequence = atomic_load(&writer->posted) + 1;
		uint64_t block = sequence % (writer->length / WRITER_BLOCK);
		unsigned int epoch = atomic_load(&writer->meeting->epoch);

		atomic_store(&writer->posted, sequence);
		if (guarded_fill(writer->mapping + block * words, words,
				 writer_word(writer->id, sequence)) < words) {
			count(writer, &writer->refused, &writer->refused_target);
			continue;
		}
		if (epoch % 2)
			count_late(writer);
		count(writer, &writer->completed, &writer->completed_target);
	}
}

static bool run_by_rdma(struct writer *writer)
{
	int64_t waiting_since = clock_now_ns();

	while (atomic_load(&writer->order) == WRITER_RUN) {
		if (writer->needs_recycling && !recycle(writer))
			return false;
		while (writer->outstanding < WRITER_DEPTH)
			if (!post_next(writer))
				return false;
		if (!poll_one(writer, &waiting_since))
			return false;
	}
	while (writer->outstanding && !writer->needs_recycling)
		if (!poll_one(writer, &waiting_since))
			return false;
	/* In RESET nothing of this QP is under way any more. */
	return !writer->needs_recycling || recycle(writer);
}

static void *writer_thread(void *argument)
{
	struct writer *writer = argument;

	for (;;) {
		pthread_mutex_lock(&writer->meeting->lock);
		while (atomic_load(&writer->order) == WRITER_PARK || atomic_load(&writer->broken)) {
			if (atomic_load(&writer->order) == WRITER_QUIT)
				break;
			if (!atomic_exchange(&writer->parked, true))
				pthread_cond_broadcast(&writer->meeting->changed);
			pthread_cond_wait(&writer->meeting->changed, &writer->meeting->lock);
		}
		atomic_store(&writer->parked, false);
		pthread_mutex_unlock(&writer->meeting->lock);
		if (atomic_load(&writer->order) == WRITER_QUIT)
			return NULL;
		if (writer->mapping)
			run_by_cpu(writer);
		else
			run_by_rdma(writer);
	}
}

/* ---- the director's side ---- */

static int start_thread(struct writer *writer, struct error *err)
{
	int ret = pthread_create(&writer->thread, NULL, writer_thread, writer);

	if (ret)
		return error_set(err, ret, "starting writer %u failed", writer->id);
	writer->started = true;
	return 0;
}

int writer_start(struct writer *writer, struct verbs_peer *peer, struct error *err)
{
	const struct verbs_qp_options options = { .depth = WRITER_DEPTH, .rnr_retry = 7 };
	int ret;

	atomic_init(&writer->order, WRITER_PARK);
	atomic_init(&writer->completed_target, NO_TARGET);
	atomic_init(&writer->refused_target, NO_TARGET);
	if (writer->mapping)
		return start_thread(writer, err);
	ret = verbs_buffer_init(peer, WRITER_DEPTH * WRITER_BLOCK, IBV_ACCESS_LOCAL_WRITE,
				&writer->source, err);
	if (ret)
		return ret;
	ret = verbs_pair_create(peer, &options, &writer->pair, err);
	if (ret)
		goto free_buffer;
	ret = start_thread(writer, err);
	if (!ret)
		return 0;

	verbs_pair_destroy(&writer->pair);
free_buffer:
	verbs_buffer_free(&writer->source);
	return ret;
}

static void give_order(struct writer *writer, enum writer_order order)
{
	atomic_store(&writer->order, order);
	announce(writer);
}

void writer_stop(struct writer *writer)
{
	if (!writer->started)
		return;
	give_order(writer, WRITER_QUIT);
	pthread_join(writer->thread, NULL);
	writer->started = false;
	if (writer->mapping)
		return;
	verbs_pair_destroy(&writer->pair);
	verbs_buffer_free(&writer->source);
}

void writers_run(struct writer *writers, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		give_order(&writers[i], WRITER_RUN);
}

typedef bool (*condition)(const struct writer *writer, uint64_t goal);

static bool is_parked(const struct writer *writer, uint64_t goal)
{
	(void)goal;
	return atomic_load(&writer->parked);
}

static bool has_completed(const struct writer *writer, uint64_t goal)
{
	return atomic_load(&writer->completed) >= goal;
}

static bool has_been_refused(const struct writer *writer, uint64_t goal)
{
	return atomic_load(&writer->refused) >= goal;
}

/* A refusal is waited for in vain. */
static bool is_never_refused(const struct writer *writer, condition condition, uint64_t goal)
{
	return condition == has_been_refused && !condition(writer, goal) &&
		atomic_load(&writer->late) >= NEVER_REFUSED;
}

static int wait_for(struct writer *writer, condition condition, uint64_t goal, const char *what,
		    struct error *err)
{
	struct timespec deadline;
	int ret = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += TIMEOUT_NS / NS_PER_S;
	pthread_mutex_lock(&writer->meeting->lock);
	while (!condition(writer, goal) && !atomic_load(&writer->broken) &&
	       !is_never_refused(writer, condition, goal) && !ret)
		ret = pthread_cond_timedwait(&writer->meeting->changed, &writer->meeting->lock,
					     &deadline);
	pthread_mutex_unlock(&writer->meeting->lock);
	if (atomic_load(&writer->broken)) {
		*err = writer->err;
		return -EIO;
	}
	/* It is seen without waiting for the end of the time. */
	if (is_never_refused(writer, condition, goal))
		return error_set(err, EIO, "writer %u: %llu writes that began after the revoke succeeded",
				 writer->id, atomic_load(&writer->late));
	if (ret)
		return error_set(err, ret, "writer %u did not %s: %llu writes done, %llu refused",
				 writer->id, what, atomic_load(&writer->completed),
				 atomic_load(&writer->refused));
	return 0;
}

int writers_park(struct writer *writers, unsigned int count, struct error *err)
{
	int ret = 0;

	for (unsigned int i = 0; i < count; i++) {
		/* Or the flag of the last time would do. */
		pthread_mutex_lock(&writers[i].meeting->lock);
		if (atomic_load(&writers[i].order) == WRITER_RUN)
			atomic_store(&writers[i].parked, false);
		pthread_mutex_unlock(&writers[i].meeting->lock);
		give_order(&writers[i], WRITER_PARK);
	}
	for (unsigned int i = 0; !ret && i < count; i++)
		ret = wait_for(&writers[i], is_parked, 0, "park", err);
	return ret;
}

static int wait_more(struct writer *writers, unsigned int count, uint64_t more, bool refused,
		     struct error *err)
{
	uint64_t goals[count];
	int ret = 0;

	for (unsigned int i = 0; i < count; i++) {
		atomic_ullong *counter = refused ? &writers[i].refused : &writers[i].completed;

		goals[i] = atomic_load(counter) + more;
		atomic_store(refused ? &writers[i].refused_target : &writers[i].completed_target,
			     goals[i]);
	}
	for (unsigned int i = 0; !ret && i < count; i++)
		ret = wait_for(&writers[i], refused ? has_been_refused : has_completed, goals[i],
			       refused ? "get its refusals" : "get its writes done", err);
	return ret;
}

int writers_wait_completed(struct writer *writers, unsigned int count, uint64_t more,
			   struct error *err)
{
	return wait_more(writers, count, more, false, err);
}

int writers_wait_refused(struct writer *writers, unsigned int count, uint64_t more,
			 struct error *err)
{
	return wait_more(writers, count, more, true, err);
}
