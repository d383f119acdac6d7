/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the programs here have in common: an exporter, a NIC, memory lent from one to the other. */
#ifndef BENCHMARKS_BENCH_H
#define BENCHMARKS_BENCH_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "options.h"
#include "report_json.h"
#include "statistics.h"
#include "verbs_peer.h"
#include "vfio_exporter.h"

/* Longest wait for any one operation: beyond it something hangs. */
#define OPERATION_TIMEOUT_NS (20 * NS_PER_S)

#define MAX_SIZES 16

struct bench {
	struct options options;
	const char *counters_command;	/* --counters, NULL without */
	struct vfio_exporter *exporter;
	struct vfio_bar bar;
	struct verbs_peer peer;
	struct report report;
	uint64_t sizes[MAX_SIZES];
	unsigned int size_count;
};

/* lib's options and --counters; takes a struct bench through child_inputs. */
extern const struct argp bench_argp;

/* Opens all, and settles the MR sizes: -s, or with -a 4K to 64M as far as the BAR reaches. */
int bench_open(struct bench *bench, struct error *err);
void bench_close(struct bench *bench);

/* Writes the report if --json was given. */
int bench_write(struct bench *bench, struct error *err);

/* Prints the error and gives the exit status; ret is 0 or -errno. */
int bench_exit(const char *program, int ret, const struct error *err);

/* A row ends with its number of samples, or with -D once it has a few. */
bool bench_row_done(const struct bench *bench, size_t samples, int64_t started_ns);

const char *bench_interface(const struct bench *bench);

/* Memory decoding off and on again: what was mapped is no longer present. */
int bench_make_not_present(struct bench *bench, struct error *err);

/* size bytes of the BAR from --offset on as a dma-buf, and MRs that each cover all of it. */
struct lent {
	struct bench *bench;
	int dmabuf_fd;
	uint64_t size;
	struct ibv_mr **mrs;
	unsigned int count;
	/* The NIC cannot fault a mapping in: a revoked MR is registered anew. */
	bool must_register;
};

int lent_init(struct bench *bench, uint64_t size, unsigned int count, struct lent *lent,
	      struct error *err);
void lent_free(struct lent *lent);
/* After an un-revoke: every MR is mapped again when this returns. */
int lent_make_present(struct lent *lent, struct error *err);

/* ---- a device's own counters, if --counters gave a command that prints them ---- */

/* *counts is an object of whole numbers, or NULL without --counters. */
int counters_read(const struct bench *bench, json_t **counts, struct error *err);
/* after - before, without those that did not change; takes both. */
json_t *counters_difference(json_t *before, json_t *after);

#endif
