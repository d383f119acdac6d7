/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The result file:
 * {"schema": 1,
 *  "environment": {"kernel", "series", "machine", "cpu", "cpus", "nic", "driver", "firmware",
 *                  "exporter", "lab", ...},
 *  "figures": [{"name", "params": {...}, "unit": "ns", "samples",
 *               "min", "p50", "p99", "p999", "max", "histogram": [[upper, count], ...]}],
 *  "counters": {...}}
 */
#ifndef LIB_REPORT_JSON_H
#define LIB_REPORT_JSON_H

#include <jansson.h>

#include "error.h"
#include "statistics.h"

#define REPORT_SCHEMA 1

struct report {
	json_t *root;
};

/*
 * Fills in kernel, machine and cpu, "lab": false, and then every KEY=VALUE
 * of the environment variable BENCH_ENVIRONMENT (separated by spaces; true,
 * false and whole numbers become JSON's own).
 */
int report_init(struct report *report, struct error *err);
void report_free(struct report *report);

void report_environment(struct report *report, const char *key, const char *value);
void report_counter(struct report *report, const char *key, json_int_t value);
/*
 * What one event ("revoke") with these params made a device count: appended to
 * counters.EVENT as {"params": {...}, "counts": {...}}. Takes params and counts.
 */
void report_counts(struct report *report, const char *event, json_t *params, json_t *counts);

/* Takes params (an object, see json_pack()); sorts the samples. */
int report_figure(struct report *report, const char *name, json_t *params,
		  struct samples *samples, struct error *err);

/* Whether the folder takes a new file: to be asked before a long measurement. */
int report_can_write(const char *path, struct error *err);
/* Writes a new file beside path and renames it, so that no reader sees half of it. */
int report_write(const struct report *report, const char *path, struct error *err);

#endif
