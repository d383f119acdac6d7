/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include <errno.h>
#include <stdio.h>

#include "bench.h"

int counters_read(const struct bench *bench, json_t **counts, struct error *err)
{
	const char *command = bench->counters_command;
	char line[256], name[128];
	long long value;
	FILE *output;
	int status;

	*counts = NULL;
	if (!command)
		return 0;
	fflush(stdout);
	output = popen(command, "re");
	if (!output)
		return error_set(err, errno, "running \"%s\" failed", command);
	*counts = json_object();
	while (fgets(line, sizeof(line), output)) {
		if (sscanf(line, "%127s %lld", name, &value) == 2)
			json_object_set_new(*counts, name, json_integer(value));
	}
	status = pclose(output);
	if (!status && json_object_size(*counts))
		return 0;
	json_decref(*counts);
	*counts = NULL;
	return error_set(err, EIO, "the counters' command \"%s\" %s", command,
			 status ? "failed" : "printed no \"NAME VALUE\" line");
}

json_t *counters_difference(json_t *before, json_t *after)
{
	json_t *difference = json_object();
	const char *name;
	json_t *value;

	json_object_foreach(after, name, value) {
		json_int_t grown = json_integer_value(value) -
				   json_integer_value(json_object_get(before, name));

		if (grown)
			json_object_set_new(difference, name, json_integer(grown));
	}
	json_decref(before);
	json_decref(after);
	return difference;
}
