/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A thread that writes ever new patterns into its part of an MR by RDMA, as
 * fast as its queue takes them, or into its part of a CPU mapping of the same
 * memory. A failed write does not stop it: it recycles its QPs and tries again,
 * until it is told to park.
 *
 * Every 8-byte word that it writes carries the sequence number of its write, so
 * whoever looks at the memory can tell when each word was sent off.
 */
#ifndef TESTS_VERBS_COMMON_WRITER_H
#define TESTS_VERBS_COMMON_WRITER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "verbs_peer.h"

#define WRITER_BLOCK 4096u
#define WRITER_DEPTH 16u

/* What all writers of a test share: the rendezvous with the thread that directs them. */
struct writers_meeting {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_uint epoch;	/* goes up when a revoke has returned, and when writing is allowed again */
};

enum writer_order { WRITER_PARK, WRITER_RUN, WRITER_QUIT };

struct writer {
	unsigned int id;
	struct writers_meeting *meeting;
	struct verbs_pair pair;
	struct verbs_buffer source;
	uint64_t iova;		/* where its part begins */
	size_t length;
	uint32_t rkey;		/* changed only while it is parked, like mapping */
	/* Where its part begins if it writes by the CPU; NULL if by RDMA. */
	volatile uint64_t *mapping;
	pthread_t thread;
	bool started;

	_Atomic enum writer_order order;
	atomic_bool parked;
	atomic_bool broken;	/* and err says why; it then only waits for the end */
	struct error err;

	atomic_ullong posted;		/* sequence number of the last write sent off */
	atomic_ullong completed;	/* writes that succeeded */
	atomic_ullong refused;		/* writes that ended in IBV_WC_REM_ACCESS_ERR, or in SIGBUS */
	atomic_ullong other_errors;	/* ... with any other status but a flush */
	atomic_ullong late;		/* writes that succeeded though they began after the revoke */
	atomic_int last_status;
	atomic_ullong completed_target, refused_target;

	/* The thread's own. */
	bool needs_recycling;
	unsigned int outstanding;
	unsigned int post_epoch[WRITER_DEPTH];
};

void writers_meeting_init(struct writers_meeting *meeting);

/* Parked at first. One that writes by the CPU needs no peer; SIGBUS is guarded_access.h's then. */
int writer_start(struct writer *writer, struct verbs_peer *peer, struct error *err);
/* Ends the thread and frees what writer_start() made. */
void writer_stop(struct writer *writer);

void writers_run(struct writer *writers, unsigned int count);
/* Returns when no write of theirs is under way. */
int writers_park(struct writer *writers, unsigned int count, struct error *err);
/* Waits until every one has completed, or been refused, that many more writes. */
int writers_wait_completed(struct writer *writers, unsigned int count, uint64_t more,
			   struct error *err);
int writers_wait_refused(struct writer *writers, unsigned int count, uint64_t more,
			 struct error *err);

static inline uint64_t writer_word(unsigned int id, uint64_t sequence)
{
	return sequence << 8 | id;
}

static inline uint64_t writer_word_sequence(uint64_t word)
{
	return word >> 8;
}

#endif
