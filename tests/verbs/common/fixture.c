/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "fixture.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "guarded_access.h"

#define DEFAULT_PAGES 16

struct options test_options;
_Thread_local struct error test_error;

/* ---- programs ---- */

static void prepare(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	options_default(&test_options);
}

void test_parse(int argc, char **argv, const char *doc)
{
	prepare();
	options_parse(&test_options, argc, argv, doc);
}

void test_parse_program(const struct argp *program, int argc, char **argv)
{
	const struct argp_child children[] = {
		{ program->children->argp, 0, NULL, 0 }, { &rounds_argp, 0, NULL, 0 }, { 0 },
	};
	struct argp with_rounds = *program;

	with_rounds.children = children;
	prepare();
	options_argp_parse(&with_rounds, argc, argv, &test_options);
	test_rounds.wanted = test_options.iterations;
}

#define KEY_CASE 0x200

static const struct argp_option case_options[] = {
	{ NULL, 0, NULL, 0, "The cases:", 4 },
	{ "case", KEY_CASE, "PATTERN", 0,
	  "run those whose names match; * and ? are wildcards (default: all)", 4 },
	{ 0 },
};

static const char *case_pattern;

static error_t parse_case(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case KEY_CASE:
		case_pattern = arg;
		return 0;
	default:
		return options_pass_on(key, state);
	}
}

static void select_cases(const struct CMUnitTest *tests, size_t count)
{
	size_t i = 0;

	if (!case_pattern)
		return;
	while (i < count && fnmatch(case_pattern, tests[i].name, 0))
		i++;
	if (i == count) {
		fprintf(stderr, "%s: no case is called \"%s\"; there are:", program_invocation_short_name,
			case_pattern);
		for (i = 0; i < count; i++)
			fprintf(stderr, " %s", tests[i].name);
		fputc('\n', stderr);
		exit(EXIT_STATUS_USAGE);
	}
	cmocka_set_test_filter(case_pattern);
}

void test_parse_cases(int argc, char **argv, const char *doc, const struct CMUnitTest *tests, size_t count)
{
	const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	const struct argp program = { case_options, parse_case, NULL, doc, children, NULL, NULL };

	test_parse_program(&program, argc, argv);
	select_cases(tests, count);
}

static struct verbs_peer_options peer_options(void)
{
	return (struct verbs_peer_options){
		.device = test_options.device,
		.port = test_options.port,
		.gid_index = test_options.gid_index,
		.events = test_options.events,
	};
}

bool test_in_lab(void)
{
	return getenv("LAB_KERNEL");
}

void test_cannot_start(void)
{
	if (test_error.missing && !test_in_lab())
		printf("1..0 # SKIP %s\n", test_error.text);
	else
		printf("Bail out! %s\n", test_error.text);
	exit(test_in_lab() ? EXIT_STATUS_FAILED : error_exit_status(&test_error));
}

static void require_lab(void)
{
	struct lab_control *lab;

	if (lab_control_open(&lab, &test_error))
		test_cannot_start();
	lab_control_close(lab);
}

void test_require(unsigned int needs)
{
	if (needs & TEST_NEEDS_LAB)
		require_lab();
	if (needs & TEST_NEEDS_UNBIND && driver_may_unbind(&test_error))
		test_cannot_start();
	if (needs & TEST_NEEDS_EXPORTER) {
		struct vfio_exporter *exporter;

		if (vfio_exporter_open(&exporter, test_options.exporter, test_options.interface,
				       &test_error))
			test_cannot_start();
		vfio_exporter_close(exporter);
	}
	if (needs & TEST_NEEDS_NIC) {
		const struct verbs_peer_options options = peer_options();
		struct verbs_peer peer;

		if (verbs_peer_open(&peer, &options, &test_error))
			test_cannot_start();
		verbs_peer_close(&peer);
	}
}

/* ---- checks ---- */

static const char *errno_name(int ret)
{
	static _Thread_local char text[32];
	const char *name = ret < 0 ? strerrorname_np(-ret) : NULL;

	if (name)
		snprintf(text, sizeof(text), "-%s", name);
	else
		snprintf(text, sizeof(text), "%d", ret);
	return text;
}

int must_at(int ret, const char *call, const char *file, int line)
{
	if (ret < 0) {
		print_error("# %s:%d: %s is %s: %s\n", file, line, call, errno_name(ret),
			    test_error.text);
		_fail(file, line);
	}
	return ret;
}

int must_sys_at(int ret, const char *call, const char *file, int line)
{
	if (ret < 0) {
		print_error("# %s:%d: %s failed: %s\n", file, line, call, strerror(errno));
		_fail(file, line);
	}
	return ret;
}

void must_fail_at(int ret, int errnum, const char *call, const char *file, int line)
{
	if (ret == -errnum)
		return;
	print_error("# %s:%d: %s is %s", file, line, call, errno_name(ret));
	print_error(", expected %s\n", errno_name(-errnum));
	_fail(file, line);
}

struct ibv_wc must_complete_at(struct verbs_qp *qp, enum ibv_wc_status status, const char *file,
			       int line)
{
	struct ibv_wc wc;

	if (verbs_wait(qp, &wc, TEST_TIMEOUT_NS, &test_error)) {
		print_error("# %s:%d: expected \"%s\": %s\n", file, line, ibv_wc_status_str(status),
			    test_error.text);
		_fail(file, line);
	}
	if (wc.status != status) {
		print_error("# %s:%d: work request %" PRIu64 " ended with \"%s\", expected \"%s\"\n", file,
			    line, wc.wr_id, ibv_wc_status_str(wc.status), ibv_wc_status_str(status));
		_fail(file, line);
	}
	return wc;
}

/* ---- fixtures ---- */

static int set_up_exporter(struct fixture *fixture)
{
	void *window;
	int ret;

	ret = vfio_exporter_open(&fixture->exporter, test_options.exporter, test_options.interface,
				 &test_error);
	if (ret)
		return ret;
	fixture->dmabuf = fixture_export(fixture, 0, fixture->size);
	if (fixture->dmabuf < 0)
		return fixture->dmabuf;
	ret = vfio_exporter_map_bar(fixture->exporter, test_options.bar, test_options.offset,
				    fixture->size, &window, &test_error);
	if (!ret)
		fixture->window = window;
	return ret;
}

static int set_up_nic(struct fixture *fixture)
{
	const struct verbs_peer_options options = peer_options();
	int ret;

	ret = verbs_peer_open(&fixture->peer, &options, &test_error);
	if (!ret)
		ret = verbs_pair_create(&fixture->peer, NULL, &fixture->pair, &test_error);
	if (!ret)
		ret = verbs_buffer_init(&fixture->peer, fixture->size, VERBS_ACCESS_ALL,
					&fixture->buffer, &test_error);
	if (!ret)
		ret = verbs_reg_dmabuf(&fixture->peer, fixture->dmabuf, 0, fixture->size, 0,
				       VERBS_ACCESS_ALL, &fixture->mr, &test_error);
	return ret;
}

int fixture_setup_size(void **state, size_t size, bool with_nic)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int ret;

	if (!fixture)
		return -1;
	*state = fixture;
	fixture->dmabuf = -1;
	fixture->size = size;
	ret = lab_control_open(&fixture->lab, &test_error);
	if (ret == -ENODEV)
		ret = 0;
	if (!ret)
		ret = set_up_exporter(fixture);
	if (!ret && with_nic)
		ret = set_up_nic(fixture);
	if (ret)
		print_error("# setup: %s\n", test_error.text);
	return ret;
}

static size_t wanted_size(void)
{
	return test_options.size_given ? test_options.size : DEFAULT_PAGES * PAGE;
}

int fixture_setup(void **state)
{
	return fixture_setup_size(state, wanted_size(), true);
}

int fixture_setup_exporter(void **state)
{
	return fixture_setup_size(state, wanted_size(), false);
}

void fixture_close_nic(struct fixture *fixture)
{
	if (!fixture->peer.context)
		return;
	verbs_pair_destroy(&fixture->pair);
	if (fixture->mr)
		ibv_dereg_mr(fixture->mr);
	fixture->mr = NULL;
	verbs_buffer_free(&fixture->buffer);
	verbs_peer_close(&fixture->peer);
}

void fixture_open_nic(struct fixture *fixture)
{
	const struct verbs_peer_options options = peer_options();
	const int64_t deadline = clock_now_ns() + TEST_TIMEOUT_NS;
	int ret;

	/*
	 * Its port comes up by an event of the NIC, after the driver has said that it is there; and that
	 * it says before it opens (EAGAIN).
	 */
	do {
		ret = verbs_peer_open(&fixture->peer, &options, &test_error);
	} while ((ret == -EAGAIN || (ret && test_error.missing)) && clock_now_ns() < deadline);
	must(ret);
	must(verbs_pair_create(&fixture->peer, NULL, &fixture->pair, &test_error));
	must(verbs_buffer_init(&fixture->peer, fixture->size, VERBS_ACCESS_ALL, &fixture->buffer,
			       &test_error));
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	fixture_close_nic(fixture);
	fixture_unmap_window(fixture);
	if (fixture->dmabuf >= 0)
		close(fixture->dmabuf);
	vfio_exporter_close(fixture->exporter);
	lab_control_close(fixture->lab);
	free(fixture);
	return 0;
}

int fixture_export(struct fixture *fixture, uint64_t offset, uint64_t length)
{
	const struct vfio_range range = { test_options.offset + offset, length };

	return vfio_exporter_export(fixture->exporter, test_options.bar, &range, 1, &test_error);
}

int fixture_export_ranges(struct fixture *fixture)
{
	const uint64_t length = FIXTURE_RANGES_SIZE / 3;
	const struct vfio_range ranges[] = {
		{ test_options.offset, length },
		{ test_options.offset + 2 * length, length },
		{ test_options.offset + 4 * length, length },
	};

	return vfio_exporter_export(fixture->exporter, test_options.bar, ranges, 3, &test_error);
}

struct ibv_mr *fixture_register(struct fixture *fixture, int dmabuf, size_t length)
{
	struct ibv_mr *mr;

	must(verbs_reg_dmabuf(&fixture->peer, dmabuf, 0, length, 0, VERBS_ACCESS_ALL, &mr,
			      &test_error));
	return mr;
}

void fixture_unmap_window(struct fixture *fixture)
{
	if (fixture->window)
		vfio_exporter_unmap_bar(fixture->window, fixture->size);
	fixture->window = NULL;
}

void fixture_map_window(struct fixture *fixture)
{
	void *window;

	must(vfio_exporter_map_bar(fixture->exporter, test_options.bar, test_options.offset,
				   fixture->size, &window, &test_error));
	fixture->window = window;
}

void *fixture_map_dmabuf(int dmabuf, size_t length)
{
	void *address;

	must(guarded_access_init());
	must(vfio_dmabuf_map(dmabuf, length, &address, &test_error));
	return address;
}

/* ---- work on the fixture ---- */

struct verbs_local buffer_at(const struct fixture *fixture, size_t offset, uint32_t length)
{
	return (struct verbs_local){
		.address = (uintptr_t)fixture->buffer.address + offset,
		.length = length,
		.lkey = fixture->buffer.mr->lkey,
	};
}

struct verbs_local mr_local_at(const struct fixture *fixture, size_t offset, uint32_t length)
{
	return (struct verbs_local){
		.address = offset, .length = length, .lkey = fixture->mr->lkey,
	};
}

struct verbs_remote mr_remote_at(const struct fixture *fixture, size_t offset)
{
	return (struct verbs_remote){ .address = offset, .rkey = fixture->mr->rkey };
}

/* A step of a multiplicative generator: no byte tells of its neighbour. */
static uint64_t pattern_at(size_t index, uint32_t seed)
{
	uint64_t x = (index + 1) * 0x9e3779b97f4a7c15ULL ^ (uint64_t)seed * 0xd1b54a32d192ed03ULL;

	return x ^ x >> 29;
}

void fill_pattern(void *memory, size_t length, uint32_t seed)
{
	uint64_t *words = memory;

	assert_int_equal(length % sizeof(*words), 0);
	for (size_t i = 0; i < length / sizeof(*words); i++)
		words[i] = pattern_at(i, seed);
}

void must_hold_pattern(const volatile void *memory, size_t length, uint32_t seed)
{
	const volatile uint64_t *words = memory;

	for (size_t i = 0; i < length / sizeof(*words); i++) {
		uint64_t found = words[i];

		if (found != pattern_at(i, seed))
			fail_msg("byte %#zx: found %#018" PRIx64 ", expected %#018" PRIx64,
				 i * sizeof(*words), found, pattern_at(i, seed));
	}
}

void must_write_through(struct fixture *fixture, uint32_t seed)
{
	fill_pattern(fixture->buffer.address, fixture->size, seed);
	must(verbs_post_write(&fixture->pair.initiator, seed,
			      buffer_at(fixture, 0, (uint32_t)fixture->size),
			      mr_remote_at(fixture, 0), &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_SUCCESS);
	must_hold_pattern(fixture->window, fixture->size, seed);
}

void fixture_revoke(struct fixture *fixture)
{
	must(vfio_exporter_set_memory(fixture->exporter, false, &test_error));
}

void fixture_unrevoke(struct fixture *fixture)
{
	must(vfio_exporter_set_memory(fixture->exporter, true, &test_error));
}

uint64_t lab_counter(const struct fixture *fixture, const char *name)
{
	uint64_t value = 0;

	if (fixture->lab)
		must(lab_control_counter(fixture->lab, name, &value, &test_error));
	return value;
}
