/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The NIC is told to let go of memory that is taken back, and is slow, refuses, or never answers. A
 * slow one is waited for. One that refuses once is asked in another way (mlx5). From one that refuses
 * every way, or has not answered for five seconds, the driver takes bus mastering before the revoke
 * returns, so that nothing of that NIC reaches any memory, and has it reset: bystanders lose their
 * connections, learn of it by IBV_EVENT_DEVICE_FATAL, and open the NIC that comes back as they would a
 * new one. -n gives the rounds of each case; memory decoding off and the request take turns in them.
 */
#include <poll.h>
#include <string.h>

#include "hooked_function.h"
#include "race.h"

#define DELAY_US 20000
#define EVENT_TIMEOUT_MS patience(60000)
/* In how many ways a driver asks: mlx5 changes the translation of the key, and frees the key. */
#define WAYS_MLX5 2

static struct hooked_function hook;

/* Somebody else on the same NIC, with memory of their own. */
struct bystander {
	struct verbs_peer peer;
	struct verbs_pair pair;
	struct verbs_buffer buffer;
};

enum lengths { LENGTH = 4096 };

static enum ibv_wc_status write_own_memory(struct bystander *bystander, uint32_t seed)
{
	uint8_t *bytes = bystander->buffer.address;
	const struct verbs_local from = {
		.address = (uintptr_t)bytes, .length = LENGTH, .lkey = bystander->buffer.mr->lkey,
	};
	const struct verbs_remote to = {
		.address = (uintptr_t)(bytes + LENGTH), .rkey = bystander->buffer.mr->rkey,
	};
	struct ibv_wc wc;

	fill_pattern(bytes, LENGTH, seed);
	must(verbs_post_write(&bystander->pair.initiator, seed, from, to, &test_error));
	must(verbs_wait(&bystander->pair.initiator, &wc, TEST_TIMEOUT_NS, &test_error));
	if (wc.status == IBV_WC_SUCCESS)
		must_hold_pattern(bytes + LENGTH, LENGTH, seed);
	return wc.status;
}

static void bystander_open(struct bystander *bystander)
{
	const struct verbs_peer_options options = {
		.device = test_options.device, .port = test_options.port,
		.gid_index = test_options.gid_index,
	};

	must(verbs_peer_open(&bystander->peer, &options, &test_error));
	must(verbs_pair_create(&bystander->peer, NULL, &bystander->pair, &test_error));
	must(verbs_buffer_init(&bystander->peer, 2 * LENGTH, VERBS_ACCESS_ALL, &bystander->buffer,
			       &test_error));
}

static void bystander_close(struct bystander *bystander)
{
	verbs_pair_destroy(&bystander->pair);
	verbs_buffer_free(&bystander->buffer);
	verbs_peer_close(&bystander->peer);
}

/* Events of ports and queue pairs may come first. */
static void must_learn_of_the_loss(struct bystander *bystander)
{
	struct pollfd events = { .fd = bystander->peer.context->async_fd, .events = POLLIN };
	struct ibv_async_event event;

	do {
		if (poll(&events, 1, EVENT_TIMEOUT_MS) != 1)
			fail_msg("a bystander was not told that the NIC is lost");
		must_sys(ibv_get_async_event(bystander->peer.context, &event));
		ibv_ack_async_event(&event);
	} while (event.event_type != IBV_EVENT_DEVICE_FATAL);
}

static void slow(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;

	must_write_through(fixture, 0);
	for_each_round(i) {
		must(knob_set(fixture->lab, race->invalidation, KNOB_DELAY, 1, DELAY_US, &test_error));
		race_revoke(race, race_trigger_of(i));
		race_revoke_join(race, RACE_PROMPT_NS);
		race_revoke_waited_until(race, race->revoke.began + DELAY_US * NS_PER_US);
		race_must_refuse(race, fixture->mr->rkey);
		race_must_be_sealed(race, true);
		race_dereg(race_give_back(race));
		must_write_through(fixture, i);
	}
	race_report(race, "every revoke met a NIC that takes 20 ms for it");
}

/* What the models call a write to remote memory. */
#define HELD_WRITE "rdma_write"

/* In how many rounds of the case the NIC tried to reach memory after the revoke, and was stopped. */
static unsigned int stopped_in;

/*
 * The key reaches the memory as before, and a write by it waits at the NIC since before the revoke;
 * what keeps the bytes as they are is that the NIC is no bus master.
 */
static void write_later(struct race *race)
{
	struct fixture *fixture = race->fixture;

	fill_pattern(fixture->buffer.address, fixture->size, ~0u);
	must(knob_set(fixture->lab, HELD_WRITE, KNOB_HOLD, 1, 0, &test_error));
	must(verbs_post_write(&fixture->pair.initiator, 1,
			      buffer_at(fixture, 0, (uint32_t)fixture->size),
			      mr_remote_at(fixture, 0), &test_error));
	must(knob_wait_held(fixture->lab, HELD_WRITE, &test_error));
}

/*
 * The NIC goes on with that write: it tries, and is stopped, unless its driver has reset it by then.
 * The model is asked again and again; each answer takes it a turn.
 */
static void must_reach_nothing(struct race *race)
{
	const int64_t deadline = clock_now_ns() + TEST_TIMEOUT_NS;
	struct fixture *fixture = race->fixture;
	const uint64_t stopped = lab_counter(fixture, "dma.no_bus_master");

	must(knob_release(fixture->lab, HELD_WRITE, &test_error));
	do {
		if (lab_counter(fixture, "dma.no_bus_master") != stopped) {
			stopped_in++;
			return;
		}
		if (lab_counter(fixture, "resets") != race->resets)
			return;
	} while (clock_now_ns() < deadline);
	fail_msg("the NIC went on with a write, and nothing stopped it (dma.no_bus_master)");
}

/* Else the bytes stayed because nothing was done to them. */
static void must_have_stopped_it(void)
{
	print_message("# the NIC tried to reach memory after the revoke, and was stopped, in %u rounds\n",
		      stopped_in);
	if (!stopped_in)
		fail_msg("the NIC never tried to reach memory: it was reset before, in each round");
	stopped_in = 0;
}

static void lose_the_nic(struct race *race, enum knob_action action, unsigned int i)
{
	struct fixture *fixture = race->fixture;
	struct bystander bystander = { 0 };

	/* The driver of the network device has a control queue, too, and is not to wait for it in vain. */
	bool lan_driver = !race_faults(race);
	uint64_t unanswered = lan_driver ? lab_counter(fixture, "admin_unanswered") : 0;

	bystander_open(&bystander);
	assert_int_equal(write_own_memory(&bystander, i), IBV_WC_SUCCESS);
	must_write_through(fixture, i);
	write_later(race);
	race_watch_nic(race);
	must(knob_set(fixture->lab, race->invalidation, action,
		      action == KNOB_FAIL && race_faults(race) ? WAYS_MLX5 : 1, 0, &test_error));
	race_revoke(race, race_trigger_of(i));
	race_revoke_join(race, action == KNOB_FAIL ? RACE_PROMPT_NS : RACE_UNANSWERED_NS);
	race_nic_was_cut_off(race);
	must_reach_nothing(race);
	must_learn_of_the_loss(&bystander);
	race_must_be_sealed(race, false);
	must(knob_release(fixture->lab, race->invalidation, &test_error));
	must(lab_control_wait(fixture->lab, "resets", race->resets + 1, EVENT_TIMEOUT_MS, &test_error));
	race_must_be_sealed(race, false);
	bystander_close(&bystander);

	fixture_close_nic(fixture);
	must(trigger_undo(fixture, race->trigger));
	race_nic_comes_back(race);
	must_write_through(fixture, i + 1);
	bystander_open(&bystander);
	assert_int_equal(write_own_memory(&bystander, i), IBV_WC_SUCCESS);
	bystander_close(&bystander);
	race_was_lost_times(race, i + 1);
	if (lan_driver && lab_counter(fixture, "admin_unanswered") != unanswered)
		fail_msg("commands of the LAN driver without an answer: %lu",
			 lab_counter(fixture, "admin_unanswered") - unanswered);
}

static void refused(void **state)
{
	struct race *race = *state;

	for_each_round(i)
		lose_the_nic(race, KNOB_FAIL, i);
	race_report(race, "every revoke was refused by the NIC");
	must_have_stopped_it();
}

/* Another user has the function locked when it is to be reset, and unlocks it. */
static void refused_and_busy(void **state)
{
	struct race *race = *state;

	if (!race_faults(race))
		race_is_not_for_this_nic("its function is reset by another driver");
	for_each_round(i) {
		hooked_function_answer(&hook, "pci_try_reset_function", HOOKED_ANYBODY, 1, 3, -EAGAIN);
		lose_the_nic(race, KNOB_FAIL, i);
		hooked_function_close(&hook);
	}
	race_report(race, "every revoke was refused by a NIC whose reset was refused three times");
}

/*
 * The first way fails, the second does not: the MR is dead, also when the memory is back, and no other
 * user of the NIC is concerned.
 */
static void lose_the_mr(struct race *race, struct bystander *bystander, unsigned int i)
{
	struct fixture *fixture = race->fixture;
	struct ibv_mr *old = fixture->mr;

	race_revoke_join(race, RACE_PROMPT_NS);
	race_must_refuse(race, old->rkey);
	race_must_be_sealed(race, true);
	assert_int_equal(write_own_memory(bystander, i), IBV_WC_SUCCESS);

	must(trigger_undo(fixture, race->trigger));
	race_must_refuse(race, old->rkey);
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	race_dereg(old);
	must_write_through(fixture, i);
	assert_int_equal(write_own_memory(bystander, i + 1), IBV_WC_SUCCESS);
	race_was_lost_times(race, 0);
}

static void refused_once(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;
	struct bystander bystander = { 0 };

	bystander_open(&bystander);
	for_each_round(i) {
		must_write_through(fixture, i);
		must(knob_set(fixture->lab, race->invalidation, KNOB_FAIL, 1, 0, &test_error));
		race_revoke(race, race_trigger_of(i));
		lose_the_mr(race, &bystander, i);
	}
	bystander_close(&bystander);
	race_report(race, "every revoke was refused once by the NIC");
}

/* The list of zeroes that takes the translation away cannot be mapped for DMA. */
static void without_a_list(void **state)
{
	struct race *race = *state;
	struct fixture *fixture = race->fixture;
	struct bystander bystander = { 0 };

	bystander_open(&bystander);
	for_each_round(i) {
		must_write_through(fixture, i);
		hooked_function_answer(&hook, "dma_map_phys", HOOKED_THIS_PROCESS, 1, 1, -1);
		race_revoke(race, TRIGGER_COMMAND);
		hooked_function_wait(&hook);
		hooked_function_close(&hook);
		lose_the_mr(race, &bystander, i);
	}
	bystander_close(&bystander);
	race_report(race, "no revoke had a list of translations");
}

static void never_answered(void **state)
{
	struct race *race = *state;

	for_each_round(i)
		lose_the_nic(race, KNOB_DROP, i);
	race_report(race, "no revoke was answered by the NIC");
	must_have_stopped_it();
}

static int tear_down(void **state)
{
	hooked_function_close(&hook);
	return race_teardown(state);
}

#define test_loss(test) cmocka_unit_test_setup_teardown(test, race_setup_recovering, tear_down)

static const struct CMUnitTest slow_tests[] = { test_race(slow) };
static const struct CMUnitTest refused_tests[] = { test_loss(refused), test_loss(refused_and_busy) };
static const struct CMUnitTest refused_once_tests[] = { test_loss(refused_once), test_loss(without_a_list) };
static const struct CMUnitTest unanswered_tests[] = { test_loss(never_answered) };

static const struct group {
	const char *name;
	const struct CMUnitTest *tests;
	size_t count;
} groups[] = {
	{ "slow", slow_tests, TEST_COUNT(slow_tests) },
	{ "refused", refused_tests, TEST_COUNT(refused_tests) },
	{ "refused-once", refused_once_tests, TEST_COUNT(refused_once_tests) },
	{ "never-answered", unanswered_tests, TEST_COUNT(unanswered_tests) },
};

static const struct group *group;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		for (size_t i = 0; i < TEST_COUNT(groups); i++)
			if (!strcmp(arg, groups[i].name))
				group = &groups[i];
		return 0;
	case ARGP_KEY_END:
		if (!group)
			argp_error(state, "the argument is slow, refused, refused-once or never-answered");
		return 0;
	default:
		return options_pass_on(key, state);
	}
}

int main(int argc, char **argv)
{
	const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	const struct argp program = {
		NULL, parse_option, "slow|refused|refused-once|never-answered",
		"the NIC is slow to let go of memory, refuses to, or never answers; -n gives the rounds",
		children, NULL, NULL,
	};

	test_parse_program(&program, argc, argv);
	test_require(TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB);
	return _cmocka_run_group_tests(group->name, group->tests, group->count, NULL, NULL) ?
	       EXIT_STATUS_FAILED : 0;
}
