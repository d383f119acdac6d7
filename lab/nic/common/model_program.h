/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The program around a device model: its command line, its sockets, its end. It serves one host or
 * several, each with a device of its own and all on one fabric.
 */
#ifndef LAB_NIC_COMMON_MODEL_PROGRAM_H
#define LAB_NIC_COMMON_MODEL_PROGRAM_H

#include <ev.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

struct control;
struct counters;
struct fabric;
struct knobs;
struct pci_device;

/* What a device is made with. */
struct model_host {
	unsigned int number; /* of the host, from 0: addresses differ by it */
	FILE *log;	     /* NULL: none */
	struct counters *counters;
	struct knobs *knobs;
	struct fabric *fabric;
	struct ev_loop *loop;
};

struct model_program {
	const char *name;
	/* The options it has beside everybody's: in one line for the synopsis, a line each. */
	const char *synopsis, *help;
	/* Ends with a zeroed one; values are letters but s, c, l, n, k, h. */
	const struct option *options;
	/* Says what is wrong on standard error and returns false. */
	bool (*set_option)(int option, const char *value);
	/* NULL and errno if it cannot be made. */
	void *(*new_device)(const struct model_host *host);
	struct pci_device *(*pci)(void *device);
	void (*add_control)(void *device, struct control *control);
	void (*free_device)(void *device);
};

/* What main() returns. */
int model_program_run(const struct model_program *program, int argc, char **argv);

#endif
