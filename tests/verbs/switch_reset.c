/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A reset of all that is below a bridge, the NIC and the exporter whose memory it has an MR on among it.
 * The NIC is asked to let go of the memory, and answers, before either is disabled: it is not cut off as
 * one that does not answer, and nothing waits for its limit. Afterwards both serve again. --exporter and
 * --ib-dev have to be below one PCI bridge, such as the upstream port of a PCIe switch; -n gives the rounds.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "race.h"
#include "text_file.h"

/* The devices' locks are only tried. */
#define MOST_TRIES 100
#define NOTICE_TIMEOUT_NS (120 * NS_PER_S)
#define LOOK_AGAIN_NS (5 * NS_PER_MS)

/* Outlives the test's function, as a struct race_call does. */
static struct reset {
	struct race *race;
	struct race_call call;
	char bridge[PATH_MAX];
	unsigned int refused;
	uint64_t answered;	/* when it returned: what the NIC has been asked for and has done */
} reset;

static const char *counter_of(const struct race *race)
{
	return race_faults(race) ? "umrs" : "dealloc_stag";
}

static void real_path(const char *bdf, char *path)
{
	char link[96];

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s", bdf);
	if (!realpath(link, path))
		fail_msg("cannot tell where %s is: %s", bdf, strerror(errno));
}

/* Leaves in path the bridge that is so many above the nearest one of both; false if there is none. */
static bool find_bridge(const char *nic, const char *exporter, unsigned int above, char *path)
{
	char other[PATH_MAX], file[PATH_MAX + 32];
	size_t end = 0;

	real_path(nic, path);
	real_path(exporter, other);
	for (size_t i = 0; path[i] && path[i] == other[i]; i++)
		if (path[i] == '/')
			end = i;
	path[end] = '\0';
	while (above--)
		*strrchr(path, '/') = '\0';
	snprintf(file, sizeof(file), "%s/reset_subordinate", path);
	return !access(file, F_OK);
}

static int reset_below(void *argument)
{
	struct reset *reset = argument;
	struct fixture *fixture = reset->race->fixture;
	char file[PATH_MAX + 32];
	int ret;

	snprintf(file, sizeof(file), "%s/reset_subordinate", reset->bridge);
	for (reset->refused = 0; reset->refused < MOST_TRIES; reset->refused++) {
		ret = text_file_write(file, "1", 0);
		if (ret != -EAGAIN)
			break;
	}
	if (ret)
		return error_set(&test_error, -ret, "writing 1 to %s failed", file);
	memcpy(reset->race->at_return, (const void *)reset->race->witness, fixture->size);
	return lab_control_counter(fixture->lab, counter_of(reset->race), &reset->answered, &test_error);
}

/*
 * The NIC was reset under its driver, which is not told of it (mlx5 has no reset_prepare()) and finds out by
 * looking at the health of the firmware. The model's looks well after a reset: it has to say otherwise.
 */
static void nic_starts_anew(struct race *race)
{
	const struct timespec again = { .tv_nsec = LOOK_AGAIN_NS };
	const int64_t deadline = clock_now_ns() + NOTICE_TIMEOUT_NS;
	struct stat status;
	char path[128];

	must(lab_control_request(race->fixture->lab, json_pack("{s:s}", "command", "fatal"), NULL,
				 &test_error));
	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/", race->device);
	while (!stat(path, &status) && status.st_ino == race->identity) {
		if (clock_now_ns() > deadline)
			fail_msg("the driver of %s has not noticed that it was reset", race->nic);
		nanosleep(&again, NULL);
	}
	race_reopen_nic(race);
}

static void reset_once(struct race *race, unsigned int above, uint32_t seed)
{
	struct fixture *fixture = race->fixture;
	uint64_t before;
	int64_t took;

	must_write_through(fixture, seed);
	race_watch_nic(race);
	if (!find_bridge(race->nic, vfio_exporter_bdf(fixture->exporter), above, reset.bridge))
		test_skip("NIC and exporter are not below one bridge, or there is none that much above");
	race->strays = lab_counter(fixture, "dma.unmapped_accesses");
	before = lab_counter(fixture, counter_of(race));
	reset.race = race;
	race_call(race, &reset.call, reset_below, &reset);
	race_call_join(race, &reset.call, "the reset");
	test_error = reset.call.err;
	must(reset.call.result);
	took = reset.call.returned - reset.call.began;
	if (took > race->longest)
		race->longest = took;
	if (reset.answered == before)
		fail_msg("the reset took %lld ms, and the NIC has not let go of the memory: "
			 "it was disabled before the exporter was told", took / NS_PER_MS);
	nic_starts_anew(race);
	race_must_be_sealed(race, false);
	must(trigger_undo(fixture, TRIGGER_RESET));
	must_write_through(fixture, seed + 1);
}

static void below_the_switch(void **state)
{
	struct race *race = *state;

	for (unsigned int i = 0; i < test_options.iterations; i++)
		reset_once(race, 0, i);
	race_report(race, "all below the bridge was reset");
}

/* Where a bridge is among what is reset: the way to the NIC is closed as well when that is disabled. */
static void above_the_switch(void **state)
{
	struct race *race = *state;

	for (unsigned int i = 0; i < test_options.iterations; i++)
		reset_once(race, 1, i);
	race_report(race, "all below the bridge above it was reset");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(below_the_switch, race_setup_recovering, race_teardown),
	cmocka_unit_test_setup_teardown(above_the_switch, race_setup_recovering, race_teardown),
};

TEST_MAIN("a reset of NIC and exporter together; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
