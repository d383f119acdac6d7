/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Two threads register and deregister without pause while the memory is revoked
 * and un-revoked: a registration either serves or is refused with ENODEV, and a
 * revoke that meets one half made neither hangs nor misses it. -n gives the
 * number of revokes.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "fixture.h"

#define THREADS 2

struct registrar {
	struct fixture *fixture;
	pthread_t thread;
	atomic_uint made, refused;
	atomic_int unexpected;	/* errno that is neither */
};

static atomic_bool stop;

static void *registrar_thread(void *argument)
{
	struct registrar *registrar = argument;
	struct fixture *fixture = registrar->fixture;

	while (!atomic_load(&stop)) {
		struct ibv_mr *mr = ibv_reg_dmabuf_mr(fixture->peer.pd, 0, fixture->size, 0,
						      fixture->dmabuf, VERBS_ACCESS_ALL);

		if (mr)
			atomic_fetch_add(&registrar->made, 1);
		else if (errno == ENODEV)
			atomic_fetch_add(&registrar->refused, 1);
		else
			atomic_store(&registrar->unexpected, errno);
		if (mr && ibv_dereg_mr(mr))
			atomic_store(&registrar->unexpected, errno);
	}
	return NULL;
}

static unsigned int made_by_all(struct registrar *registrars)
{
	unsigned int made = 0;

	for (int i = 0; i < THREADS; i++)
		made += atomic_load(&registrars[i].made);
	return made;
}

/* The revoke is to meet MRs, not threads that are still being refused. */
static void wait_for_a_registration(struct registrar *registrars)
{
	unsigned int before = made_by_all(registrars);
	int64_t deadline = clock_now_ns() + TEST_TIMEOUT_NS;

	while (made_by_all(registrars) == before) {
		if (clock_now_ns() > deadline)
			fail_msg("no registration succeeds although the memory is there");
		sched_yield();
	}
}

static void registration_meets_revoke(void **state)
{
	struct fixture *fixture = *state;
	struct registrar registrars[THREADS] = { 0 };
	unsigned int made, refused = 0;

	atomic_store(&stop, false);
	for (int i = 0; i < THREADS; i++) {
		registrars[i].fixture = fixture;
		assert_int_equal(pthread_create(&registrars[i].thread, NULL, registrar_thread,
						&registrars[i]), 0);
	}
	for_each_round(i) {
		wait_for_a_registration(registrars);
		fixture_revoke(fixture);
		fixture_unrevoke(fixture);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(registrars[i].thread, NULL);

	made = made_by_all(registrars);
	for (int i = 0; i < THREADS; i++) {
		int unexpected = atomic_load(&registrars[i].unexpected);

		if (unexpected)
			fail_msg("a registration failed with %s", strerrorname_np(unexpected));
		refused += atomic_load(&registrars[i].refused);
	}
	print_message("# %u revokes, %u registrations made, %u refused\n", test_rounds.done, made, refused);
	/* Else they never met. */
	assert_true(made > 0);
	assert_true(refused > 0);
	must_write_through(fixture, 1);
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(registration_meets_revoke),
};

TEST_MAIN("registrations race with revokes: each serves or is refused with ENODEV",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
