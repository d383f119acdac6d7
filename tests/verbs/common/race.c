/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "race.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "failing_allocation.h"
#include "rdma_tool.h"
#include "witness.h"

/* Longer than any bound here: whoever is not back by then hangs. */
#define WATCHDOG_S patience(150)
#define RESET_TIMEOUT_MS patience(120000)
#define RETURN_TIMEOUT_NS patience_ns(120 * NS_PER_S)
#define LOOK_AGAIN_NS (5 * NS_PER_MS)

/* ---- set up ---- */

static int set_up(struct race *race)
{
	void *witness;
	int ret;

	/* Else the provider keeps what it has of a device that is gone. */
	setenv("MLX5_DEVICE_FATAL_CLEANUP", "1", 1);
	ret = fixture_setup((void **)&race->fixture);
	if (ret)
		return ret;
	if (!race->fixture->lab) {
		print_error("# setup: races are made in the lab only: the program lacks TEST_NEEDS_LAB\n");
		return -1;
	}
	race->invalidation = race_faults(race) ? "umr" : "DEALLOC_STAG";
	race->at_return = malloc(race->fixture->size);
	ret = witness_map(vfio_exporter_bdf(race->fixture->exporter), test_options.bar,
			  test_options.offset, race->fixture->size, race->fixture->window, &witness,
			  &test_error);
	if (ret)
		print_error("# setup: %s\n", test_error.text);
	else
		race->witness = witness;
	return race->at_return ? ret : -1;
}

/* cmocka tears down only what was set up. */
int race_setup(void **state)
{
	struct race *race = calloc(1, sizeof(*race));
	int ret;

	if (!race)
		return -1;
	ret = set_up(race);
	*state = race;
	if (ret)
		race_teardown(state);
	return ret;
}

int race_teardown(void **state)
{
	struct race *race = *state;
	void *fixture = race->fixture;

	/* What a failed test left held would hold up all that follows. */
	if (race->fixture->lab && race->invalidation)
		knob_release(race->fixture->lab, race->invalidation, NULL);
	while (race->under_way)
		race_call_join(race, race->under_way, "what a failed test left under way");
	if (race->witness)
		witness_unmap((void *)race->witness, race->fixture->size);
	free(race->at_return);
	free(race);
	return fixture_teardown(&fixture);
}

/* Where one is under way, that is waited for. */
static json_int_t count_reports(const struct race *race)
{
	json_t *answer, *reporters, *reporter;
	json_int_t count = -1;
	char command[160];
	const char *device;

	snprintf(command, sizeof(command), "devlink -j health show pci/%s reporter fw_fatal", race->nic);
	answer = rdma_tool_ask(command);
	json_object_foreach(json_object_get(answer, "health"), device, reporters) {
		reporter = json_is_array(reporters) ? json_array_get(reporters, 0) : reporters;
		count = json_integer_value(json_object_get(reporter, "error"));
	}
	json_decref(answer);
	if (count < 0)
		fail_msg("\"%s\" says nothing of a reporter", command);
	return count;
}

static int allow_recovery(struct race *race)
{
	char command[160];
	int ret;

	race_watch_nic(race);
	if (!race_faults(race))
		return 0;
	snprintf(command, sizeof(command), "devlink health set pci/%s reporter fw_fatal grace_period 0",
		 race->nic);
	ret = system(command);
	if (ret)
		print_error("# setup: \"%s\" failed\n", command);
	else
		race->reports = count_reports(race);
	return ret;
}

int race_setup_recovering(void **state)
{
	int ret = race_setup(state);

	if (!ret && allow_recovery(*state)) {
		race_teardown(state);
		ret = -1;
	}
	return ret;
}

enum trigger race_trigger_of(unsigned int round)
{
	return round % 2 ? TRIGGER_REVOKE : TRIGGER_COMMAND;
}

bool race_faults(const struct race *race)
{
	return race->fixture->peer.attr.odp_caps.general_caps & IBV_ODP_SUPPORT;
}

/* ---- calls ---- */

static void *run(void *argument)
{
	struct race_call *call = argument;

	call->began = clock_now_ns();
	call->result = call->call(call->argument);
	call->returned = clock_now_ns();
	call->err = test_error;
	return NULL;
}

void race_call(struct race *race, struct race_call *call, int (*function)(void *), void *argument)
{
	call->call = function;
	call->argument = argument;
	assert_int_equal(pthread_create(&call->thread, NULL, run, call), 0);
	call->next = race->under_way;
	race->under_way = call;
}

bool race_call_ends_within(struct race *race, struct race_call *call, time_t seconds)
{
	struct race_call **link = &race->under_way;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	if (pthread_timedjoin_np(call->thread, NULL, &until))
		return false;
	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	return true;
}

bool race_call_is_over(struct race *race, struct race_call *call)
{
	return race_call_ends_within(race, call, 0);
}

void race_call_join(struct race *race, struct race_call *call, const char *what)
{
	if (race_call_ends_within(race, call, WATCHDOG_S))
		return;
	printf("Bail out! %s has not returned for %d s\n", what, WATCHDOG_S);
	fflush(stdout);
	_exit(EXIT_STATUS_FAILED);
}

static bool is_bus_master(const struct race *race)
{
	uint8_t command[2] = { 0 };
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", race->nic);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (pread(fd, command, sizeof(command), PCI_COMMAND) != sizeof(command))
		memset(command, 0xff, sizeof(command));
	close(fd);
	return command[0] & PCI_COMMAND_MASTER;
}

static int pull(void *argument)
{
	struct race *race = argument;
	int ret;

	if (race->fail_nth)
		failing_allocation_arm(race->fail_nth);
	ret = trigger_pull(race->fixture, race->trigger);
	if (race->fail_nth)
		race->failed_one = failing_allocation_disarm();
	memcpy(race->at_return, (const void *)race->witness, race->fixture->size);
	if (race->nic[0])
		race->master_at_return = is_bus_master(race);
	return ret;
}

int race_register_call(void *argument)
{
	struct race_registration *registration = argument;
	struct fixture *fixture = registration->fixture;

	return verbs_reg_dmabuf(&fixture->peer, registration->dmabuf, 0, fixture->size, 0,
				VERBS_ACCESS_ALL, &registration->mr, &test_error);
}

void race_revoke(struct race *race, enum trigger trigger)
{
	race->trigger = trigger;
	race->strays = lab_counter(race->fixture, "dma.unmapped_accesses");
	race->stale_keys = lab_counter(race->fixture, "stale_keys");
	race_call(race, &race->revoke, pull, race);
}

void race_revoke_join(struct race *race, int64_t bound_ns)
{
	int64_t took;

	race_call_join(race, &race->revoke, "the revoke");
	if (race->nic[0])
		race->resets_at_return = lab_counter(race->fixture, "resets");
	test_error = race->revoke.err;
	must(race->revoke.result);
	took = race->revoke.returned - race->revoke.began;
	if (took > race->longest)
		race->longest = took;
	if (bound_ns == RACE_PROMPT_NS && (!race->quickest_prompt || took < race->quickest_prompt))
		race->quickest_prompt = took;
	if (took > patience_ns(bound_ns))
		fail_msg("the revoke took %lld ms, more than %lld", took / NS_PER_MS,
			 (long long)(patience_ns(bound_ns) / NS_PER_MS));
}

void race_revoke_waited_until(const struct race *race, int64_t moment)
{
	if (race->revoke.returned < moment)
		fail_msg("the revoke returned %lld us before the NIC had let go",
			 (moment - race->revoke.returned) / NS_PER_US);
}

void race_must_be_sealed(const struct race *race, bool keys)
{
	uint64_t changed = 0;

	for (size_t i = 0; i < race->fixture->size; i++)
		changed += race->witness[i] != race->at_return[i];
	if (changed)
		fail_msg("%" PRIu64 " bytes changed after the revoke had returned", changed);
	assert_int_equal(lab_counter(race->fixture, "dma.unmapped_accesses") - race->strays, 0);
	if (keys)
		assert_int_equal(lab_counter(race->fixture, "stale_keys") - race->stale_keys, 0);
}

void race_must_refuse(struct race *race, uint32_t rkey)
{
	struct fixture *fixture = race->fixture;
	const struct verbs_remote remote = { .rkey = rkey };

	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, 4096), remote,
			      &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
}

struct ibv_mr *race_give_back(struct race *race)
{
	struct fixture *fixture = race->fixture;
	struct ibv_mr *old = fixture->mr;

	must(trigger_undo(fixture, race->trigger));
	if (old && trigger_effect(race->trigger) == TRIGGER_LASTS && race_faults(race))
		return NULL;
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	return old;
}

int race_dereg_call(void *mr)
{
	return -ibv_dereg_mr(mr);
}

void race_dereg(struct ibv_mr *mr)
{
	if (mr)
		assert_int_equal(ibv_dereg_mr(mr), 0);
}

void race_report(const struct race *race, const char *met)
{
	print_message("# %u rounds; %s; the longest revoke took %" PRId64 " us\n",
		      test_rounds.done, met, (int64_t)(race->longest / NS_PER_US));
	if (race->quickest_prompt > RACE_PROMPT_NS)
		fail_msg("even the quickest revoke took %lld ms: it has waited for the NIC",
			 (long long)(race->quickest_prompt / NS_PER_MS));
}

/* ---- the NIC itself goes ---- */

/* Of the device as it is registered now: one that is registered anew has another. 0: there is none. */
static ino_t identity(const struct race *race)
{
	struct stat status;
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/", race->device);
	return stat(path, &status) ? 0 : status.st_ino;
}

void race_watch_nic(struct race *race)
{
	snprintf(race->device, sizeof(race->device), "%s",
		 ibv_get_device_name(race->fixture->peer.context->device));
	must(driver_bdf_of_ib_device(race->device, race->nic, sizeof(race->nic), &test_error));
	race->identity = identity(race);
	assert_int_not_equal(race->identity, 0);
	assert_true(is_bus_master(race));
	race->resets = lab_counter(race->fixture, "resets");
}

void race_nic_was_cut_off(const struct race *race)
{
	if (race->master_at_return && race->resets_at_return == race->resets)
		fail_msg("the NIC was a bus master, and had not been reset, when the revoke returned");
}

void race_reopen_nic(struct race *race)
{
	const struct timespec again = { .tv_nsec = LOOK_AGAIN_NS };
	const int64_t deadline = clock_now_ns() + RETURN_TIMEOUT_NS;
	ino_t now;

	fixture_close_nic(race->fixture);
	while (!(now = identity(race)) || now == race->identity) {
		if (clock_now_ns() > deadline)
			fail_msg("the RDMA device %s has not come back", race->device);
		nanosleep(&again, NULL);
	}
	fixture_open_nic(race->fixture);
}

void race_was_lost_times(const struct race *race, unsigned int losses)
{
	json_int_t reports;

	if (!race_faults(race))
		return;
	reports = count_reports(race) - race->reports;
	if (reports != losses)
		fail_msg("the driver took the NIC down %" JSON_INTEGER_FORMAT " times for %u losses", reports,
			 losses);
}

void race_nic_comes_back(struct race *race)
{
	must(lab_control_wait(race->fixture->lab, "resets", race->resets + 1, RESET_TIMEOUT_MS,
			      &test_error));
	race_reopen_nic(race);
}
