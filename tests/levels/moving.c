/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "moving.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fixture.h"

/* An importer that faults has to get something done in between. */
#define MAX_MOVES 64

struct mover {
	pthread_t thread;
	int dmabuf;
	atomic_bool stop;
	int result;
	struct error err;
};

int moving_dmabuf(size_t size)
{
	const __u64 argument = size;
	int device, dmabuf;

	device = open(DMABUF_MOVING_DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		test_skip(DMABUF_MOVING_DEVICE " is not there (tests/kernel/moving-exporter)");
	dmabuf = must_sys(ioctl(device, DMABUF_MOVING_CREATE, &argument));
	close(device);
	return dmabuf;
}

static int ask(unsigned long request, void *argument, const char *what, struct error *err)
{
	int device, ret = 0;

	device = open(DMABUF_MOVING_DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0 && errno == ENOENT)
		return error_set(err, EINVAL, "no exporter here moves: %s is not there",
				 DMABUF_MOVING_DEVICE);
	if (device < 0)
		return error_set(err, errno, "opening %s failed", DMABUF_MOVING_DEVICE);
	if (ioctl(device, request, argument))
		ret = error_set(err, errno, "%s a dma-buf failed", what);
	close(device);
	return ret;
}

int moving_move(int dmabuf, struct error *err)
{
	__s32 fd = dmabuf;

	return ask(DMABUF_MOVING_MOVE, &fd, "moving", err);
}

int moving_state(int dmabuf, struct dmabuf_moving_state *state, struct error *err)
{
	*state = (struct dmabuf_moving_state){ .fd = dmabuf };
	return ask(DMABUF_MOVING_QUERY, state, "asking for the moves of", err);
}

static void *move_on(void *argument)
{
	struct mover *mover = argument;
	int ret;

	mover->result = moving_move(mover->dmabuf, &mover->err);
	for (int i = 1; i < MAX_MOVES && !atomic_load(&mover->stop); i++) {
		ret = moving_move(mover->dmabuf, &mover->err);
		if (ret == mover->result)
			continue;
		mover->result = error_set(&mover->err, EPROTO, "move %d returned %d, those before %d",
					  i, ret, mover->result);
		break;
	}
	return NULL;
}

struct mover *mover_start(int dmabuf)
{
	struct mover *mover = calloc(1, sizeof(*mover));

	assert_non_null(mover);
	mover->dmabuf = dmabuf;
	assert_int_equal(pthread_create(&mover->thread, NULL, move_on, mover), 0);
	return mover;
}

int mover_stop(struct mover *mover, struct error *err)
{
	int result;

	atomic_store(&mover->stop, true);
	pthread_join(mover->thread, NULL);
	result = mover->result;
	if (err)
		*err = mover->err;
	free(mover);
	return result;
}
