/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "statistics.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

int samples_init(struct samples *samples, size_t capacity)
{
	samples->count = 0;
	samples->capacity = capacity;
	samples->values = malloc((capacity ? capacity : 1) * sizeof(*samples->values));
	if (!samples->values)
		return -ENOMEM;
	memset(samples->values, 0xff, capacity * sizeof(*samples->values));
	return 0;
}

void samples_free(struct samples *samples)
{
	free(samples->values);
	*samples = (struct samples){ 0 };
}

void samples_clear(struct samples *samples)
{
	samples->count = 0;
}

void samples_add(struct samples *samples, int64_t value)
{
	assert(samples->count < samples->capacity);
	samples->values[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void sort(struct samples *samples)
{
	if (samples->count)
		qsort(samples->values, samples->count, sizeof(*samples->values), compare);
}

int64_t sorted_quantile(const int64_t *sorted, size_t count, unsigned int permille)
{
	size_t rank;

	assert(count > 0 && permille <= 1000);
	/* ceil(count * permille / 1000), in parts so that it cannot overflow */
	rank = count / 1000 * permille + (count % 1000 * permille + 999) / 1000;
	return sorted[rank ? rank - 1 : 0];
}

static void moments(const struct samples *samples, double *mean, double *stdev)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < samples->count; i++)
		sum += (double)samples->values[i];
	*mean = sum / (double)samples->count;
	for (size_t i = 0; i < samples->count; i++) {
		double difference = (double)samples->values[i] - *mean;

		squares += difference * difference;
	}
	*stdev = samples->count > 1 ? sqrt(squares / (double)(samples->count - 1)) : 0;
}

int samples_quantiles(struct samples *samples, struct quantiles *quantiles)
{
	const int64_t *values = samples->values;
	size_t count = samples->count;

	if (!count)
		return -ENODATA;
	sort(samples);
	*quantiles = (struct quantiles){
		.samples = count,
		.min = values[0],
		.p50 = sorted_quantile(values, count, 500),
		.p99 = sorted_quantile(values, count, 990),
		.p999 = sorted_quantile(values, count, 999),
		.max = values[count - 1],
	};
	moments(samples, &quantiles->mean, &quantiles->stdev);
	return 0;
}

int samples_median(struct samples *samples, int64_t *median)
{
	if (!samples->count)
		return -ENODATA;
	sort(samples);
	*median = sorted_quantile(samples->values, samples->count, 500);
	return 0;
}

size_t samples_histogram(struct samples *samples, struct histogram_bucket *buckets)
{
	const int64_t *values = samples->values;
	size_t used = 0, next = 0;
	double low, ratio;

	if (!samples->count)
		return 0;
	sort(samples);
	low = values[0] < 1 ? 1 : (double)values[0];
	ratio = (double)values[samples->count - 1] / low;
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS && next < samples->count; i++) {
		double edge = low * pow(ratio > 1 ? ratio : 1, (i + 1.0) / HISTOGRAM_BUCKETS);
		int64_t upper = (int64_t)ceil(edge);
		size_t first = next;

		if (i == HISTOGRAM_BUCKETS - 1 || upper > values[samples->count - 1])
			upper = values[samples->count - 1];
		while (next < samples->count && values[next] <= upper)
			next++;
		if (next > first)
			buckets[used++] = (struct histogram_bucket){ upper, next - first };
	}
	return used;
}

#define LABEL_WIDTH 12

void table_header(FILE *out, const char *const *labels, size_t label_count)
{
	for (size_t i = 0; i < label_count; i++)
		fprintf(out, " %-*s", LABEL_WIDTH, labels[i]);
	fprintf(out, " %-9s %-11s %12s %12s %15s %12s %13s %12s %14s\n", "#bytes", "#iterations",
		"t_min[usec]", "t_max[usec]", "t_typical[usec]", "t_avg[usec]", "t_stdev[usec]",
		"99%[usec]", "99.9%[usec]");
}

void table_row(FILE *out, const char *const *labels, size_t label_count,
	       uint64_t bytes, const struct quantiles *quantiles)
{
	for (size_t i = 0; i < label_count; i++)
		fprintf(out, " %-*s", LABEL_WIDTH, labels[i]);
	fprintf(out, " %-9" PRIu64 " %-11zu %12.2f %12.2f %15.2f %12.2f %13.2f %12.2f %14.2f\n",
		bytes, quantiles->samples, (double)quantiles->min / NS_PER_US,
		(double)quantiles->max / NS_PER_US, (double)quantiles->p50 / NS_PER_US,
		quantiles->mean / NS_PER_US, quantiles->stdev / NS_PER_US,
		(double)quantiles->p99 / NS_PER_US, (double)quantiles->p999 / NS_PER_US);
	fflush(out);
}
