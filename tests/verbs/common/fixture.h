/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the tests share: an exporter, an RDMA device, a lent range of a BAR with
 * its MR, and two QPs in loopback; checks that say what they expected; and a
 * main() that skips with the reason when the machine lacks something.
 */
#ifndef TESTS_VERBS_COMMON_FIXTURE_H
#define TESTS_VERBS_COMMON_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* After the four above, which it wants. */
#include <cmocka.h>

#include "clock.h"
#include "compat.h"
#include "error.h"
#include "lab_control.h"
#include "options.h"
#include "page_size.h"
#include "patience.h"
#include "rounds.h"
#include "verbs_peer.h"
#include "vfio_exporter.h"

/* No operation here takes long; what takes this long hangs. */
#define TEST_TIMEOUT_NS patience_ns(20 * NS_PER_S)

/* As parsed from the command line. */
extern struct options test_options;
/* Where the checks below find what went wrong. */
extern _Thread_local struct error test_error;

struct fixture {
	struct vfio_exporter *exporter;
	struct verbs_peer peer;
	struct verbs_pair pair;
	struct verbs_buffer buffer;	/* ordinary memory, as long as the MR */
	size_t size;
	int dmabuf;
	struct ibv_mr *mr;		/* of the dma-buf; its IOVA is its BAR offset */
	uint8_t *window;		/* the CPU's mapping of the same bytes */
	struct lab_control *lab;	/* NULL on metal */
};

/* ---- programs ---- */

enum test_needs {
	TEST_NEEDS_EXPORTER = 1,
	TEST_NEEDS_NIC = 2,
	TEST_NEEDS_LAB = 4,	/* a NIC that is one of the lab's models */
	TEST_NEEDS_UNBIND = 8,	/* leave to unbind drivers: TESTS_MAY_UNBIND=1 */
};

/* Parses the options that all share; doc says in one line what the program tests. */
void test_parse(int argc, char **argv, const char *doc);
/*
 * The same, and --case, which leaves cmocka those of the tests that it names; it is a usage error if it
 * names none.
 */
void test_parse_cases(int argc, char **argv, const char *doc, const struct CMUnitTest *tests, size_t count);
/*
 * The same with a program that has options of its own, and options_argp as its only child. It and
 * the one above take the options of test_rounds, too.
 */
void test_parse_program(const struct argp *program, int argc, char **argv);
/* Prints a skip and ends the program if one of the needs, which are added up, is missing. */
void test_require(unsigned int needs);
/* The same for what test_error says: a lack is a skip on metal, all else a failure. */
void __attribute__((noreturn)) test_cannot_start(void);

/* The lab's guest says so by LAB_KERNEL. */
bool test_in_lab(void);

#define TEST_COUNT(tests) (sizeof(tests) / sizeof((tests)[0]))
#define TEST_MAIN(doc, needs, tests)							\
	int main(int argc, char **argv)							\
	{										\
		test_parse_cases(argc, argv, doc, tests, TEST_COUNT(tests));		\
		test_require(needs);							\
		return cmocka_run_group_tests_name(program_invocation_short_name, tests,	\
						   NULL, NULL) ? EXIT_STATUS_FAILED : 0;	\
	}

/*
 * Ends the running test as skipped, because this machine lacks what it says. The
 * lab lacks nothing: there it fails.
 */
#define test_skip(...)									\
	do {										\
		if (test_in_lab())							\
			fail_msg("the lab lacks something: " __VA_ARGS__);		\
		print_message("# skip: " __VA_ARGS__);					\
		print_message("\n");							\
		skip();									\
	} while (0)

/* ---- fixtures: cmocka's setup and teardown ---- */

/* Everything, the MR over the first 16 pages (or --size) of the BAR. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Exporter and its dma-buf alone. */
int fixture_setup_exporter(void **state);
int fixture_setup_size(void **state, size_t size, bool with_nic);

#define test_with_fixture(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define test_with_exporter(test) \
	cmocka_unit_test_setup_teardown(test, fixture_setup_exporter, fixture_teardown)

/*
 * The NIC's part, where its driver or the NIC itself comes and goes: closes all of it, dead or alive,
 * and opens it again as soon as its port is up.
 */
void fixture_close_nic(struct fixture *fixture);
void fixture_open_nic(struct fixture *fixture);

/* A dma-buf of [offset, offset + length) counted from --offset. */
int fixture_export(struct fixture *fixture, uint64_t offset, uint64_t length);
/* One of three ranges with holes between them, FIXTURE_RANGES_SIZE together. */
#define FIXTURE_RANGES_SIZE (3 * PAGE)
int fixture_export_ranges(struct fixture *fixture);
struct ibv_mr *fixture_register(struct fixture *fixture, int dmabuf, size_t length);
/* The exporter's file stays open as long as its BAR is mapped. */
void fixture_unmap_window(struct fixture *fixture);
void fixture_map_window(struct fixture *fixture);

/*
 * The CPU's mapping of length bytes of a dma-buf, and SIGBUS for guarded_access.h
 * (cmocka takes it for itself when a test begins).
 */
void *fixture_map_dmabuf(int dmabuf, size_t length);

/* ---- checks ---- */

/* The call returns no negative errno; the value of a call that returns one is kept. */
#define must(call) must_at((call), #call, __FILE__, __LINE__)
/* The same for a system call, which returns -1 and sets errno. */
#define must_sys(call) must_sys_at((call), #call, __FILE__, __LINE__)
/* The call returns -errnum. */
#define must_fail(call, errnum) must_fail_at((call), errnum, #call, __FILE__, __LINE__)
/* Both of a pointer and errno, as libibverbs reports. */
#define must_fail_errno(pointer, errnum) \
	must_fail_at((errno = 0, (pointer)) ? 0 : -errno, errnum, #pointer, __FILE__, __LINE__)
/* The next completion of the QP has this status. */
#define must_complete(qp, status) must_complete_at(qp, status, __FILE__, __LINE__)

int must_at(int ret, const char *call, const char *file, int line);
int must_sys_at(int ret, const char *call, const char *file, int line);
void must_fail_at(int ret, int errnum, const char *call, const char *file, int line);
struct ibv_wc must_complete_at(struct verbs_qp *qp, enum ibv_wc_status status, const char *file,
			       int line);

/* ---- work on the fixture ---- */

struct verbs_local buffer_at(const struct fixture *fixture, size_t offset, uint32_t length);
struct verbs_local mr_local_at(const struct fixture *fixture, size_t offset, uint32_t length);
struct verbs_remote mr_remote_at(const struct fixture *fixture, size_t offset);

/* Bytes that differ with the seed and at every position. */
void fill_pattern(void *memory, size_t length, uint32_t seed);
/* Is the window what fill_pattern() makes? Says where it is not. */
void must_hold_pattern(const volatile void *memory, size_t length, uint32_t seed);

/* An RDMA write of the whole buffer to the MR, seen to arrive. */
void must_write_through(struct fixture *fixture, uint32_t seed);
/* By PCI_COMMAND's memory bit. */
void fixture_revoke(struct fixture *fixture);
void fixture_unrevoke(struct fixture *fixture);
/* A counter of the lab's model; 0 on metal, where nobody counts. */
uint64_t lab_counter(const struct fixture *fixture, const char *name);

#endif
