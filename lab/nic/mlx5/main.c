/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* nic-mlx5: an emulated ConnectX-5 InfiniBand function behind a vfio-user socket. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

#define DEFAULT_GUID 0x0200000000000100ull

static const char usage[] =
	"usage: nic-mlx5 --socket PATH --control PATH [--log FILE]\n"
	"                [--odp-scheme memory|transport] [--guid HEX] [--keep] [--help]\n"
	"\n"
	"  --socket PATH      vfio-user socket, for QEMU's vfio-user-pci\n"
	"  --control PATH     control socket: counters and knobs, one JSON object a line\n"
	"  --log FILE         what went wrong and why, as lines of text\n"
	"  --odp-scheme NAME  how page faults are reported; memory is the default\n"
	"  --guid HEX         node GUID; the port's is one more\n"
	"  --keep             goes on after the host disconnects\n";

struct arguments {
	const char *socket, *control, *log;
	struct mlx5_options options;
	bool keep;
};

static bool parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"control", required_argument, NULL, 'c'},
		{"log", required_argument, NULL, 'l'},
		{"odp-scheme", required_argument, NULL, 'o'},
		{"guid", required_argument, NULL, 'g'},
		{"keep", no_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	char *end;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			arguments->socket = optarg;
			break;
		case 'c':
			arguments->control = optarg;
			break;
		case 'l':
			arguments->log = optarg;
			break;
		case 'o':
			if (strcmp(optarg, "memory") && strcmp(optarg, "transport")) {
				fprintf(stderr, "nic-mlx5: --odp-scheme is memory or transport\n");
				return false;
			}
			arguments->options.transport_faults = !strcmp(optarg, "transport");
			break;
		case 'g':
			arguments->options.guid = strtoull(optarg, &end, 16);
			if (!*optarg || *end) {
				fprintf(stderr, "nic-mlx5: --guid %s is no hexadecimal number\n",
					optarg);
				return false;
			}
			break;
		case 'k':
			arguments->keep = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			fputs(usage, stderr);
			return false;
		}
	}
	if (!arguments->socket || !arguments->control || optind != argc) {
		fputs(usage, stderr);
		return false;
	}
	return true;
}

static void on_signal(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
	(void)watcher;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static int serve(const struct arguments *arguments, struct ev_loop *loop)
{
	struct counters *counters = counters_new();
	struct knobs *knobs = knobs_new();
	struct control *control = control_new(loop, counters, knobs);
	struct mlx5_device *dev = mlx5_device_new(&arguments->options, counters, knobs, loop);
	int error;

	mlx5_device_control(dev, control);
	error = control_listen(control, arguments->control);
	if (error) {
		fprintf(stderr, "nic-mlx5: cannot listen on %s: %s\n", arguments->control,
			strerror(-error));
		goto out;
	}
	error = pci_device_listen(dev->pci, arguments->socket);
	if (error) {
		fprintf(stderr, "nic-mlx5: cannot listen on %s: %s\n", arguments->socket,
			strerror(-error));
		goto out;
	}
	pci_device_run(dev->pci, arguments->keep);
out:
	control_free(control);
	mlx5_device_free(dev);
	knobs_free(knobs);
	counters_free(counters);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.options.guid = DEFAULT_GUID};
	struct ev_loop *loop = ev_default_loop(0);
	struct ev_signal interrupt, terminate;
	int status;

	if (!parse_arguments(argc, argv, &arguments))
		return EXIT_FAILURE;
	if (arguments.log) {
		arguments.options.log = fopen(arguments.log, "w");
		if (!arguments.options.log) {
			fprintf(stderr, "nic-mlx5: cannot write %s: %s\n", arguments.log,
				strerror(errno));
			return EXIT_FAILURE;
		}
		setvbuf(arguments.options.log, NULL, _IOLBF, 0);
	}
	ev_signal_init(&interrupt, on_signal, SIGINT);
	ev_signal_init(&terminate, on_signal, SIGTERM);
	ev_signal_start(loop, &interrupt);
	ev_signal_start(loop, &terminate);
	status = serve(&arguments, loop);
	if (arguments.options.log)
		fclose(arguments.options.log);
	return status;
}
