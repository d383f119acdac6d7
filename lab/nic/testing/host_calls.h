/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * test_host.h by a model's own struct host, which begins with a struct test_host named base. To be
 * included by the header that defines it.
 */
#ifndef LAB_NIC_TESTING_HOST_CALLS_H
#define LAB_NIC_TESTING_HOST_CALLS_H

#include <glib.h>

/* Each model has its own. NULL is fine. */
void host_free(struct host *host);

static inline uint8_t *host_alloc(struct host *host, size_t len)
{
	return test_host_alloc(&host->base, len);
}

static inline uint64_t host_iova(const struct host *host, const void *address)
{
	return test_host_iova(&host->base, address);
}

static inline void host_settle(struct host *host)
{
	test_host_turn(&host->base);
}

/* Turns until the expression is no more NULL, which it returns; fails the test if that never is. */
#define host_wait_for(host, expression)                                                            \
	({                                                                                         \
		double wait_until = ev_time() + HOST_PATIENCE;                                     \
		__typeof__(expression) waited_for;                                                 \
                                                                                                   \
		do {                                                                               \
			host_settle(host);                                                         \
			waited_for = (expression);                                                 \
		} while (!waited_for && ev_time() < wait_until);                                   \
		assert_non_null(waited_for);                                                       \
		waited_for;                                                                        \
	})

static inline uint64_t host_interrupts(struct host *host, uint32_t vector)
{
	return test_host_interrupts(&host->base, vector);
}

static inline uint64_t host_counter(const struct host *host, const char *name)
{
	return test_host_counter(&host->base, name);
}

static inline void host_rule(struct host *host, const char *operation, const char *action,
			     const char *more)
{
	test_host_rule(&host->base, operation, action, more);
}

/* Releases what a rule holds of the operation (NULL: of all); at most so many. Returns how many. */
static inline unsigned int host_release(struct host *host, const char *operation, unsigned int most)
{
	return knobs_release(host->base.model.knobs, operation, most);
}

/* The end of a fixture from g_new0() that begins with a pointer to its host. */
static inline int host_tear_down(void **state)
{
	host_free(*(struct host **)*state);
	g_free(*state);
	return 0;
}

#endif
