/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "model_program.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../control/control.h"
#include "../vfio-user/pci_device.h"

struct arguments {
	const char *socket, *control, *log;
	bool keep;
};

static const struct option common_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"control", required_argument, NULL, 'c'},
	{"log", required_argument, NULL, 'l'},
	{"keep", no_argument, NULL, 'k'},
	{"help", no_argument, NULL, 'h'},
};

static void print_usage(const struct model_program *program, FILE *to)
{
	fprintf(to,
		"usage: %s --socket PATH --control PATH [--log FILE]%s%s [--keep] [--help]\n"
		"\n"
		"  --socket PATH      vfio-user socket, for QEMU's vfio-user-pci\n"
		"  --control PATH     control socket: counters and knobs, one JSON object a line\n"
		"  --log FILE         what went wrong and why, as lines of text\n"
		"%s"
		"  --keep             goes on after the host disconnects\n",
		program->name, program->synopsis ? " " : "",
		program->synopsis ? program->synopsis : "", program->help ? program->help : "");
}

static struct option *all_options(const struct model_program *program)
{
	GArray *all = g_array_new(TRUE, FALSE, sizeof(struct option));

	g_array_append_vals(all, common_options, G_N_ELEMENTS(common_options));
	for (const struct option *own = program->options; own && own->name; own++)
		g_array_append_vals(all, own, 1);
	return (struct option *)(void *)g_array_free(all, FALSE);
}

static bool parse_option(const struct model_program *program, int option,
			 struct arguments *arguments)
{
	switch (option) {
	case 's':
		arguments->socket = optarg;
		return true;
	case 'c':
		arguments->control = optarg;
		return true;
	case 'l':
		arguments->log = optarg;
		return true;
	case 'k':
		arguments->keep = true;
		return true;
	case 'h':
		print_usage(program, stdout);
		exit(EXIT_SUCCESS);
	case '?':
		print_usage(program, stderr);
		return false;
	default:
		return program->set_option(option, optarg);
	}
}

static bool parse_arguments(const struct model_program *program, int argc, char **argv,
			    struct arguments *arguments)
{
	g_autofree struct option *options = all_options(program);
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!parse_option(program, option, arguments))
			return false;
	if (!arguments->socket || !arguments->control || optind != argc) {
		print_usage(program, stderr);
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

static int serve(const struct model_program *program, const struct arguments *arguments, FILE *log,
		 struct ev_loop *loop)
{
	struct counters *counters = counters_new();
	struct knobs *knobs = knobs_new();
	struct control *control = control_new(loop, counters, knobs);
	void *device = program->new_device(log, counters, knobs, loop);
	int error;

	if (!device) {
		error = -errno;
		fprintf(stderr, "%s: cannot make the device: %s\n", program->name,
			strerror(-error));
		goto out;
	}
	program->add_control(device, control);
	error = control_listen(control, arguments->control);
	if (error) {
		fprintf(stderr, "%s: cannot listen on %s: %s\n", program->name, arguments->control,
			strerror(-error));
		goto out;
	}
	error = pci_device_listen(program->pci(device), arguments->socket);
	if (error) {
		fprintf(stderr, "%s: cannot listen on %s: %s\n", program->name, arguments->socket,
			strerror(-error));
		goto out;
	}
	pci_device_run(program->pci(device), arguments->keep);
out:
	control_free(control);
	program->free_device(device);
	knobs_free(knobs);
	counters_free(counters);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

int model_program_run(const struct model_program *program, int argc, char **argv)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct ev_signal interrupt, terminate;
	struct arguments arguments = {};
	FILE *log = NULL;
	int status;

	if (!parse_arguments(program, argc, argv, &arguments))
		return EXIT_FAILURE;
	if (arguments.log) {
		log = fopen(arguments.log, "w");
		if (!log) {
			fprintf(stderr, "%s: cannot write %s: %s\n", program->name, arguments.log,
				strerror(errno));
			return EXIT_FAILURE;
		}
		setvbuf(log, NULL, _IOLBF, 0);
	}
	ev_signal_init(&interrupt, on_signal, SIGINT);
	ev_signal_init(&terminate, on_signal, SIGTERM);
	ev_signal_start(loop, &interrupt);
	ev_signal_start(loop, &terminate);
	status = serve(program, &arguments, log, loop);
	if (log)
		fclose(log);
	return status;
}
