/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * RDMA as exporter: memory on one NIC, lent to another. An importer that faults and one that can be
 * revoked get it, move bytes through it, and lose it for good when it is freed or its NIC goes away,
 * by one command each; one that can do neither is refused before it is asked for anything.
 *
 * A queue pair of irdma cannot leave the error state: there are new ones after each error.
 */
#include <argp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device_memory.h"
#include "driver.h"
#include "fixture.h"

#define SIZE 16384
#define ROUNDS 50

static const char *wanted_level = "revoking";
static const char *importer_name;

struct lent {
	struct device_memory memory;
	struct verbs_peer peer;
	struct verbs_pair pair;
	struct verbs_buffer buffer;
	struct ibv_mr *mr;
	struct lab_control *lab; /* of the importer's model; NULL on metal */
	uint64_t stale_before, strays_before; /* what tests before this one left in its counters */
	uint8_t seen[SIZE];
};

static struct verbs_peer_options peer_options(void)
{
	return (struct verbs_peer_options){
		.device = test_options.device,
		.port = test_options.port,
		.gid_index = test_options.gid_index,
	};
}

static bool level_is(const char *name)
{
	return !strcmp(wanted_level, name);
}

/* ---- what the importer's model counted ---- */

static uint64_t count(const struct lent *lent, const char *name)
{
	uint64_t value = 0;

	if (lent->lab)
		must(lab_control_counter(lent->lab, name, &value, &test_error));
	return value;
}

/* Of taking a key away from the device: one UMR of mlx5, one command of irdma. */
static uint64_t invalidations(const struct lent *lent)
{
	return count(lent, level_is("faulting") ? "umrs" : "dealloc_stag");
}

/* ---- set-up ---- */

static void release(struct lent *lent)
{
	if (lent->mr)
		ibv_dereg_mr(lent->mr);
	if (lent->pair.initiator.qp)
		verbs_pair_destroy(&lent->pair);
	if (lent->buffer.mr)
		verbs_buffer_free(&lent->buffer);
	device_memory_close(&lent->memory);
	if (lent->peer.context)
		verbs_peer_close(&lent->peer);
	lab_control_close(lent->lab);
	free(lent);
}

/* An EFA has no counter of them: it is lent nothing that could be taken back. */
static uint64_t stale_keys(const struct lent *lent)
{
	return level_is("unsupported") ? 0 : count(lent, "stale_keys");
}

static int set_up(void **state)
{
	const struct verbs_peer_options options = peer_options();
	struct lent *lent = calloc(1, sizeof(*lent));
	int ret;

	if (!lent)
		return -1;
	lent->memory.dmabuf = -1;
	*state = lent;
	ret = lab_control_open(&lent->lab, &test_error);
	if (ret && !test_error.missing)
		goto out;
	lent->stale_before = stale_keys(lent);
	lent->strays_before = count(lent, "dma.unmapped_accesses");
	ret = verbs_peer_open(&lent->peer, &options, &test_error);
	if (!ret)
		ret = device_memory_open(&lent->memory, importer_name, SIZE, &test_error);
	if (!ret && !level_is("unsupported")) {
		ret = verbs_pair_create(&lent->peer, NULL, &lent->pair, &test_error);
		if (!ret)
			ret = verbs_buffer_init(&lent->peer, SIZE, VERBS_ACCESS_ALL, &lent->buffer,
						&test_error);
		if (!ret)
			ret = verbs_reg_dmabuf(&lent->peer, lent->memory.dmabuf, 0, SIZE, 0,
					       VERBS_ACCESS_ALL, &lent->mr, &test_error);
	}
out:
	if (ret) {
		print_error("# setup: %s\n", test_error.text);
		release(lent);
	}
	return ret;
}

/* Nothing was reached that is not the device's any more, and no key is left that could. */
static int tear_down(void **state)
{
	struct lent *lent = *state;
	uint64_t stale = stale_keys(lent) - lent->stale_before;
	uint64_t strays = count(lent, "dma.unmapped_accesses") - lent->strays_before;

	release(lent);
	if (stale || strays)
		print_error("# %lu stale keys, %lu stray accesses\n", stale, strays);
	return stale || strays ? -1 : 0;
}

/* ---- traffic ---- */

static struct verbs_local local(const struct lent *lent)
{
	return (struct verbs_local){ .address = (uintptr_t)lent->buffer.address,
				     .length = SIZE, .lkey = lent->buffer.mr->lkey };
}

static struct verbs_remote remote(const struct lent *lent)
{
	return (struct verbs_remote){ .address = 0, .rkey = lent->mr->rkey };
}

static void must_hold(struct lent *lent, uint32_t seed)
{
	must(device_memory_get(&lent->memory, lent->seen, &test_error));
	must_hold_pattern(lent->seen, SIZE, seed);
}

static void fill(struct lent *lent, uint32_t seed)
{
	fill_pattern(lent->seen, SIZE, seed);
	must(device_memory_put(&lent->memory, lent->seen, &test_error));
}

/* Both ways, and the CPU sees the same bytes. */
static void must_serve(struct lent *lent, uint32_t seed)
{
	struct verbs_qp *initiator = &lent->pair.initiator;

	fill_pattern(lent->buffer.address, SIZE, seed);
	must(verbs_post_write(initiator, 1, local(lent), remote(lent), &test_error));
	must_complete(initiator, IBV_WC_SUCCESS);
	must_hold(lent, seed);
	fill(lent, seed + 1);
	must(verbs_post_read(initiator, 2, local(lent), remote(lent), &test_error));
	must_complete(initiator, IBV_WC_SUCCESS);
	must_hold_pattern(lent->buffer.address, SIZE, seed + 1);
}

static void must_be_dead(struct lent *lent)
{
	must(verbs_post_write(&lent->pair.initiator, 1, local(lent), remote(lent), &test_error));
	must_complete(&lent->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	must(verbs_pair_recycle(&lent->pair, &test_error));
	must(verbs_post_read(&lent->pair.initiator, 1, local(lent), remote(lent), &test_error));
	must_complete(&lent->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	must(verbs_pair_recycle(&lent->pair, &test_error));
}

/* Dies by one command, stays dead, and dereg asks irdma's device for nothing more. */
static void must_die(struct lent *lent, uint64_t before)
{
	if (lent->lab)
		assert_int_equal(invalidations(lent), before + 1);
	must_be_dead(lent);
	if (lent->lab && level_is("revoking")) {
		assert_int_equal(ibv_dereg_mr(lent->mr), 0);
		lent->mr = NULL;
		assert_int_equal(invalidations(lent), before + 1);
	}
}

static void dereg(struct lent *lent)
{
	if (lent->mr)
		assert_int_equal(ibv_dereg_mr(lent->mr), 0);
	lent->mr = NULL;
}

static void lend_again(struct lent *lent)
{
	dereg(lent);
	device_memory_close(&lent->memory);
	must(device_memory_open(&lent->memory, importer_name, SIZE, &test_error));
	must(verbs_reg_dmabuf(&lent->peer, lent->memory.dmabuf, 0, SIZE, 0, VERBS_ACCESS_ALL,
			      &lent->mr, &test_error));
}

/* ---- importers that can let go ---- */

static void serves(void **state)
{
	struct lent *lent = *state;
	uint64_t before = count(lent, "dma.by_host");

	must_serve(lent, 1);
	if (lent->lab) /* else it was not the other NIC's memory */
		assert_true(count(lent, "dma.by_host") > before);
}

static void serves_without_the_fd(void **state)
{
	struct lent *lent = *state;

	device_memory_close_dmabuf(&lent->memory);
	must_serve(lent, 3);
}

static void dies_when_freed(void **state)
{
	struct lent *lent = *state;
	uint64_t before;

	must_serve(lent, 1);
	before = invalidations(lent);
	must(device_memory_free(&lent->memory, &test_error));
	must_die(lent, before);
}

static void dies_when_freed_without_the_fd(void **state)
{
	struct lent *lent = *state;
	uint64_t before;

	must_serve(lent, 1);
	device_memory_close_dmabuf(&lent->memory);
	before = invalidations(lent);
	must(device_memory_free(&lent->memory, &test_error));
	must_die(lent, before);
}

static void dies_with_the_context(void **state)
{
	struct lent *lent = *state;
	uint64_t before;

	must_serve(lent, 1);
	before = invalidations(lent);
	device_memory_close(&lent->memory);
	must_die(lent, before);
}

/* Whoever gets the same bytes next is safe from the old key. */
static void next_owner_is_safe(void **state)
{
	struct lent *lent = *state;
	struct ibv_mr *dead = lent->mr, *alive;

	must_serve(lent, 1);
	device_memory_close(&lent->memory);
	lent->mr = NULL;
	lend_again(lent);
	fill(lent, 7);
	alive = lent->mr;
	lent->mr = dead;
	must_be_dead(lent);
	lent->mr = alive;
	must_hold(lent, 7);
	must_serve(lent, 9);
	assert_int_equal(ibv_dereg_mr(dead), 0);
	must_serve(lent, 11);
}

static void no_registration_after_it(void **state)
{
	struct lent *lent = *state;
	struct ibv_mr *mr;

	must(device_memory_free(&lent->memory, &test_error));
	must_fail(verbs_reg_dmabuf(&lent->peer, lent->memory.dmabuf, 0, SIZE, 0, VERBS_ACCESS_ALL,
				   &mr, &test_error), ENODEV);
	lend_again(lent);
	must_serve(lent, 1);
}

static void other_memory_goes_on(void **state)
{
	struct lent *lent = *state;
	struct ibv_mr *mr = lent->mr, *other_mr;
	struct device_memory other, own;

	must(device_memory_open(&other, importer_name, SIZE, &test_error));
	must(verbs_reg_dmabuf(&lent->peer, other.dmabuf, 0, SIZE, 0, VERBS_ACCESS_ALL, &other_mr,
			      &test_error));
	must(device_memory_free(&lent->memory, &test_error));
	own = lent->memory;
	lent->memory = other;
	lent->mr = other_mr;
	must_serve(lent, 1);
	lent->mr = mr;
	must_be_dead(lent);
	lent->mr = other_mr;
	must_serve(lent, 3);
	device_memory_close(&own);
	assert_int_equal(ibv_dereg_mr(mr), 0);
}

static void again_and_again(void **state)
{
	struct lent *lent = *state;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		must_serve(lent, 2 * i + 1);
		if (i % 2)
			must(device_memory_free(&lent->memory, &test_error));
		else
			device_memory_close(&lent->memory);
		must_be_dead(lent);
		lend_again(lent);
	}
}

/* ---- at the same time ---- */

struct other_thread {
	pthread_t thread;
	pthread_barrier_t start;
	struct device_memory *memory;
	int close_this; /* -1: frees the memory instead */
};

static void *run_other_thread(void *opaque)
{
	struct other_thread *other = opaque;

	pthread_barrier_wait(&other->start);
	if (other->close_this >= 0)
		close(other->close_this);
	else if (device_memory_free(other->memory, &test_error))
		return other;
	return NULL;
}

static void start_other_thread(struct other_thread *other, struct device_memory *memory, int fd)
{
	other->memory = memory;
	other->close_this = fd;
	assert_int_equal(pthread_barrier_init(&other->start, NULL, 2), 0);
	assert_int_equal(pthread_create(&other->thread, NULL, run_other_thread, other), 0);
	pthread_barrier_wait(&other->start);
}

static void join_other_thread(struct other_thread *other)
{
	void *failed;

	assert_int_equal(pthread_join(other->thread, &failed), 0);
	assert_null(failed);
	pthread_barrier_destroy(&other->start);
}

static void lend_unregistered(struct lent *lent)
{
	dereg(lent);
	device_memory_close(&lent->memory);
	must(device_memory_open(&lent->memory, importer_name, SIZE, &test_error));
}

/* It is refused, or dies. */
static void registration_races_with_freeing(void **state)
{
	struct lent *lent = *state;
	unsigned int refused = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct other_thread other;
		int ret;

		lend_unregistered(lent);
		start_other_thread(&other, &lent->memory, -1);
		ret = verbs_reg_dmabuf(&lent->peer, lent->memory.dmabuf, 0, SIZE, 0,
				       VERBS_ACCESS_ALL, &lent->mr, &test_error);
		join_other_thread(&other);
		if (ret) {
			assert_int_equal(ret, -ENODEV);
			lent->mr = NULL;
			refused++;
			continue;
		}
		must_be_dead(lent);
	}
	print_message("# refused: %u of %u\n", refused, ROUNDS);
}

/* Two dma-bufs of the same memory: one is released while both are taken back. */
static void closing_races_with_freeing(void **state)
{
	struct lent *lent = *state;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct other_thread other;
		int second;

		lend_again(lent);
		second = must(device_memory_export(&lent->memory, &test_error));
		start_other_thread(&other, &lent->memory, second);
		must(device_memory_free(&lent->memory, &test_error));
		join_other_thread(&other);
		must_be_dead(lent);
	}
}

/* ---- with its process, and with its driver ---- */

static void must_move_bytes(struct lent *lent, uint32_t seed)
{
	struct verbs_qp *initiator = &lent->pair.initiator;

	fill_pattern(lent->buffer.address, SIZE, seed);
	must(verbs_post_write(initiator, 1, local(lent), remote(lent), &test_error));
	must_complete(initiator, IBV_WC_SUCCESS);
	memset(lent->buffer.address, 0, SIZE);
	must(verbs_post_read(initiator, 2, local(lent), remote(lent), &test_error));
	must_complete(initiator, IBV_WC_SUCCESS);
	must_hold_pattern(lent->buffer.address, SIZE, seed);
}

/* The importer holds an fd of the dma-buf, which keeps nothing alive. */
static void dies_with_the_process(void **state)
{
	struct lent *lent = *state;
	struct device_memory_owner owner;
	uint64_t before;

	device_memory_close(&lent->memory);
	dereg(lent);
	must(device_memory_owner_start(&owner, importer_name, SIZE, &test_error));
	must(verbs_reg_dmabuf(&lent->peer, owner.dmabuf, 0, SIZE, 0, VERBS_ACCESS_ALL, &lent->mr,
			      &test_error));
	must_move_bytes(lent, 5);
	before = invalidations(lent);
	must(device_memory_owner_kill(&owner, &test_error));
	must_die(lent, before);
	close(owner.dmabuf);
}

static void dies_with_the_driver(void **state)
{
	struct lent *lent = *state;
	int64_t deadline = clock_now_ns() + TEST_TIMEOUT_NS;
	char bdf[32], driver[64];
	uint64_t before;
	int ret;

	if (driver_may_unbind(&test_error))
		test_skip("%s", test_error.text);
	must(driver_bdf_of_ib_device(ibv_get_device_name(lent->memory.context->device), bdf,
				     sizeof(bdf), &test_error));
	must(driver_name(bdf, driver, sizeof(driver), &test_error));
	must_serve(lent, 1);
	before = invalidations(lent);
	must(driver_unbind(driver, bdf, &test_error));
	must_die(lent, before);
	device_memory_close(&lent->memory);
	must(driver_bind(driver, bdf, &test_error));
	dereg(lent);
	do {
		ret = device_memory_open(&lent->memory, importer_name, SIZE, &test_error);
	} while (ret && test_error.missing && clock_now_ns() < deadline);
	must(ret);
	must(verbs_reg_dmabuf(&lent->peer, lent->memory.dmabuf, 0, SIZE, 0, VERBS_ACCESS_ALL,
			      &lent->mr, &test_error));
	must_serve(lent, 3);
}

/* ---- an importer that cannot let go ---- */

/* An MR that should not be is taken away at once: the end of the memory would wait for it. */
static void must_be_refused(struct lent *lent)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr(lent->peer.pd, 0, SIZE, 0, lent->memory.dmabuf,
					      IBV_ACCESS_LOCAL_WRITE);
	int errnum = errno;

	if (mr) {
		ibv_dereg_mr(mr);
		fail_msg("an importer that cannot let go got the memory");
	}
	assert_int_equal(errnum, EOPNOTSUPP);
}

static void refused(void **state)
{
	struct lent *lent = *state;
	uint64_t before = count(lent, "commands");
	struct ibv_mr *mr;

	must_be_refused(lent);
	assert_int_equal(count(lent, "commands"), before);
	/* Else "nothing was counted" would prove nothing. */
	mr = ibv_reg_mr(lent->peer.pd, lent->seen, SIZE, IBV_ACCESS_LOCAL_WRITE);
	assert_non_null(mr);
	if (lent->lab)
		assert_int_equal(count(lent, "commands"), before + 1);
	assert_int_equal(ibv_dereg_mr(mr), 0);
}

/* Being unable is said before the state of the memory: it would still be unable later. */
static void refused_when_freed(void **state)
{
	struct lent *lent = *state;
	uint64_t before = count(lent, "commands");

	must(device_memory_free(&lent->memory, &test_error));
	must_be_refused(lent);
	assert_int_equal(count(lent, "commands"), before);
}

#define test_lent(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests_of_letting_go[] = {
	test_lent(serves),
	test_lent(serves_without_the_fd),
	test_lent(dies_when_freed),
	test_lent(dies_when_freed_without_the_fd),
	test_lent(dies_with_the_context),
	test_lent(next_owner_is_safe),
	test_lent(no_registration_after_it),
	test_lent(other_memory_goes_on),
	test_lent(again_and_again),
	test_lent(registration_races_with_freeing),
	test_lent(closing_races_with_freeing),
	test_lent(dies_with_the_process),
	test_lent(dies_with_the_driver),
};

static const struct CMUnitTest tests_of_refusal[] = {
	test_lent(refused),
	test_lent(refused_when_freed),
};

/* ---- main ---- */

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	if (key != 'l')
		return options_pass_on(key, state);
	if (strcmp(argument, "faulting") && strcmp(argument, "revoking") &&
	    strcmp(argument, "unsupported"))
		argp_error(state, "--level is faulting, revoking or unsupported");
	wanted_level = argument;
	return 0;
}

static void require_two_devices(void)
{
	const struct verbs_peer_options options = peer_options();
	struct device_memory memory;
	struct verbs_peer peer;

	if (verbs_peer_open(&peer, &options, &test_error))
		test_cannot_start();
	importer_name = strdup(ibv_get_device_name(peer.context->device));
	verbs_peer_close(&peer);
	if (device_memory_open(&memory, importer_name, SIZE, &test_error))
		test_cannot_start();
	device_memory_close(&memory);
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "level", 'l', "LEVEL", 0, "what the importer is: faulting, revoking or unsupported", 0 },
		{ 0 }
	};
	static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp program = {
		.options = options, .parser = parse_option, .children = children,
		.doc = "memory on one NIC, lent to another",
	};
	int failed;

	test_parse_program(&program, argc, argv);
	require_two_devices();
	failed = level_is("unsupported") ?
		cmocka_run_group_tests_name(program_invocation_short_name, tests_of_refusal, NULL, NULL) :
		cmocka_run_group_tests_name(program_invocation_short_name, tests_of_letting_go, NULL,
					    NULL);
	return failed ? EXIT_STATUS_FAILED : 0;
}
