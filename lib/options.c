/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum key {
	KEY_EXPORTER = 0x100,
	KEY_BAR,
	KEY_OFFSET,
	KEY_INTERFACE,
	KEY_JSON,
};

static const struct argp_option option_list[] = {
	{ NULL, 0, NULL, 0, "The NIC:", 1 },
	{ "ib-dev", 'd', "DEVICE", 0, "RDMA device (default: the first that registers dma-bufs)", 1 },
	{ "ib-port", 'i', "PORT", 0, "its port (default 1)", 1 },
	{ "gid-index", 'x', "INDEX", 0,
	  "GID to address by (default: LID on InfiniBand, the best RoCE v2 GID on Ethernet)", 1 },
	{ "events", 'e', NULL, 0, "sleep on completion events (default: poll)", 1 },
	{ NULL, 0, NULL, 0, "The exporter:", 2 },
	{ "exporter", KEY_EXPORTER, "BDF", 0,
	  "PCI function bound to vfio-pci whose BAR is lent out, such as 0000:02:00.0", 2 },
	{ "bar", KEY_BAR, "N", 0, "its BAR (default 2)", 2 },
	{ "offset", KEY_OFFSET, "BYTES", 0, "where in the BAR the lent memory begins (default 0)", 2 },
	{ "interface", KEY_INTERFACE, "cdev|group", 0,
	  "open it through its character device and iommufd (default), or through group and container",
	  2 },
	{ NULL, 0, NULL, 0, "The measurement:", 3 },
	{ "size", 's', "BYTES", 0, "size of the MR; K, M and G are powers of 1024", 3 },
	{ "all", 'a', NULL, 0, "MR sizes from 4K to 64M, as far as the BAR reaches", 3 },
	{ "iters", 'n', "N", 0, "samples of each figure", 3 },
	{ "duration", 'D', "SECONDS", 0,
	  "end each row after this time if it has not all its samples (default: no limit)", 3 },
	{ "json", KEY_JSON, "FILE", 0, "write the figures to FILE", 3 },
	{ "help", 'h', NULL, 0, "print this", -1 },
	{ "usage", 'U', NULL, 0, "print a short usage message", -1 },
	{ 0 },
};

void options_default(struct options *options)
{
	*options = (struct options){
		.interface = VFIO_INTERFACE_CDEV,
		.bar = 2,
		.size = 65536,
		.iterations = 1000,
		.port = 1,
		.gid_index = -1,
	};
}

int parse_size(const char *text, uint64_t *size)
{
	static const char suffixes[] = "KMGT";
	unsigned long long value;
	const char *suffix;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno)
		return -ERANGE;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix)
			return -EINVAL;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		end++;
		if (!strcmp(end, "iB") || !strcmp(end, "B"))
			end += strlen(end);
		if (*end)
			return -EINVAL;
	}
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*size = (uint64_t)value << shift;
	return 0;
}

const char *format_size(uint64_t size, char *buffer, size_t length)
{
	static const char suffixes[] = " KMGT";
	unsigned int i = 0;

	while (size && size % 1024 == 0 && i < sizeof(suffixes) - 2) {
		size /= 1024;
		i++;
	}
	if (i)
		snprintf(buffer, length, "%" PRIu64 "%c", size, suffixes[i]);
	else
		snprintf(buffer, length, "%" PRIu64, size);
	return buffer;
}

int parse_seconds(const char *text, int64_t *ns)
{
	double seconds;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	seconds = strtod(text, &end);
	if (*end || !isfinite(seconds))
		return -EINVAL;
	if (seconds > 86400)
		return -ERANGE;
	*ns = (int64_t)(seconds * NS_PER_S);
	return 0;
}

int parse_unsigned(const char *text, unsigned int min, unsigned int max, unsigned int *value)
{
	unsigned long parsed;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	parsed = strtoul(text, &end, 0);
	if (*end)
		return -EINVAL;
	if (errno || parsed < min || parsed > max)
		return -ERANGE;
	*value = (unsigned int)parsed;
	return 0;
}

int parse_list(const char *text, unsigned int *values, size_t capacity)
{
	char item[16];
	size_t count = 0;

	for (;;) {
		size_t length = strcspn(text, ",");

		if (count == capacity || length >= sizeof(item))
			return -EINVAL;
		memcpy(item, text, length);
		item[length] = '\0';
		if (parse_unsigned(item, 1, UINT_MAX, &values[count]))
			return -EINVAL;
		count++;
		if (!text[length])
			return (int)count;
		text += length + 1;
	}
}

static unsigned int number(const struct argp_state *state, const char *name, const char *text,
			   unsigned int min, unsigned int max)
{
	unsigned int value = 0;

	if (parse_unsigned(text, min, max, &value))
		argp_error(state, "%s takes a number from %u to %u, not \"%s\"", name, min, max, text);
	return value;
}

static uint64_t bytes(const struct argp_state *state, const char *name, const char *text)
{
	uint64_t value = 0;

	if (parse_size(text, &value))
		argp_error(state, "%s takes a size such as 65536, 64K or 4M, not \"%s\"", name, text);
	return value;
}

static enum vfio_interface interface(const struct argp_state *state, const char *text)
{
	if (!strcmp(text, "group"))
		return VFIO_INTERFACE_GROUP;
	if (strcmp(text, "cdev"))
		argp_error(state, "--interface takes cdev or group, not \"%s\"", text);
	return VFIO_INTERFACE_CDEV;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'd':
		options->device = arg;
		return 0;
	case 'i':
		options->port = (uint8_t)number(state, "-i (--ib-port)", arg, 1, 254);
		return 0;
	case 'x':
		options->gid_index = (int)number(state, "-x (--gid-index)", arg, 0, 255);
		return 0;
	case 'e':
		options->events = true;
		return 0;
	case 's':
		options->size = bytes(state, "-s (--size)", arg);
		options->size_given = true;
		if (!options->size)
			argp_error(state, "-s (--size) takes more than 0 bytes");
		return 0;
	case 'a':
		options->all_sizes = true;
		return 0;
	case 'n':
		options->iterations = number(state, "-n (--iters)", arg, 1, 100000000);
		return 0;
	case 'D':
		if (parse_seconds(arg, &options->duration_ns))
			argp_error(state, "-D (--duration) takes seconds such as 2 or 0.5, not \"%s\"",
				   arg);
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	case 'U':
		argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
		return 0;
	case KEY_EXPORTER:
		options->exporter = arg;
		return 0;
	case KEY_BAR:
		options->bar = number(state, "--bar", arg, 0, 5);
		return 0;
	case KEY_OFFSET:
		options->offset = bytes(state, "--offset", arg);
		return 0;
	case KEY_INTERFACE:
		options->interface = interface(state, arg);
		return 0;
	case KEY_JSON:
		options->json = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" belongs to no option", arg);
		return 0;
	case ARGP_KEY_END:
		if (!options->exporter)
			argp_error(state, "--exporter is missing: the PCI function bound to vfio-pci "
				   "whose BAR is lent out");
		if (options->all_sizes && options->size_given)
			argp_error(state, "-a (--all) and -s (--size) exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp options_argp = { option_list, parse_option, NULL, NULL, NULL, NULL, NULL };

error_t options_pass_on(int key, struct argp_state *state)
{
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;
	return 0;
}

static error_t parse_program(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	return options_pass_on(key, state);
}

int options_argp_parse(const struct argp *program, int argc, char **argv, void *input)
{
	argp_err_exit_status = EXIT_STATUS_USAGE;
	return argp_parse(program, argc, argv, ARGP_NO_HELP, NULL, input);
}

void options_parse(struct options *options, int argc, char **argv, const char *doc)
{
	const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	const struct argp program = { NULL, parse_program, NULL, doc, children, NULL, NULL };

	options_argp_parse(&program, argc, argv, options);
}
