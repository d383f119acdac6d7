/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The NIC goes while it is asked to let go of memory that is taken back: its driver is unbound, its PCI
 * function is removed, its firmware dies, and the NIC answers late or never. The revoke returns all the
 * same, within its bound, with the memory out of reach; the NIC that comes back serves. -n gives the
 * rounds of each case; memory decoding off and the request take turns in them.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "race.h"
#include "text_file.h"

enum loss { LOSS_UNBIND, LOSS_REMOVE };

struct departure {
	enum loss loss;
	char bdf[32], driver[64];
	struct race_call call;
};

static int write_sysfs(const char *path, const char *text)
{
	int ret = text_file_write(path, text, 0);

	return ret ? error_set(&test_error, -ret, "writing %s to %s failed", text, path) : 0;
}

static int leave(void *argument)
{
	struct departure *departure = argument;
	char path[96];

	if (departure->loss == LOSS_UNBIND)
		return driver_unbind(departure->driver, departure->bdf, &test_error);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", departure->bdf);
	return write_sysfs(path, "1");
}

/* A RoCE NIC has a new network device, and an RDMA port that is down until somebody sets that up. */
static void set_up_link(const char *bdf)
{
	const char *address = getenv("LAB_ROCE");
	char pattern[96], command[256];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/net/*", bdf);
	if (!glob(pattern, 0, NULL, &found)) {
		const char *name = basename(found.gl_pathv[0]);

		assert_non_null(address);
		snprintf(command, sizeof(command),
			 "ip link set %s mtu 9000 up && ip address add %s dev %s", name, address, name);
		if (system(command))
			fail_msg("\"%s\" failed", command);
	}
	globfree(&found);
}

static void come_back(const struct departure *departure)
{
	if (departure->loss == LOSS_UNBIND)
		must(driver_bind(departure->driver, departure->bdf, &test_error));
	else
		must(write_sysfs("/sys/bus/pci/rescan", "1"));
	set_up_link(departure->bdf);
}

static void serve_again(struct race *race, uint32_t seed)
{
	race_reopen_nic(race);
	must_write_through(race->fixture, seed);
}

/* The NIC's driver, or the function itself, is taken away while a revoke waits for the NIC. */
static void leave_meanwhile(struct race *race, enum loss loss, bool answers)
{
	struct fixture *fixture = race->fixture;

	for (unsigned int i = 0; i < test_options.iterations; i++) {
		static struct departure departure;
		int64_t released = 0;

		departure.loss = loss;
		must_write_through(fixture, i);
		race_watch_nic(race);
		snprintf(departure.bdf, sizeof(departure.bdf), "%s", race->nic);
		must(driver_name(race->nic, departure.driver, sizeof(departure.driver), &test_error));
		must(knob_set(fixture->lab, race->invalidation, KNOB_HOLD, answers ? -1 : 1, 0,
			      &test_error));
		race_revoke(race, race_trigger_of(i));
		must(knob_wait_held(fixture->lab, race->invalidation, &test_error));
		race_call(race, &departure.call, leave, &departure);
		if (answers) {
			released = clock_now_ns();
			must(knob_release(fixture->lab, race->invalidation, &test_error));
		}
		race_revoke_join(race, answers ? RACE_PROMPT_NS : RACE_UNANSWERED_NS);
		if (answers)
			race_revoke_waited_until(race, released);
		else
			race_nic_was_cut_off(race);
		race_call_join(race, &departure.call, "the end of the NIC's driver");
		test_error = departure.call.err;
		must(departure.call.result);
		race_must_be_sealed(race, answers);
		must(knob_release(fixture->lab, race->invalidation, &test_error));
		race_must_be_sealed(race, answers);
		fixture_close_nic(fixture);
		must(trigger_undo(fixture, race->trigger));
		come_back(&departure);
		serve_again(race, i);
	}
}

static void driver_leaves(void **state)
{
	leave_meanwhile(*state, LOSS_UNBIND, true);
	race_report(*state, "the driver was unbound while the NIC held a revoke, and then let go");
}

static void driver_leaves_a_dead_nic(void **state)
{
	leave_meanwhile(*state, LOSS_UNBIND, false);
	race_report(*state, "the driver was unbound while the NIC held a revoke for good");
}

static void function_is_removed(void **state)
{
	leave_meanwhile(*state, LOSS_REMOVE, true);
	race_report(*state, "the function was removed while the NIC held a revoke, and then let go");
}

static void dead_function_is_removed(void **state)
{
	leave_meanwhile(*state, LOSS_REMOVE, false);
	race_report(*state, "the function was removed while the NIC held a revoke for good");
}

/* mlx5: the health of the firmware is looked at every two seconds. Its driver resets what is not well. */
static void firmware_dies(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	if (!race_faults(race))
		race_is_not_for_this_nic("the model of this NIC has no firmware that could die");
	for (unsigned int i = 0; i < test_options.iterations; i++) {
		must_write_through(fixture, i);
		race_watch_nic(race);
		must(knob_set(fixture->lab, race->invalidation, KNOB_HOLD, 1, 0, &test_error));
		race_revoke(race, race_trigger_of(i));
		must(knob_wait_held(fixture->lab, race->invalidation, &test_error));
		must(lab_control_request(fixture->lab, json_pack("{s:s}", "command", "fatal"), NULL,
					 &test_error));
		race_revoke_join(race, RACE_UNANSWERED_NS);
		race_nic_was_cut_off(race);
		race_must_be_sealed(race, false);
		fixture_close_nic(fixture);
		must(trigger_undo(fixture, race->trigger));
		race_nic_comes_back(race);
		must_write_through(fixture, i);
		race_was_lost_times(race, i + 1);
	}
	race_report(race, "the firmware died while the NIC held a revoke");
}

static void set_present(struct race *race, bool present)
{
	must(lab_control_request(race->fixture->lab, json_pack("{s:s, s:b}", "command", "plug", "present",
							       present), NULL, &test_error));
}

/*
 * Pulled out without a word: all reads are ones, nothing is answered. Then the function is removed, as a
 * hotplug slot would have it, put back, and found.
 */
static void pulled_out(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	if (!race_faults(race))
		race_is_not_for_this_nic("the model of this NIC cannot be pulled out");
	for (unsigned int i = 0; i < test_options.iterations; i++) {
		static struct departure departure;

		departure.loss = LOSS_REMOVE;
		must_write_through(fixture, i);
		race_watch_nic(race);
		snprintf(departure.bdf, sizeof(departure.bdf), "%s", race->nic);
		must(knob_set(fixture->lab, race->invalidation, KNOB_HOLD, 1, 0, &test_error));
		race_revoke(race, race_trigger_of(i));
		must(knob_wait_held(fixture->lab, race->invalidation, &test_error));
		set_present(race, false);
		race_revoke_join(race, RACE_UNANSWERED_NS);
		race_must_be_sealed(race, false);
		race_call(race, &departure.call, leave, &departure);
		race_call_join(race, &departure.call, "the removal of the function");
		test_error = departure.call.err;
		must(departure.call.result);
		race_must_be_sealed(race, false);
		must(knob_release(fixture->lab, race->invalidation, &test_error));
		fixture_close_nic(fixture);
		must(trigger_undo(fixture, race->trigger));
		set_present(race, true);
		come_back(&departure);
		serve_again(race, i);
	}
	race_report(race, "the NIC was pulled out while it held a revoke");
}

static int set_up(void **state)
{
	if (driver_may_unbind(&test_error)) {
		print_error("# setup: %s\n", test_error.text);
		return -1;
	}
	return race_setup_recovering(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, race_teardown)

static const struct CMUnitTest tests[] = {
	test(driver_leaves),
	test(driver_leaves_a_dead_nic),
	test(function_is_removed),
	test(dead_function_is_removed),
	test(firmware_dies),
	test(pulled_out),
};

TEST_MAIN("the NIC goes while it is asked to let go of memory; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
