/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A hot reset affects every function behind a port, and is refused when one of them is in use at that
 * moment. A reset that is refused has taken nothing away: MRs over dma-bufs of the other functions were
 * not invalidated and serve on, also those that could not have come back. -n gives how many resets are
 * to be refused; --exporter has to be the first of several functions of one device, all of them bound
 * to vfio-pci.
 */
#include <glob.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "rdma_tool.h"
#include "trigger.h"

#define MOST_TRIES_EACH 100

enum { READERS = 2, READ_LENGTH = 4096 };

/* The user of another function: reads its BAR without end, and holds its lock while it does. */
struct neighbour {
	struct vfio_exporter *function;
	struct vfio_bar bar;
	pthread_t readers[READERS];
	unsigned int count;
	atomic_bool stop;
	atomic_int error;
};

static struct neighbour neighbour;

static void *read_on(void *argument)
{
	struct neighbour *user = argument;
	char bytes[READ_LENGTH];

	while (!atomic_load(&user->stop)) {
		ssize_t got = pread(vfio_exporter_device_fd(user->function), bytes, sizeof(bytes),
				    (off_t)user->bar.file_offset);

		if (got != sizeof(bytes))
			atomic_store(&user->error, got < 0 ? errno : EIO);
	}
	return NULL;
}

/* The first other function of the exporter's device; bdf: that of the exporter. */
static bool find_neighbour(const char *bdf, char *other, size_t length)
{
	char pattern[96];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%.*s.[!%c]/vfio-dev",
		 (int)strlen(bdf) - 2, bdf, bdf[strlen(bdf) - 1]);
	if (glob(pattern, 0, NULL, &found))
		return false;
	snprintf(other, length, "%.*s", (int)strlen(bdf),
		 found.gl_pathv[0] + strlen("/sys/bus/pci/devices/"));
	globfree(&found);
	return true;
}

static int move_in(struct fixture *fixture)
{
	const char *bdf = vfio_exporter_bdf(fixture->exporter);
	char other[32];

	neighbour = (struct neighbour){ 0 };
	if (!find_neighbour(bdf, other, sizeof(other))) {
		print_error("# setup: no other function of the device of %s is bound to vfio-pci\n", bdf);
		return -1;
	}
	if (vfio_exporter_open_beside(&neighbour.function, fixture->exporter, other, &test_error) ||
	    vfio_exporter_bar(neighbour.function, test_options.bar, &neighbour.bar, &test_error)) {
		print_error("# setup: %s\n", test_error.text);
		return -1;
	}
	while (neighbour.count < READERS) {
		if (pthread_create(&neighbour.readers[neighbour.count], NULL, read_on, &neighbour))
			return -1;
		neighbour.count++;
	}
	return 0;
}

static void move_out(void)
{
	atomic_store(&neighbour.stop, true);
	while (neighbour.count)
		pthread_join(neighbour.readers[--neighbour.count], NULL);
	vfio_exporter_close(neighbour.function);
}

static int tear_down(void **state)
{
	move_out();
	return fixture_teardown(state);
}

static int set_up(void **state)
{
	int ret = fixture_setup(state);

	if (!ret && move_in(*state)) {
		tear_down(state);
		ret = -1;
	}
	return ret;
}

static void must_not_be_invalidated(const struct ibv_mr *mr)
{
	json_t *shown = rdma_tool_mr(mr);
	json_t *count = json_object_get(shown, "drv_dmabuf_invalidations");

	if (!json_is_integer(count))
		fail_msg("this kernel does not count the invalidations of an MR");
	if (json_integer_value(count))
		fail_msg("a hot reset that was refused has invalidated the MR");
	json_decref(shown);
}

static void refused_takes_nothing(void **state)
{
	struct fixture *fixture = *state;
	unsigned int refused = 0, made = 0;

	must_write_through(fixture, 0);
	rounds_begin(&test_rounds);
	while (rounds_another(&test_rounds, refused)) {
		int ret = trigger_pull(fixture, TRIGGER_HOT_RESET);

		if (ret == -EBUSY) {
			refused++;
			must_not_be_invalidated(fixture->mr);
			must_write_through(fixture, refused);
			continue;
		}
		must(ret);
		made++;
		if (made > MOST_TRIES_EACH * test_rounds.wanted)
			fail_msg("%u resets were made and %u refused: the other function is hardly in use",
				 made, refused);
		assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
		fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	}
	print_message("# %u resets were refused, %u were made\n", refused, made);
	if (atomic_load(&neighbour.error))
		fail_msg("the other function could not be read: %s", strerror(neighbour.error));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(refused_takes_nothing, set_up, tear_down),
};

TEST_MAIN("a hot reset that is refused takes no memory away; -n gives how many are to be refused",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
