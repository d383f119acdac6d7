/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report_json.h"
#include "test.h"

struct fixture {
	char folder[32];
	char path[64];
	struct report report;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct error err;

	unsetenv("BENCH_ENVIRONMENT");
	strcpy(fixture->folder, "/tmp/report.XXXXXX");
	if (!mkdtemp(fixture->folder))
		return -1;
	snprintf(fixture->path, sizeof(fixture->path), "%s/bench.json", fixture->folder);
	*state = fixture;
	return report_init(&fixture->report, &err);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->path);
	rmdir(fixture->folder);
	report_free(&fixture->report);
	free(fixture);
	return 0;
}

static json_t *written(struct fixture *fixture)
{
	struct error err = { 0 };
	json_error_t json_err;
	json_t *root;

	assert_int_equal(report_write(&fixture->report, fixture->path, &err), 0);
	root = json_load_file(fixture->path, 0, &json_err);
	assert_non_null(root);
	return root;
}

static void figure_has_the_schema(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { 0 };
	struct samples samples;
	json_int_t schema, count, min, p50, p99, p999, max, size, upper, in_bucket;
	const char *name, *unit, *kernel;
	json_t *histogram, *root;
	int lab;

	assert_int_equal(samples_init(&samples, 3), 0);
	samples_add(&samples, 30);
	samples_add(&samples, 10);
	samples_add(&samples, 20);
	assert_int_equal(report_figure(&fixture->report, "fault", json_pack("{s:i}", "size", 4096),
				       &samples, &err), 0);
	samples_free(&samples);
	root = written(fixture);
	assert_int_equal(json_unpack(root, "{s:I, s:{s:s, s:b}, s:[{s:s, s:{s:I}, s:s, s:I, s:I, s:I, "
				     "s:I, s:I, s:I, s:o}], s:{}}",
				     "schema", &schema, "environment", "kernel", &kernel, "lab", &lab,
				     "figures", "name", &name, "params", "size", &size, "unit", &unit,
				     "samples", &count, "min", &min, "p50", &p50, "p99", &p99,
				     "p999", &p999, "max", &max, "histogram", &histogram, "counters"), 0);
	assert_int_equal(schema, REPORT_SCHEMA);
	assert_false(lab);
	assert_string_equal(name, "fault");
	assert_string_equal(unit, "ns");
	assert_int_equal(size, 4096);
	assert_int_equal(count, 3);
	assert_int_equal(min, 10);
	assert_int_equal(p50, 20);
	assert_int_equal(p99, 30);
	assert_int_equal(p999, 30);
	assert_int_equal(max, 30);
	assert_int_equal(json_array_size(histogram), 3);
	assert_int_equal(json_unpack(json_array_get(histogram, 2), "[I, I]", &upper, &in_bucket), 0);
	assert_int_equal(upper, 30);
	assert_int_equal(in_bucket, 1);
	json_decref(root);
}

static void no_samples_no_figure(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { 0 };
	struct samples samples;

	assert_int_equal(samples_init(&samples, 1), 0);
	assert_int_equal(report_figure(&fixture->report, "fault", json_object(), &samples, &err),
			 -ENODATA);
	assert_non_null(strstr(err.text, "fault"));
	samples_free(&samples);
}

static void environment_and_counters(void **state)
{
	struct fixture *fixture = *state;
	json_int_t umrs, commands;
	const char *nic, *trigger;
	json_t *root;

	report_environment(&fixture->report, "nic", "mlx5_0");
	report_counter(&fixture->report, "commands", 7);
	report_counts(&fixture->report, "revoke", json_pack("{s:s}", "trigger", "close"),
		      json_pack("{s:i}", "umrs", 2));
	root = written(fixture);
	assert_int_equal(json_unpack(root, "{s:{s:s}, s:{s:I, s:[{s:{s:s}, s:{s:I}}]}}",
				     "environment", "nic", &nic, "counters", "commands", &commands,
				     "revoke", "params", "trigger", &trigger, "counts", "umrs", &umrs), 0);
	assert_string_equal(nic, "mlx5_0");
	assert_string_equal(trigger, "close");
	assert_int_equal(commands, 7);
	assert_int_equal(umrs, 2);
	json_decref(root);
}

static void variable_adds_to_the_environment(void **state)
{
	struct error err = { 0 };
	struct report report;
	json_t *environment;

	(void)state;
	setenv("BENCH_ENVIRONMENT", "lab=true series=7.3 cores=2 empty=", 1);
	assert_int_equal(report_init(&report, &err), 0);
	environment = json_object_get(report.root, "environment");
	assert_true(json_is_true(json_object_get(environment, "lab")));
	assert_string_equal(json_string_value(json_object_get(environment, "series")), "7.3");
	assert_int_equal(json_integer_value(json_object_get(environment, "cores")), 2);
	assert_string_equal(json_string_value(json_object_get(environment, "empty")), "");
	report_free(&report);
	setenv("BENCH_ENVIRONMENT", "lab", 1);
	assert_int_equal(report_init(&report, &err), -EINVAL);
	assert_null(report.root);
	unsetenv("BENCH_ENVIRONMENT");
}

static void write_replaces_and_leaves_nothing_else(void **state)
{
	struct fixture *fixture = *state;
	struct stat status;

	json_decref(written(fixture));
	json_decref(written(fixture));
	assert_int_equal(stat(fixture->folder, &status), 0);
	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(rmdir(fixture->folder), 0);
}

static void write_into_no_folder_fails(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { 0 };

	assert_int_equal(report_can_write(fixture->path, &err), 0);
	assert_int_equal(report_can_write("bench.json", &err), 0);
	assert_int_equal(report_can_write("/nonexistent/bench.json", &err), -ENOENT);
	assert_true(report_write(&fixture->report, "/nonexistent/bench.json", &err) < 0);
	assert_non_null(strstr(err.text, "/nonexistent/bench.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(figure_has_the_schema, setup, teardown),
		cmocka_unit_test_setup_teardown(no_samples_no_figure, setup, teardown),
		cmocka_unit_test_setup_teardown(environment_and_counters, setup, teardown),
		cmocka_unit_test_setup_teardown(variable_adds_to_the_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(write_replaces_and_leaves_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(write_into_no_folder_fails, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
