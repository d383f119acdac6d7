/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define SMALLEST_SIZE 4096ULL
#define LARGEST_SIZE (64ULL << 20)
#define MIN_SAMPLES 5

enum key {
	KEY_COUNTERS = 0x200,
};

static const struct argp_option option_list[] = {
	{ "counters", KEY_COUNTERS, "COMMAND", 0,
	  "a shell command that prints the NIC's counters as \"NAME VALUE\" lines; it is run around "
	  "one more, untimed operation of each row, and the report tells how far each went up", 4 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct bench *bench = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &bench->options;
		return 0;
	case KEY_COUNTERS:
		bench->counters_command = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
const struct argp bench_argp = { option_list, parse_option, NULL, NULL, children, NULL, NULL };

static int settle_sizes(struct bench *bench, struct error *err)
{
	const struct options *options = &bench->options;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), room;
	const char *bdf = vfio_exporter_bdf(bench->exporter);

	if (!bench->bar.size)
		return error_missing(err, ENODEV, "exporter %s has no BAR %u", bdf, options->bar);
	if (options->offset % page || options->offset >= bench->bar.size)
		return error_set(err, EINVAL, "--offset %" PRIu64 " is no multiple of the page size "
				 "inside BAR %u of exporter %s (%" PRIu64 " bytes)", options->offset,
				 options->bar, bdf, bench->bar.size);
	room = bench->bar.size - options->offset;
	if (!options->all_sizes) {
		if (options->size % page || options->size > room)
			return error_set(err, EINVAL, "--size %" PRIu64 " is no multiple of the page "
					 "size up to %" PRIu64 ", which is what BAR %u of exporter %s "
					 "has from --offset on", options->size, room, options->bar, bdf);
		bench->sizes[bench->size_count++] = options->size;
		return 0;
	}
	for (uint64_t size = SMALLEST_SIZE; size <= LARGEST_SIZE; size *= 4) {
		if (size < page || size > room)
			continue;
		bench->sizes[bench->size_count++] = size;
	}
	return 0;
}

static void read_sysfs(const char *device, const char *name, char *value, size_t length)
{
	char path[256];
	FILE *file;

	snprintf(value, length, "unknown");
	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/%s", device, name);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(value, (int)length, file))
		value[strcspn(value, "\n")] = '\0';
	fclose(file);
}

static void describe(struct bench *bench)
{
	const char *device = ibv_get_device_name(bench->peer.context->device);
	char path[256], link[256] = "", value[64];
	const char *driver;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/device/driver", device);
	n = readlink(path, link, sizeof(link) - 1);
	driver = n > 0 ? strrchr(link, '/') : NULL;
	report_environment(&bench->report, "nic", device);
	report_environment(&bench->report, "driver", driver ? driver + 1 : "unknown");
	read_sysfs(device, "fw_ver", value, sizeof(value));
	report_environment(&bench->report, "firmware", value);
	read_sysfs(device, "hca_type", value, sizeof(value));
	report_environment(&bench->report, "hca_type", value);
	report_environment(&bench->report, "exporter", vfio_exporter_bdf(bench->exporter));
}

int bench_open(struct bench *bench, struct error *err)
{
	const struct options *options = &bench->options;
	const struct verbs_peer_options peer = {
		.device = options->device, .port = options->port,
		.gid_index = options->gid_index, .events = options->events,
	};
	int ret = 0;

	if (options->json)
		ret = report_can_write(options->json, err);
	if (!ret)
		ret = verbs_peer_open(&bench->peer, &peer, err);
	if (ret)
		return ret;
	ret = vfio_exporter_open(&bench->exporter, options->exporter, options->interface, err);
	if (ret)
		goto close;
	ret = vfio_exporter_bar(bench->exporter, options->bar, &bench->bar, err);
	if (!ret)
		ret = settle_sizes(bench, err);
	if (!ret)
		ret = report_init(&bench->report, err);
	if (ret)
		goto close;
	describe(bench);
	return 0;

close:
	bench_close(bench);
	return ret;
}

void bench_close(struct bench *bench)
{
	if (bench->report.root)
		report_free(&bench->report);
	vfio_exporter_close(bench->exporter);
	bench->exporter = NULL;
	verbs_peer_close(&bench->peer);
}

int bench_write(struct bench *bench, struct error *err)
{
	return bench->options.json ? report_write(&bench->report, bench->options.json, err) : 0;
}

int bench_exit(const char *program, int ret, const struct error *err)
{
	if (!ret)
		return EXIT_STATUS_OK;
	fflush(stdout);
	fprintf(stderr, "%s: %s%s\n", program, err->missing ? "cannot run here: " : "", err->text);
	return error_exit_status(err);
}

bool bench_row_done(const struct bench *bench, size_t samples, int64_t started_ns)
{
	const struct options *options = &bench->options;

	if (samples >= options->iterations)
		return true;
	return options->duration_ns && samples >= MIN_SAMPLES &&
	       clock_now_ns() - started_ns > options->duration_ns;
}

const char *bench_interface(const struct bench *bench)
{
	return bench->options.interface == VFIO_INTERFACE_CDEV ? "cdev" : "group";
}

int bench_make_not_present(struct bench *bench, struct error *err)
{
	int ret = vfio_exporter_set_memory(bench->exporter, false, err);

	return ret ?: vfio_exporter_set_memory(bench->exporter, true, err);
}
