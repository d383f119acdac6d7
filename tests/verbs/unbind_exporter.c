/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The VFIO driver is taken from the exporter while its BAR is lent out: the
 * kernel asks the holder of the device for it back, and once that is closed the
 * unbinding goes through although the dma-buf and its MR still exist.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "driver.h"
#include "fixture.h"

struct unbinding {
	pthread_t thread;
	char driver[64], bdf[32];
	int result;
	struct error err;
	int done;		/* an eventfd */
};

static void *unbind_thread(void *argument)
{
	struct unbinding *unbinding = argument;
	const uint64_t one = 1;

	unbinding->result = driver_unbind(unbinding->driver, unbinding->bdf, &unbinding->err);
	if (write(unbinding->done, &one, sizeof(one)) != sizeof(one))
		abort();
	return NULL;
}

/* The event by which the kernel asks for the device. */
static int ask_event(struct fixture *fixture)
{
	union {
		struct vfio_irq_set set;
		char space[sizeof(struct vfio_irq_set) + sizeof(int32_t)];
	} request = {
		.set = {
			.argsz = sizeof(request),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_REQ_IRQ_INDEX,
			.count = 1,
		},
	};
	int32_t event = must_sys(eventfd(0, EFD_CLOEXEC));

	memcpy(request.set.data, &event, sizeof(event));
	must_sys(ioctl(vfio_exporter_device_fd(fixture->exporter), VFIO_DEVICE_SET_IRQS, &request));
	return event;
}

static bool happens(int event)
{
	struct pollfd ready = { .fd = event, .events = POLLIN };

	return poll(&ready, 1, (int)(TEST_TIMEOUT_NS / NS_PER_MS)) == 1;
}

/* Until the kernel has asked for the device. */
static void start_unbinding(struct fixture *fixture, struct unbinding *unbinding)
{
	int asked;

	if (driver_may_unbind(&test_error))
		test_skip("%s", test_error.text);
	unbinding->done = must_sys(eventfd(0, EFD_CLOEXEC));
	snprintf(unbinding->bdf, sizeof(unbinding->bdf), "%s", vfio_exporter_bdf(fixture->exporter));
	must(driver_name(unbinding->bdf, unbinding->driver, sizeof(unbinding->driver), &test_error));
	asked = ask_event(fixture);
	assert_int_equal(pthread_create(&unbinding->thread, NULL, unbind_thread, unbinding), 0);
	if (!happens(asked))
		fail_msg("the kernel did not ask for the device");
	close(asked);
}

static void close_exporter(struct fixture *fixture)
{
	fixture_unmap_window(fixture);
	vfio_exporter_close(fixture->exporter);
	fixture->exporter = NULL;
}

static void end_unbinding(struct unbinding *unbinding)
{
	if (!happens(unbinding->done))
		fail_msg("the unbinding did not happen");
	pthread_join(unbinding->thread, NULL);
	close(unbinding->done);
	test_error = unbinding->err;
	must(unbinding->result);
}

static void bind_and_open(struct fixture *fixture, const struct unbinding *unbinding)
{
	must(driver_bind(unbinding->driver, unbinding->bdf, &test_error));
	must(vfio_exporter_open(&fixture->exporter, test_options.exporter, test_options.interface,
				&test_error));
	fixture_map_window(fixture);
}

static void lend(struct fixture *fixture)
{
	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
}

static void must_be_refused(struct fixture *fixture)
{
	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, 4096),
			      mr_remote_at(fixture, 0), &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
}

/* In static memory: a failed test leaves the thread behind. */
static void unbind_and_bind(struct fixture *fixture, bool revoked)
{
	static struct unbinding unbinding;
	struct ibv_mr *old_mr = fixture->mr;
	int old_dmabuf = fixture->dmabuf;

	must_write_through(fixture, 1);
	if (revoked)
		fixture_revoke(fixture);
	start_unbinding(fixture, &unbinding);
	if (revoked)
		must_be_refused(fixture);
	close_exporter(fixture);
	end_unbinding(&unbinding);

	/* The device is gone, the objects over its memory are not. */
	must_be_refused(fixture);
	must_fail(verbs_reg_dmabuf(&fixture->peer, old_dmabuf, 0, 4096, 0, VERBS_ACCESS_ALL, &fixture->mr,
				   &test_error), ENODEV);
	fixture->mr = old_mr;

	/* With the driver back the memory can be lent anew, still beside the old MR. */
	bind_and_open(fixture, &unbinding);
	must_be_refused(fixture);
	lend(fixture);
	must_write_through(fixture, 2);
	assert_int_equal(ibv_dereg_mr(old_mr), 0);
	close(old_dmabuf);
	must_write_through(fixture, 3);
}

static void while_lent(void **state)
{
	unbind_and_bind(*state, false);
}

static void while_revoked(void **state)
{
	unbind_and_bind(*state, true);
}

/* An O_PATH fd keeps the name of a dma-buf that nobody has open any more: nothing waits for it. */
static void while_the_name_is_held(void **state)
{
	static struct unbinding unbinding;
	struct fixture *fixture = *state;
	char path[64];
	int name;
	bool gone;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fixture->dmabuf);
	name = must_sys(open(path, O_PATH | O_CLOEXEC));
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = NULL;
	close(fixture->dmabuf);
	fixture->dmabuf = -1;
	start_unbinding(fixture, &unbinding);
	close_exporter(fixture);
	gone = happens(unbinding.done);
	close(name);
	end_unbinding(&unbinding);
	bind_and_open(fixture, &unbinding);
	lend(fixture);
	if (!gone)
		fail_msg("the unbinding waited for the name to be forgotten");
	must_write_through(fixture, 1);
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(while_lent),
	test_with_fixture(while_revoked),
	test_with_fixture(while_the_name_is_held),
};

TEST_MAIN("the exporter's driver is unbound while its memory is lent and while it is revoked",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
