/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The program around a device model: its command line, its sockets, its end. */
#ifndef LAB_NIC_COMMON_MODEL_PROGRAM_H
#define LAB_NIC_COMMON_MODEL_PROGRAM_H

#include <ev.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

struct control;
struct counters;
struct knobs;
struct pci_device;

struct model_program {
	const char *name;
	/* The options it has beside everybody's: in one line for the synopsis, a line each. */
	const char *synopsis, *help;
	const struct option *options; /* ends with a zeroed one; values are letters but s, c, l, k, h */
	/* Says what is wrong on standard error and returns false. */
	bool (*set_option)(int option, const char *value);
	/* NULL if it cannot be made. log: NULL for none. */
	void *(*new_device)(FILE *log, struct counters *counters, struct knobs *knobs,
			    struct ev_loop *loop);
	struct pci_device *(*pci)(void *device);
	void (*add_control)(void *device, struct control *control);
	void (*free_device)(void *device);
};

/* What main() returns. */
int model_program_run(const struct model_program *program, int argc, char **argv);

#endif
