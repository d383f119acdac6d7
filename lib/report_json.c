/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "report_json.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static void cpu_model(char *model, size_t length)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(model, length, "unknown");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !value)
			continue;
		value += strspn(value, ": \t");
		value[strcspn(value, "\n")] = '\0';
		snprintf(model, length, "%s", value);
		break;
	}
	fclose(file);
}

static json_t *typed(const char *text)
{
	long long number;
	char *end;

	if (!strcmp(text, "true") || !strcmp(text, "false"))
		return json_boolean(*text == 't');
	errno = 0;
	number = strtoll(text, &end, 10);
	if (*text && !*end && !errno)
		return json_integer(number);
	return json_string(text);
}

static int add_from_variable(json_t *environment, struct error *err)
{
	const char *variable = getenv("BENCH_ENVIRONMENT");
	char *copy, *item, *rest;

	if (!variable)
		return 0;
	copy = strdup(variable);
	if (!copy)
		return error_set(err, ENOMEM, "no memory for the report");
	for (item = strtok_r(copy, " \n", &rest); item; item = strtok_r(NULL, " \n", &rest)) {
		char *value = strchr(item, '=');

		if (!value || value == item) {
			error_set(err, EINVAL, "BENCH_ENVIRONMENT: \"%s\" is not KEY=VALUE", item);
			free(copy);
			return -EINVAL;
		}
		*value++ = '\0';
		json_object_set_new(environment, item, typed(value));
	}
	free(copy);
	return 0;
}

int report_init(struct report *report, struct error *err)
{
	struct utsname name;
	char cpu[128];
	int ret;

	uname(&name);
	cpu_model(cpu, sizeof(cpu));
	report->root = json_pack("{s:i, s:{s:s, s:s, s:s, s:s, s:I, s:b}, s:[], s:{}}",
				 "schema", REPORT_SCHEMA, "environment",
				 "kernel", name.release, "series", "unknown", "machine", name.machine, "cpu", cpu,
				 "cpus", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "lab", 0,
				 "figures", "counters");
	if (!report->root)
		return error_set(err, ENOMEM, "no memory for the report");
	ret = add_from_variable(json_object_get(report->root, "environment"), err);
	if (ret)
		report_free(report);
	return ret;
}

void report_free(struct report *report)
{
	json_decref(report->root);
	report->root = NULL;
}

void report_environment(struct report *report, const char *key, const char *value)
{
	json_object_set_new(json_object_get(report->root, "environment"), key, json_string(value));
}

void report_counter(struct report *report, const char *key, json_int_t value)
{
	json_object_set_new(json_object_get(report->root, "counters"), key, json_integer(value));
}

void report_counts(struct report *report, const char *event, json_t *params, json_t *counts)
{
	json_t *counters = json_object_get(report->root, "counters");
	json_t *list = json_object_get(counters, event);

	if (!list) {
		list = json_array();
		json_object_set_new(counters, event, list);
	}
	json_array_append_new(list, json_pack("{s:o, s:o}", "params", params, "counts", counts));
}

static json_t *histogram(struct samples *samples)
{
	struct histogram_bucket buckets[HISTOGRAM_BUCKETS];
	size_t count = samples_histogram(samples, buckets);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("[I, I]", (json_int_t)buckets[i].upper,
						      (json_int_t)buckets[i].count));
	return list;
}

int report_figure(struct report *report, const char *name, json_t *params,
		  struct samples *samples, struct error *err)
{
	struct quantiles quantiles;
	json_t *figure;

	if (samples_quantiles(samples, &quantiles)) {
		json_decref(params);
		return error_set(err, ENODATA, "figure \"%s\" has no samples", name);
	}
	figure = json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
			   "name", name, "params", params, "unit", "ns",
			   "samples", (json_int_t)quantiles.samples,
			   "min", (json_int_t)quantiles.min, "p50", (json_int_t)quantiles.p50,
			   "p99", (json_int_t)quantiles.p99, "p999", (json_int_t)quantiles.p999,
			   "max", (json_int_t)quantiles.max, "histogram", histogram(samples));
	if (!figure || json_array_append_new(json_object_get(report->root, "figures"), figure))
		return error_set(err, ENOMEM, "no memory for figure \"%s\"", name);
	return 0;
}

int report_can_write(const char *path, struct error *err)
{
	char *copy = strdup(path);
	const char *folder;
	int ret = 0;

	if (!copy)
		return error_set(err, ENOMEM, "no memory for the report's path");
	folder = dirname(copy);
	if (access(folder, W_OK))
		ret = error_set(err, errno, "the report %s cannot be written into %s", path, folder);
	free(copy);
	return ret;
}

int report_write(const struct report *report, const char *path, struct error *err)
{
	char temporary[4096];
	struct stat status;

	/* /dev/stdout and its like cannot be renamed over */
	if (!stat(path, &status) && !S_ISREG(status.st_mode)) {
		if (json_dump_file(report->root, path, 0))
			return error_set(err, errno ?: EIO, "writing %s failed", path);
		return 0;
	}
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid()) >=
	    sizeof(temporary))
		return error_set(err, ENAMETOOLONG, "the path of the report is too long");
	if (json_dump_file(report->root, temporary, 0)) {
		int errnum = errno ?: EIO;

		unlink(temporary);
		return error_set(err, errnum, "writing %s failed", temporary);
	}
	if (rename(temporary, path)) {
		int errnum = errno;

		unlink(temporary);
		return error_set(err, errnum, "renaming %s to %s failed", temporary, path);
	}
	return 0;
}
