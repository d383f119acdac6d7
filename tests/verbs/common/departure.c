/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "departure.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "text_file.h"

void departure_prepare(struct race *race, struct departure *departure, enum loss loss)
{
	departure->loss = loss;
	race_watch_nic(race);
	snprintf(departure->bdf, sizeof(departure->bdf), "%s", race->nic);
	must(driver_name(race->nic, departure->driver, sizeof(departure->driver), &test_error));
}

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

void departure_begin(struct race *race, struct departure *departure)
{
	race_call(race, &departure->call, leave, departure);
}

void departure_join(struct race *race, struct departure *departure)
{
	race_call_join(race, &departure->call, departure->loss == LOSS_UNBIND ?
		       "the end of the NIC's driver" : "the removal of the NIC's function");
	test_error = departure->call.err;
	must(departure->call.result);
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

void departure_undo(struct race *race, const struct departure *departure, uint32_t seed)
{
	if (departure->loss == LOSS_UNBIND)
		must(driver_bind(departure->driver, departure->bdf, &test_error));
	else
		must(write_sysfs("/sys/bus/pci/rescan", "1"));
	set_up_link(departure->bdf);
	race_reopen_nic(race);
	must_write_through(race->fixture, seed);
}
