/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Giving the memory back costs nothing: no importer is called and the NIC is
 * asked for nothing, until somebody touches the memory again. Importers' calls
 * are counted by kprobes on their callbacks, the NIC's work by the lab's model.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"
#include "guarded_access.h"
#include "ioas.h"
#include "text_file.h"

#define TRACING "/sys/kernel/tracing"
#define GROUP "unrevoke_cost"
#define IOVA 0x10000000ull
#define MRS 8

/* What the core calls when an exporter invalidates: one for each importer of this test. */
static const char *const callbacks[] = { "mlx5_ib_dmabuf_invalidate_cb", "iopt_revoke_notify" };

#define CALLBACKS (sizeof(callbacks) / sizeof(callbacks[0]))

static struct ioas ioas;

static void remove_probes(void)
{
	text_file_write(TRACING "/events/" GROUP "/enable", "0", 0);
	for (size_t i = 0; i < CALLBACKS; i++) {
		char line[128];

		snprintf(line, sizeof(line), "-:" GROUP "/%s\n", callbacks[i]);
		text_file_write(TRACING "/kprobe_events", line, O_APPEND);
	}
}

static void add_probes(void)
{
	for (size_t i = 0; i < CALLBACKS; i++) {
		char line[128];
		int ret;

		snprintf(line, sizeof(line), "p:" GROUP "/%s %s\n", callbacks[i], callbacks[i]);
		ret = text_file_write(TRACING "/kprobe_events", line, O_APPEND);
		if (ret)
			test_skip("no kprobe on %s: %s", callbacks[i], strerror(-ret));
	}
	must(text_file_write(TRACING "/events/" GROUP "/enable", "1", 0));
}

/* How often that callback has run since the probes are there. */
static uint64_t calls(const char *callback)
{
	FILE *profile = fopen(TRACING "/kprobe_profile", "re");
	char line[256], name[128];
	uint64_t hits, found = UINT64_MAX;

	assert_non_null(profile);
	while (fgets(line, sizeof(line), profile))
		if (sscanf(line, "%127s %" SCNu64, name, &hits) == 2 && !strcmp(name, callback))
			found = hits;
	fclose(profile);
	assert_true(found != UINT64_MAX);
	return found;
}

struct work {
	uint64_t calls[CALLBACKS];
	uint64_t commands, umrs, doorbells, faults;
};

static struct work count(const struct fixture *fixture)
{
	struct work work = {
		.commands = lab_counter(fixture, "commands"),
		.umrs = lab_counter(fixture, "umrs"),
		.doorbells = lab_counter(fixture, "doorbells"),
		.faults = lab_counter(fixture, "page_faults"),
	};

	for (size_t i = 0; i < CALLBACKS; i++)
		work.calls[i] = calls(callbacks[i]);
	return work;
}

static struct work since(const struct fixture *fixture, const struct work *before)
{
	struct work now = count(fixture);

	for (size_t i = 0; i < CALLBACKS; i++)
		now.calls[i] -= before->calls[i];
	now.commands -= before->commands;
	now.umrs -= before->umrs;
	now.doorbells -= before->doorbells;
	now.faults -= before->faults;
	return now;
}

static void print(const char *what, const struct work *work)
{
	print_message("# %s: %" PRIu64 " calls of mlx5, %" PRIu64 " of iommufd; the NIC did %" PRIu64
		      " commands, %" PRIu64 " UMRs, %" PRIu64 " doorbells, %" PRIu64 " page faults\n", what,
		      work->calls[0], work->calls[1], work->commands, work->umrs, work->doorbells,
		      work->faults);
}

static void nothing_until_touched(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_mr *own = fixture->mr, *mrs[MRS];
	struct work before, off, on;
	void *map = NULL;

	must(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size, IOVA));
	for (int i = 0; i < MRS; i++) {
		fixture->mr = mrs[i] = fixture_register(fixture, fixture->dmabuf, fixture->size);
		must_write_through(fixture, (uint32_t)i);
	}
	fixture->mr = own;
	must_write_through(fixture, MRS);
	/* A kernel whose VFIO dma-bufs cannot be mapped says so by -EINVAL: measured without, then. */
	must(guarded_access_init());
	if (vfio_dmabuf_map(fixture->dmabuf, fixture->size, &map, &test_error) != -EINVAL)
		must(guarded_write(map, 1));
	add_probes();

	for (int round = 0; round < 3; round++) {
		before = count(fixture);
		fixture_revoke(fixture);
		off = since(fixture, &before);
		before = count(fixture);
		fixture_unrevoke(fixture);
		on = since(fixture, &before);
		print("revoke", &off);
		print("un-revoke", &on);

		/* The probes see, and so do the counters. */
		assert_int_equal(off.calls[0], MRS + 1);
		if (fixture->lab && !round)
			assert_int_equal(off.umrs, MRS + 1);
		for (size_t i = 0; i < CALLBACKS; i++)
			assert_int_equal(on.calls[i], 0);
		assert_int_equal(on.commands, 0);
		assert_int_equal(on.umrs, 0);
		assert_int_equal(on.doorbells, 0);
		assert_int_equal(on.faults, 0);
	}
	must_write_through(fixture, MRS + 1);
	if (map)
		must(guarded_write(map, 2));
	for (int i = 0; i < MRS; i++)
		assert_int_equal(ibv_dereg_mr(mrs[i]), 0);
	if (map)
		munmap(map, fixture->size);
}

static int set_up(void **state)
{
	return fixture_setup(state) || ioas_open(&ioas) ? -1 : 0;
}

static int tear_down(void **state)
{
	remove_probes();
	ioas_close(&ioas);
	return fixture_teardown(state);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(nothing_until_touched, set_up, tear_down),
};

TEST_MAIN("giving the memory back calls no importer and asks the NIC for nothing",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
