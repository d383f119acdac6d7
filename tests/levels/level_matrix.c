/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * This NIC x each exporter x each event: what must happen by the level of its driver, and what
 * happened. Every cell is a test. The whole goes to $RESULTS/levels-NIC.json.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "driver.h"
#include "story.h"

#define CELLS (EXPORTER_COUNT * EVENT_COUNT)

struct cell {
	enum exporter_kind kind;
	enum event event;
	char name[64], happened[OUTCOME_LENGTH];
	long commands;	/* -1: not counted */
	bool passed, skipped;
};

static struct cell cells[CELLS];
static struct story story;
static enum level level;
static const char *nic;
static char device[64];
static uint64_t stale_before, strays_before;

static uint64_t stale_keys(void)
{
	return lab_counter(story.vfio, "stale_keys");
}

/* No key outlived the memory that it was for, and none was used. */
static void must_have_left_nothing(void)
{
	uint64_t strays = lab_counter(story.vfio, "dma.unmapped_accesses");

	if (stale_keys() != stale_before)
		fail_msg("%lu keys outlived their memory",
			 (unsigned long)(stale_keys() - stale_before));
	if (strays != strays_before)
		fail_msg("%lu stray accesses", (unsigned long)(strays - strays_before));
}

static void run_cell(void **state)
{
	struct cell *cell = *state;
	struct expectation expected = expectation_of(level, cell->kind, cell->event);
	uint64_t before;

	/* In the lab nothing is lacking. */
	cell->skipped = !test_in_lab();
	if (event_is_of_unbind(cell->event) && driver_may_unbind(&test_error))
		test_skip("%s", test_error.text);
	if (cell->event == EVENT_REGISTER) {
		story_end(&story);
		story_begin(&story, cell->kind, level, nic);
		stale_before = stale_keys();
		strays_before = lab_counter(story.vfio, "dma.unmapped_accesses");
	}
	if (story.is_unsafe)
		fail_msg("not run: the NIC writes to memory that is not the buffer's any more");
	if (!story.has_begun)
		test_skip("the story of this exporter has not begun");
	cell->skipped = false;
	snprintf(cell->happened, sizeof(cell->happened), "no outcome");
	before = lab_counter(story.vfio, "commands");
	story_event(&story, cell->event, cell->happened);
	if (story.vfio->lab)
		cell->commands = (long)(lab_counter(story.vfio, "commands") - before);
	if (strcmp(cell->happened, expected.outcome))
		fail_msg("\"%s\", expected \"%s\"", cell->happened, expected.outcome);
	if (story.vfio->lab && expected.commands != ANY_WORK && cell->commands != expected.commands)
		fail_msg("%ld commands, expected %d", cell->commands, expected.commands);
	must_have_left_nothing();
	cell->passed = true;
}

static json_t *work_json(long commands)
{
	return commands < 0 ? json_null() : json_integer(commands);
}

static json_t *cell_json(const struct cell *cell)
{
	struct expectation expected = expectation_of(level, cell->kind, cell->event);

	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:b}",
			 "exporter", exporter_kind_name(cell->kind), "event", event_name(cell->event),
			 "expected", expected.outcome, "happened", cell->happened,
			 "commands_expected", work_json(expected.commands),
			 "commands", work_json(cell->commands), "passed", cell->passed,
			 "skipped", cell->skipped);
}

static int write_results(void)
{
	const char *folder = getenv("RESULTS");
	json_t *list = json_array(), *root;
	struct utsname name;
	char path[512];
	int ret;

	if (!folder)
		return 0;
	uname(&name);
	for (size_t i = 0; i < CELLS; i++)
		json_array_append_new(list, cell_json(&cells[i]));
	root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:o}", "schema", 2, "nic", nic,
			 "device", device,
			 "level", level_name(level), "kernel", name.release, "lab", test_in_lab(),
			 "cells", list);
	snprintf(path, sizeof(path), "%s/levels-%s.json", folder, nic);
	ret = json_dump_file(root, path, JSON_INDENT(1));
	if (ret)
		print_error("# cannot write %s: %s\n", path, strerror(errno));
	json_decref(root);
	return ret;
}

/* Whose level it is decides what must happen. */
static void find_level(void)
{
	const struct verbs_peer_options options = {
		.device = test_options.device,
		.port = test_options.port,
		.gid_index = 0,
	};
	struct verbs_peer peer;

	if (verbs_peer_open(&peer, &options, &test_error))
		test_cannot_start();
	snprintf(device, sizeof(device), "%s", ibv_get_device_name(peer.context->device));
	if (level_of_vendor(peer.attr.orig_attr.vendor_id, &level, &nic, &test_error))
		test_cannot_start();
	verbs_peer_close(&peer);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[CELLS];
	int failed;

	/* Objects of a device that is gone can be freed: read when the first device is opened. */
	setenv("RDMAV_ALLOW_DISASSOC_DESTROY", "1", 1);
	test_parse(argc, argv, "what each event on lent memory does to an importer of this level");
	test_require(TEST_NEEDS_EXPORTER);
	find_level();
	for (size_t i = 0; i < CELLS; i++) {
		struct cell *cell = &cells[i];

		cell->kind = (enum exporter_kind)(i / EVENT_COUNT);
		cell->event = (enum event)(i % EVENT_COUNT);
		cell->commands = -1;
		snprintf(cell->happened, sizeof(cell->happened), "not run");
		snprintf(cell->name, sizeof(cell->name), "%s_%s", exporter_kind_name(cell->kind),
			 event_name(cell->event));
		tests[i] = (struct CMUnitTest){ cell->name, run_cell, NULL, NULL, cell };
	}
	story.dmabuf = -1;
	failed = _cmocka_run_group_tests(program_invocation_short_name, tests, CELLS, NULL, NULL);
	story_end(&story);
	if (write_results())
		failed++;
	return failed ? EXIT_STATUS_FAILED : 0;
}
