/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statistics.h"
#include "test.h"

static struct samples filled(size_t count, int64_t (*value)(size_t i))
{
	struct samples samples;

	assert_int_equal(samples_init(&samples, count), 0);
	for (size_t i = 0; i < count; i++)
		samples_add(&samples, value(i));
	return samples;
}

/* 1..1000 in an order that is not sorted: 7 and 1009 have no common divisor. */
static int64_t shuffled(size_t i)
{
	return (int64_t)((i + 1) * 7 % 1009);
}

static int64_t equal(size_t i)
{
	(void)i;
	return 42;
}

static int64_t around_zero(size_t i)
{
	return (int64_t)i - 5;
}

static void quantiles_are_nearest_rank(void **state)
{
	struct samples samples = filled(1008, shuffled);
	struct quantiles quantiles;

	(void)state;
	assert_int_equal(samples_quantiles(&samples, &quantiles), 0);
	assert_int_equal(quantiles.samples, 1008);
	assert_int_equal(quantiles.min, 1);
	assert_int_equal(quantiles.p50, 504);
	assert_int_equal(quantiles.p99, 998);		/* ceil(997.92) */
	assert_int_equal(quantiles.p999, 1007);		/* ceil(1006.992) */
	assert_int_equal(quantiles.max, 1008);
	assert_true(quantiles.mean > 504.49 && quantiles.mean < 504.51);
	assert_true(quantiles.stdev > 291.1 && quantiles.stdev < 291.2);
	samples_free(&samples);
}

static void quantiles_of_few(void **state)
{
	static const int64_t one[] = { 7 };
	static const int64_t two[] = { 7, 9 };
	static const int64_t three[] = { 1, 2, 3 };

	(void)state;
	assert_int_equal(sorted_quantile(one, 1, 0), 7);
	assert_int_equal(sorted_quantile(one, 1, 500), 7);
	assert_int_equal(sorted_quantile(one, 1, 1000), 7);
	assert_int_equal(sorted_quantile(two, 2, 500), 7);
	assert_int_equal(sorted_quantile(two, 2, 501), 9);
	assert_int_equal(sorted_quantile(three, 3, 500), 2);
	assert_int_equal(sorted_quantile(three, 3, 990), 3);
}

static void no_samples_no_quantiles(void **state)
{
	struct samples samples;
	struct quantiles quantiles;
	struct histogram_bucket buckets[HISTOGRAM_BUCKETS];
	int64_t median;

	(void)state;
	assert_int_equal(samples_init(&samples, 0), 0);
	assert_int_equal(samples_quantiles(&samples, &quantiles), -ENODATA);
	assert_int_equal(samples_median(&samples, &median), -ENODATA);
	assert_int_equal(samples_histogram(&samples, buckets), 0);
	samples_free(&samples);
}

static void clear_keeps_the_capacity(void **state)
{
	struct samples samples = filled(10, equal);
	int64_t median;

	(void)state;
	samples_clear(&samples);
	assert_int_equal(samples.count, 0);
	samples_add(&samples, 3);
	assert_int_equal(samples_median(&samples, &median), 0);
	assert_int_equal(median, 3);
	samples_free(&samples);
}

static void check_histogram(struct samples *samples, size_t *used)
{
	struct histogram_bucket buckets[HISTOGRAM_BUCKETS];
	size_t total = 0, below = 0;

	*used = samples_histogram(samples, buckets);
	assert_true(*used > 0 && *used <= HISTOGRAM_BUCKETS);
	for (size_t i = 0; i < *used; i++) {
		assert_true(buckets[i].count > 0);
		if (i)
			assert_true(buckets[i].upper > buckets[i - 1].upper);
		total += buckets[i].count;
		while (below < samples->count && samples->values[below] <= buckets[i].upper)
			below++;
		assert_int_equal(below, total);
	}
	assert_int_equal(total, samples->count);
	assert_int_equal(buckets[*used - 1].upper, samples->values[samples->count - 1]);
}

static void histogram_counts_every_sample_once(void **state)
{
	struct samples samples = filled(1008, shuffled);
	size_t used;

	(void)state;
	check_histogram(&samples, &used);
	assert_true(used > 20);
	samples_free(&samples);
	samples = filled(100, equal);
	check_histogram(&samples, &used);
	assert_int_equal(used, 1);
	samples_free(&samples);
	samples = filled(11, around_zero);
	check_histogram(&samples, &used);
	samples_free(&samples);
	samples = filled(3, around_zero);
	check_histogram(&samples, &used);
	samples_free(&samples);
}

static void table_columns_line_up(void **state)
{
	static const char *const label = "revoke";
	struct quantiles quantiles = {
		.samples = 1000, .min = 1500, .p50 = 2000, .p99 = 3000, .p999 = 4000, .max = 5250,
	};
	char *text = NULL, *row;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	table_header(out, &label, 1);
	table_row(out, &label, 1, 65536, &quantiles);
	fclose(out);
	row = strchr(text, '\n') + 1;
	assert_int_equal(row - text, strlen(row));
	assert_non_null(strstr(text, "#bytes"));
	assert_non_null(strstr(text, "t_typical[usec]"));
	assert_non_null(strstr(row, " 65536 "));
	assert_non_null(strstr(row, " 1.50 "));
	assert_non_null(strstr(row, " 5.25 "));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_nearest_rank),
		cmocka_unit_test(quantiles_of_few),
		cmocka_unit_test(no_samples_no_quantiles),
		cmocka_unit_test(clear_keeps_the_capacity),
		cmocka_unit_test(histogram_counts_every_sample_once),
		cmocka_unit_test(table_columns_line_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
