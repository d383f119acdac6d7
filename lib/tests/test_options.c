/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "test.h"

#define EXPORTER "--exporter=0000:02:00.0"

static void sizes(void **state)
{
	static const struct { const char *text; int ret; uint64_t size; } cases[] = {
		{ "4096", 0, 4096 }, { "0x1000", 0, 4096 }, { "4K", 0, 4096 }, { "4k", 0, 4096 },
		{ "64M", 0, 64ULL << 20 }, { "1G", 0, 1ULL << 30 }, { "2T", 0, 2ULL << 40 },
		{ "4KiB", 0, 4096 }, { "4KB", 0, 4096 }, { "0", 0, 0 },
		{ "", -EINVAL, 0 }, { "K", -EINVAL, 0 }, { "-1", -EINVAL, 0 }, { " 4", -EINVAL, 0 },
		{ "4X", -EINVAL, 0 }, { "4KK", -EINVAL, 0 }, { "4K ", -EINVAL, 0 },
		{ "99999999999999999999", -ERANGE, 0 }, { "17179869184G", -ERANGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t size = 0;

		assert_int_equal(parse_size(cases[i].text, &size), cases[i].ret);
		assert_int_equal(size, cases[i].size);
	}
}

static void sizes_print_as_they_are_read(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(format_size(0, text, sizeof(text)), "0");
	assert_string_equal(format_size(100, text, sizeof(text)), "100");
	assert_string_equal(format_size(4096, text, sizeof(text)), "4K");
	assert_string_equal(format_size(4097, text, sizeof(text)), "4097");
	assert_string_equal(format_size(64 << 20, text, sizeof(text)), "64M");
	assert_string_equal(format_size(1ULL << 50, text, sizeof(text)), "1024T");
}

static void numbers(void **state)
{
	unsigned int value = 77;

	(void)state;
	assert_int_equal(parse_unsigned("5", 0, 5, &value), 0);
	assert_int_equal(value, 5);
	assert_int_equal(parse_unsigned("6", 0, 5, &value), -ERANGE);
	assert_int_equal(parse_unsigned("0", 1, 5, &value), -ERANGE);
	assert_int_equal(parse_unsigned("-1", 0, 5, &value), -EINVAL);
	assert_int_equal(parse_unsigned("", 0, 5, &value), -EINVAL);
	assert_int_equal(parse_unsigned("4294967296", 0, UINT_MAX, &value), -ERANGE);
	assert_int_equal(parse_unsigned("99999999999999999999999", 0, UINT_MAX, &value), -ERANGE);
	assert_int_equal(value, 5);
}

static void seconds(void **state)
{
	int64_t ns = 0;

	(void)state;
	assert_int_equal(parse_seconds("0.5", &ns), 0);
	assert_int_equal(ns, 500000000);
	assert_int_equal(parse_seconds("2", &ns), 0);
	assert_int_equal(ns, 2000000000);
	assert_int_equal(parse_seconds("nan", &ns), -EINVAL);
	assert_int_equal(parse_seconds("1s", &ns), -EINVAL);
	assert_int_equal(parse_seconds("-1", &ns), -EINVAL);
	assert_int_equal(parse_seconds("1e30", &ns), -ERANGE);
}

static void lists(void **state)
{
	unsigned int values[3];

	(void)state;
	assert_int_equal(parse_list("7", values, 3), 1);
	assert_int_equal(values[0], 7);
	assert_int_equal(parse_list("1,16,1000", values, 3), 3);
	assert_int_equal(values[2], 1000);
	assert_int_equal(parse_list("1,2,3,4", values, 3), -EINVAL);
	assert_int_equal(parse_list("", values, 3), -EINVAL);
	assert_int_equal(parse_list("1,", values, 3), -EINVAL);
	assert_int_equal(parse_list(",1", values, 3), -EINVAL);
	assert_int_equal(parse_list("0", values, 3), -EINVAL);
	assert_int_equal(parse_list("11111111111111111111", values, 3), -EINVAL);
}

static void defaults(void **state)
{
	char *argv[] = { "program", EXPORTER, NULL };
	struct options options;

	(void)state;
	options_default(&options);
	options_parse(&options, 2, argv, "");
	assert_string_equal(options.exporter, "0000:02:00.0");
	assert_null(options.device);
	assert_null(options.json);
	assert_int_equal(options.interface, VFIO_INTERFACE_CDEV);
	assert_int_equal(options.bar, 2);
	assert_int_equal(options.offset, 0);
	assert_int_equal(options.size, 65536);
	assert_int_equal(options.iterations, 1000);
	assert_int_equal(options.port, 1);
	assert_int_equal(options.gid_index, -1);
	assert_int_equal(options.duration_ns, 0);
	assert_false(options.all_sizes);
	assert_false(options.events);
}

static void letters_are_perftests(void **state)
{
	char *argv[] = { "program", EXPORTER, "-d", "mlx5_1", "-i", "2", "-x", "3", "-s", "4M",
			 "-n", "10", "-D", "1.5", "-e", NULL };
	struct options options;

	(void)state;
	options_default(&options);
	options_parse(&options, 15, argv, "");
	assert_string_equal(options.device, "mlx5_1");
	assert_int_equal(options.port, 2);
	assert_int_equal(options.gid_index, 3);
	assert_int_equal(options.size, 4 << 20);
	assert_int_equal(options.iterations, 10);
	assert_int_equal(options.duration_ns, 1500000000);
	assert_true(options.events);
}

static void long_options(void **state)
{
	char *argv[] = { "program", EXPORTER, "--ib-dev=mlx5_1", "--ib-port=2", "--gid-index=0",
			 "--all", "--iters=5", "--bar=0", "--offset=64K", "--interface=group",
			 "--json=out.json", "--events", "--duration=1", NULL };
	struct options options;

	(void)state;
	options_default(&options);
	options_parse(&options, 13, argv, "");
	assert_true(options.all_sizes);
	assert_int_equal(options.bar, 0);
	assert_int_equal(options.gid_index, 0);
	assert_int_equal(options.offset, 65536);
	assert_int_equal(options.interface, VFIO_INTERFACE_GROUP);
	assert_string_equal(options.json, "out.json");
}

/* Parsing ends the process: look at a child's exit status and at what it said. */
static int exit_status(char **argv, char *output, size_t length)
{
	int pipes[2], status, argc = 0;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	while (argv[argc])
		argc++;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct options options;

		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		options_default(&options);
		options_parse(&options, argc, argv, "What it measures.");
		_exit(0);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], output + used, length - 1 - used)) > 0)
		used += (size_t)n;
	output[used] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void wrong_usage_is_2(void **state)
{
	static char *cases[][4] = {
		{ "program", NULL },
		{ "program", EXPORTER, "--bar=6", NULL },
		{ "program", EXPORTER, "--interface=iommu", NULL },
		{ "program", EXPORTER, "-s0", NULL },
		{ "program", EXPORTER, "-s12Q", NULL },
		{ "program", EXPORTER, "-n0", NULL },
		{ "program", EXPORTER, "-i255", NULL },
		{ "program", EXPORTER, "-Dsoon", NULL },
		{ "program", EXPORTER, "stray", NULL },
		{ "program", EXPORTER, "--no-such-option", NULL },
	};
	static char *both[] = { "program", EXPORTER, "-a", "-s4K", NULL };
	char output[16384];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(exit_status(cases[i], output, sizeof(output)), EXIT_STATUS_USAGE);
		assert_true(strlen(output) > 20);
	}
	assert_int_equal(exit_status(both, output, sizeof(output)), EXIT_STATUS_USAGE);
	assert_non_null(strstr(output, "exclude each other"));
}

static void help_names_every_option(void **state)
{
	static const char *const names[] = {
		"--ib-dev", "--ib-port", "--gid-index", "--events", "--exporter", "--bar", "--offset",
		"--interface", "--size", "--all", "--iters", "--json", "--help", "--duration",
		"What it measures.",
	};
	static char *spellings[] = { "--help", "-h" };
	char output[16384];

	(void)state;
	for (size_t s = 0; s < 2; s++) {
		char *argv[] = { "program", spellings[s], NULL };

		assert_int_equal(exit_status(argv, output, sizeof(output)), EXIT_STATUS_OK);
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			assert_non_null(strstr(output, names[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(sizes_print_as_they_are_read),
		cmocka_unit_test(numbers),
		cmocka_unit_test(seconds),
		cmocka_unit_test(lists),
		cmocka_unit_test(defaults),
		cmocka_unit_test(letters_are_perftests),
		cmocka_unit_test(long_options),
		cmocka_unit_test(wrong_usage_is_2),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
