/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The program around a device model: its command line, its sockets, its end. It serves one host or
 * several, each with a device of its own and all on one fabric.
 */
#ifndef LAB_NIC_COMMON_MODEL_PROGRAM_H
#define LAB_NIC_COMMON_MODEL_PROGRAM_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "model_host.h"

struct pci_device;

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
	void (*free_device)(void *device);
};

/* For set_option(): the value as a hexadecimal number. False, and said so, if it is none. */
bool model_parse_hex(const char *program, const char *option, const char *value, uint64_t *number);
/* What main() returns. */
int model_program_run(const struct model_program *program, int argc, char **argv);

#endif
