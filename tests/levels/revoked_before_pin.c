/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A registration attaches to a dma-buf whose exporter revokes it and gives it back before the importer
 * pins. The importer was told, and cannot come back: the registration is refused, and no pin is left
 * that would keep the buffer in its place for ever.
 */
#include <unistd.h>

#include "hooked_function.h"
#include "moving.h"
#include "race.h"

static struct hooked_function attach;

static struct dmabuf_moving_state state_of(int dmabuf)
{
	struct dmabuf_moving_state state;

	must(moving_state(dmabuf, &state, &test_error));
	return state;
}

static void no_pin_is_left(void **state)
{
	static struct race_registration registration;
	static struct race_call call;
	struct race *race = *state;
	struct fixture *fixture = race->fixture;
	const int dmabuf = moving_dmabuf(fixture->size);

	if (race_faults(race))
		race_is_not_for_this_nic("a NIC that faults pins nothing");
	for_each_round(i) {
		struct dmabuf_moving_state left;

		registration = (struct race_registration){ .fixture = fixture, .dmabuf = dmabuf };
		hooked_function_hold(&attach, "dma_buf_dynamic_attach", HOOKED_THIS_PROCESS,
				     FUNCTION_HOOK_HOLD_AFTER);
		race_call(race, &call, race_register_call, &registration);
		hooked_function_wait(&attach);
		must(moving_revoke(dmabuf, &test_error));
		must(moving_restore(dmabuf, &test_error));
		hooked_function_release(&attach);
		race_call_join(race, &call, "the registration");
		must_fail(call.result, ENODEV);
		left = state_of(dmabuf);
		assert_int_equal(left.pinned, 0);
		assert_int_equal(left.mapped, 0);
		must(moving_move(dmabuf, &test_error));
	}
	must(race_register_call(&registration));
	assert_int_equal(state_of(dmabuf).pinned, 1);
	must_fail(moving_move(dmabuf, &test_error), EBUSY);
	assert_int_equal(ibv_dereg_mr(registration.mr), 0);
	close(dmabuf);
}

static int tear_down(void **state)
{
	hooked_function_close(&attach);
	return race_teardown(state);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(no_pin_is_left, race_setup, tear_down),
};

TEST_MAIN("a dma-buf is revoked and given back before a registration pins it; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC | TEST_NEEDS_LAB, tests)
