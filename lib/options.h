/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The options that all programs share, with perftest's letters where perftest has one. */
#ifndef LIB_OPTIONS_H
#define LIB_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vfio_exporter.h"
#include "verbs_peer.h"

struct options {
	const char *device;		/* -d, --ib-dev */
	const char *exporter;		/* --exporter, BDF */
	const char *json;		/* --json, FILE */
	enum vfio_interface interface;	/* --interface=cdev|group */
	unsigned int bar;		/* --bar */
	uint64_t offset;		/* --offset, in the BAR */
	uint64_t size;			/* -s, --size */
	bool size_given;
	bool all_sizes;			/* -a, --all */
	unsigned int iterations;	/* -n, --iters */
	uint8_t port;			/* -i, --ib-port */
	int gid_index;			/* -x, --gid-index */
	int64_t duration_ns;		/* -D, --duration: for each row, 0 is no limit */
	bool events;			/* -e, --events */
};

/* What stands before parsing: the caller changes what differs, then parses. */
void options_default(struct options *options);

/*
 * A child parser: the program's own argp lists it as a child and hands it a
 * struct options through state->child_inputs. A wrong option ends the program
 * with EXIT_STATUS_USAGE; so does a missing --exporter.
 */
extern const struct argp options_argp;

/*
 * What a parser returns for the keys that it does not know, where its only child, such as options_argp,
 * takes the program's own input.
 */
error_t options_pass_on(int key, struct argp_state *state);

/* argp_parse() of a program that has options_argp for a child, with the exit status above. */
int options_argp_parse(const struct argp *program, int argc, char **argv, void *input);

/* For programs without options of their own. */
void options_parse(struct options *options, int argc, char **argv, const char *doc);

/* "4096", "4K", "64M", "1G": powers of 1024. 0 or -EINVAL, -ERANGE. */
int parse_size(const char *text, uint64_t *size);
/* "4K" for 4096. */
const char *format_size(uint64_t size, char *buffer, size_t length);
/* "0.5" seconds. */
int parse_seconds(const char *text, int64_t *ns);
int parse_unsigned(const char *text, unsigned int min, unsigned int max, unsigned int *value);
/* "1,4,16": up to capacity values; returns how many or -EINVAL. */
int parse_list(const char *text, unsigned int *values, size_t capacity);

#endif
