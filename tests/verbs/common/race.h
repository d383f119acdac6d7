/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A revoke in a thread of its own, against something else that the lab makes meet it: when the call
 * returned, what the exporter's memory held then, and whether anything reached it later.
 *
 * The functions end the running test when they fail. A call that never returns ends the program: no
 * teardown could take away what its thread uses.
 */
#ifndef TESTS_VERBS_COMMON_RACE_H
#define TESTS_VERBS_COMMON_RACE_H

#include <jansson.h>
#include <pthread.h>
#include <sys/types.h>

#include "fixture.h"
#include "knob.h"
#include "trigger.h"

/*
 * A revoke that does not wait for the NIC. Both drivers give up on a NIC that does not answer after
 * five seconds, so one that takes as long has waited. A slow machine may stretch single ones
 * (patience.h), but not the quickest of a case: race_report() looks at that.
 */
#define RACE_PROMPT_NS (5 * NS_PER_S)
/* One that waits until they give up. */
#define RACE_UNANSWERED_NS (20 * NS_PER_S)

/*
 * A call in a thread. It and its argument outlive the test's function (static, or in struct race): the
 * thread goes on when the test has failed, and the teardown waits for it.
 */
struct race_call {
	struct race_call *next;		/* of those that are under way */
	pthread_t thread;
	int (*call)(void *argument);
	void *argument;
	int result;
	struct error err;
	int64_t began, returned;
};

struct race {
	struct fixture *fixture;
	/* What a revoke, or a deregistration, asks the NIC for: a knob's operation. */
	const char *invalidation;
	enum trigger trigger;
	struct race_call revoke, *under_way;
	/* Which allocation of the revoke's thread fails (failing_allocation.h; 0: none), and whether one did. */
	unsigned int fail_nth;
	bool failed_one;
	volatile uint8_t *witness;
	uint8_t *at_return;
	uint64_t strays, stale_keys;

	/* The NIC, where it may be lost. */
	char nic[32], device[64];
	ino_t identity;
	bool master_at_return;
	uint64_t resets, resets_at_return;
	/* What its driver has reported to devlink as the end of the firmware, or of the device. */
	json_int_t reports;

	int64_t longest;
	/* Of those that were not to wait for the NIC; 0: there was none. */
	int64_t quickest_prompt;
};

/* cmocka's setup and teardown, of programs with TEST_NEEDS_LAB: *state is a struct race. */
int race_setup(void **state);
int race_teardown(void **state);
/* The NIC is to be reset by its driver more often than devlink lets it by default, once a minute. */
int race_setup_recovering(void **state);

#define test_race(test) cmocka_unit_test_setup_teardown(test, race_setup, race_teardown)

/* Memory decoding off in one round, the request to revoke for good in the next. */
enum trigger race_trigger_of(unsigned int round);
/* Does the NIC fault? Else an MR is dead after its first revoke. */
bool race_faults(const struct race *race);
/* Skips a case that this NIC cannot be brought into, in the lab too. */
#define race_is_not_for_this_nic(why)							\
	do {										\
		print_message("# skip: " why "\n");					\
		skip();									\
	} while (0)

void race_call(struct race *race, struct race_call *call, int (*function)(void *), void *argument);
/* Waits for its end; what names it where it hangs. */
void race_call_join(struct race *race, struct race_call *call, const char *what);
/* Is it over, or is it within so many seconds? Then it is joined. */
bool race_call_is_over(struct race *race, struct race_call *call);
bool race_call_ends_within(struct race *race, struct race_call *call, time_t seconds);

/* A registration of all of a dma-buf, for race_call(). */
struct race_registration {
	struct fixture *fixture;
	int dmabuf;
	struct ibv_mr *mr;
};

int race_register_call(void *registration);

void race_revoke(struct race *race, enum trigger trigger);
/* It returned, in time on this machine, and succeeded. */
void race_revoke_join(struct race *race, int64_t bound_ns);
/* ... and not before that moment. */
void race_revoke_waited_until(const struct race *race, int64_t moment);
/* Since it returned not a byte has changed. keys: nor did the NIC keep a key that reaches it. */
void race_must_be_sealed(const struct race *race, bool keys);

/* A write by that key is refused; the QPs are as before. */
void race_must_refuse(struct race *race, uint32_t rkey);
/* Undoes the revoke. fixture->mr serves again, or is a new one; the old one is returned then. */
struct ibv_mr *race_give_back(struct race *race);
void race_dereg(struct ibv_mr *mr);
int race_dereg_call(void *mr);

/*
 * How many rounds there were, what met in them, and how long the longest revoke took. Fails if all
 * were slow.
 */
void race_report(const struct race *race, const char *met);

/* ---- the NIC itself goes ---- */

/* Which one it is, and how often it was reset. */
void race_watch_nic(struct race *race);
/* At the return of the revoke its bus mastering was off, or it had been reset by then. */
void race_nic_was_cut_off(const struct race *race);
/* Waits until it was reset and its driver has it again, and opens it anew. */
void race_nic_comes_back(struct race *race);
/* Its driver took it down once for each of the losses since the setup, and no more; mlx5 only. */
void race_was_lost_times(const struct race *race, unsigned int losses);
/* Waits until its driver has it again, and opens it anew. */
void race_reopen_nic(struct race *race);

#endif
