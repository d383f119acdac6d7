/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Samples of one figure, their nearest-rank quantiles, and the table they are printed in. */
#ifndef LIB_STATISTICS_H
#define LIB_STATISTICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Nanoseconds; signed, because a difference to a median can fall below 0. */
struct samples {
	int64_t *values;
	size_t count;
	size_t capacity;
};

struct quantiles {
	size_t samples;
	int64_t min;
	int64_t p50;
	int64_t p99;
	int64_t p999;
	int64_t max;
	double mean;		/* for perftest's columns only: says nothing alone */
	double stdev;
};

struct histogram_bucket {
	int64_t upper;		/* inclusive */
	size_t count;
};

#define HISTOGRAM_BUCKETS 64

/* Touches all the memory, so that no sample pays for a page fault. 0 or -ENOMEM. */
int samples_init(struct samples *samples, size_t capacity);
void samples_free(struct samples *samples);
void samples_clear(struct samples *samples);

/* Beyond the capacity a sample is a defect of the caller: asserts. */
void samples_add(struct samples *samples, int64_t value);

/* Both sort the samples in place. -ENODATA without samples. */
int samples_quantiles(struct samples *samples, struct quantiles *quantiles);
int samples_median(struct samples *samples, int64_t *median);

/* The smallest sample such that at least permille/1000 of all are not above it. */
int64_t sorted_quantile(const int64_t *sorted, size_t count, unsigned int permille);

/*
 * Buckets of equal ratio between the smallest and the largest sample, empty
 * ones left out; returns how many. Values below 1 ns share the first bucket.
 */
size_t samples_histogram(struct samples *samples, struct histogram_bucket *buckets);

/* perftest's table: #bytes #iterations t_min[usec] ...; labels name columns before them. */
void table_header(FILE *out, const char *const *labels, size_t label_count);
void table_row(FILE *out, const char *const *labels, size_t label_count,
	       uint64_t bytes, const struct quantiles *quantiles);

#endif
