/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "model_program.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../control/control.h"
#include "../vfio-user/pci_device.h"
#include "fabric.h"

#define MAX_HOSTS 16

struct place {
	const char *socket, *control, *log;
};

struct arguments {
	struct place places[MAX_HOSTS];
	unsigned int hosts;
	bool keep;
};

/* One host's device and what is its own. */
struct served {
	struct model_host host;
	void *device;
};

static const struct option common_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"control", required_argument, NULL, 'c'},
	{"log", required_argument, NULL, 'l'},
	{"host", required_argument, NULL, 'n'},
	{"keep", no_argument, NULL, 'k'},
	{"help", no_argument, NULL, 'h'},
};

static void print_usage(const struct model_program *program, FILE *to)
{
	fprintf(to,
		"usage: %s --socket PATH --control PATH [--log FILE]\n"
		"       [--host SOCKET,CONTROL[,LOG]]...%s%s [--keep] [--help]\n"
		"\n"
		"  --socket PATH      vfio-user socket, for QEMU's vfio-user-pci\n"
		"  --control PATH     control socket: counters and knobs, one JSON object a line\n"
		"  --log FILE         what went wrong and why, as lines of text\n"
		"  --host S,C[,LOG]   one more host on the same network, with a device of its own\n"
		"%s"
		"  --keep             goes on after the last host disconnects\n",
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

/* "SOCKET,CONTROL[,LOG]": cut in place, which argv allows. */
static bool add_host(const struct model_program *program, struct arguments *arguments, char *text)
{
	struct place *place = &arguments->places[arguments->hosts];

	if (arguments->hosts == MAX_HOSTS) {
		fprintf(stderr, "%s: there can be %d hosts\n", program->name, MAX_HOSTS);
		return false;
	}
	place->socket = strsep(&text, ",");
	place->control = strsep(&text, ",");
	place->log = strsep(&text, ",");
	if (!place->control || text || !*place->socket || !*place->control) {
		fprintf(stderr, "%s: --host takes SOCKET,CONTROL[,LOG]\n", program->name);
		return false;
	}
	arguments->hosts++;
	return true;
}

static bool parse_option(const struct model_program *program, int option,
			 struct arguments *arguments)
{
	switch (option) {
	case 's':
		arguments->places[0].socket = optarg;
		return true;
	case 'c':
		arguments->places[0].control = optarg;
		return true;
	case 'l':
		arguments->places[0].log = optarg;
		return true;
	case 'n':
		return add_host(program, arguments, optarg);
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
	if (!arguments->places[0].socket || !arguments->places[0].control || optind != argc) {
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

struct crowd {
	struct ev_loop *loop;
	struct served served[MAX_HOSTS];
	unsigned int count;
	const struct model_program *program;
	bool keep;
};

/* The last host turns off the light. */
static void on_host_gone(void *opaque)
{
	struct crowd *crowd = opaque;

	for (unsigned int i = 0; i < crowd->count; i++)
		if (pci_device_has_host(crowd->program->pci(crowd->served[i].device)))
			return;
	if (!crowd->keep)
		ev_break(crowd->loop, EVBREAK_ALL);
}

static int fail(const struct model_program *program, const char *what, const char *path, int error)
{
	fprintf(stderr, "%s: cannot %s%s: %s\n", program->name, what, path, strerror(error));
	return -1;
}

static int open_log(const struct model_program *program, const char *path, FILE **log)
{
	if (!path)
		return 0;
	*log = fopen(path, "w");
	if (!*log)
		return fail(program, "write ", path, errno);
	setvbuf(*log, NULL, _IOLBF, 0);
	return 0;
}

static int start(const struct model_program *program, const struct place *place,
		 struct served *served)
{
	struct model_host *host = &served->host;
	int error;

	if (open_log(program, place->log, &host->log))
		return -1;
	host->counters = counters_new();
	host->knobs = knobs_new();
	host->control = control_new(host->loop, host->counters, host->knobs);
	served->device = program->new_device(host);
	if (!served->device)
		return fail(program, "make the device", "", errno);
	error = control_listen(host->control, place->control);
	if (error)
		return fail(program, "listen on ", place->control, -error);
	error = pci_device_listen(program->pci(served->device), place->socket);
	return error ? fail(program, "listen on ", place->socket, -error) : 0;
}

static void stop(const struct model_program *program, struct served *served)
{
	control_free(served->host.control);
	if (served->device)
		program->free_device(served->device);
	knobs_free(served->host.knobs);
	counters_free(served->host.counters);
	if (served->host.log)
		fclose(served->host.log);
}

static int serve(const struct model_program *program, const struct arguments *arguments,
		 struct ev_loop *loop)
{
	struct crowd crowd = {.loop = loop, .program = program, .keep = arguments->keep};
	struct fabric *fabric = fabric_new();
	int error = 0;

	for (unsigned int i = 0; i < arguments->hosts && !error; i++) {
		struct served *served = &crowd.served[crowd.count++];

		served->host = (struct model_host){.number = i, .fabric = fabric, .loop = loop};
		error = start(program, &arguments->places[i], served);
		if (!error)
			pci_device_on_host_gone(program->pci(served->device), on_host_gone,
						&crowd);
	}
	if (!error)
		ev_run(loop, 0);
	while (crowd.count)
		stop(program, &crowd.served[--crowd.count]);
	fabric_free(fabric);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

bool model_parse_hex(const char *program, const char *option, const char *value, uint64_t *number)
{
	char *end;

	*number = strtoull(value, &end, 16);
	if (*value && !*end)
		return true;
	fprintf(stderr, "%s: %s %s is no hexadecimal number\n", program, option, value);
	return false;
}

int model_program_run(const struct model_program *program, int argc, char **argv)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct arguments arguments = {.hosts = 1};
	struct ev_signal interrupt, terminate;

	if (!parse_arguments(program, argc, argv, &arguments))
		return EXIT_FAILURE;
	ev_signal_init(&interrupt, on_signal, SIGINT);
	ev_signal_init(&terminate, on_signal, SIGTERM);
	ev_signal_start(loop, &interrupt);
	ev_signal_start(loop, &terminate);
	return serve(program, &arguments, loop);
}
