/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Memory that faults and was revoked for good does not come back, so the NIC refuses an access by itself
 * and asks its driver for nothing: neither if the memory was mapped when it was revoked, nor if it was
 * revoked for a while before.
 */
#include "race.h"

#define ACCESSES 5

static void must_not_fault(struct race *race)
{
	struct fixture *fixture = race->fixture;
	uint64_t faults = lab_counter(fixture, "page_faults");

	for (int i = 0; i < ACCESSES; i++)
		race_must_refuse(race, fixture->mr->rkey);
	faults = lab_counter(fixture, "page_faults") - faults;
	if (faults)
		fail_msg("%d accesses to memory that was revoked for good raised %llu page faults",
			 ACCESSES, (unsigned long long)faults);
	race_must_be_sealed(race, true);
}

static void revoke_for_good(struct race *race)
{
	race_revoke(race, TRIGGER_REVOKE);
	race_revoke_join(race, RACE_PROMPT_NS);
}

static void lent(void **state)
{
	struct race *race = *state;

	for_each_round(i) {
		must_write_through(race->fixture, i);
		revoke_for_good(race);
		must_not_fault(race);
		race_dereg(race_give_back(race));
	}
}

static void revoked_for_a_while(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	for_each_round(i) {
		must_write_through(fixture, i);
		fixture_revoke(fixture);
		revoke_for_good(race);
		fixture_unrevoke(fixture);
		must_not_fault(race);
		race_dereg(race_give_back(race));
	}
}

static const struct CMUnitTest tests[] = {
	test_race(lent),
	test_race(revoked_for_a_while),
};

TEST_MAIN("the NIC itself refuses accesses to memory that was revoked for good; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
