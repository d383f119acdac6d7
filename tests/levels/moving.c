/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "moving.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fixture.h"

struct mover {
	pthread_t thread;
	int dmabuf;
	unsigned int moves;
	bool may_be_busy;
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

int moving_revoke(int dmabuf, struct error *err)
{
	__s32 fd = dmabuf;

	return ask(DMABUF_MOVING_REVOKE, &fd, "revoking", err);
}

int moving_restore(int dmabuf, struct error *err)
{
	__s32 fd = dmabuf;

	return ask(DMABUF_MOVING_RESTORE, &fd, "giving back", err);
}

int moving_lay_out(int dmabuf, unsigned int order, struct error *err)
{
	struct dmabuf_moving_layout layout = { .fd = dmabuf, .order = order };

	return ask(DMABUF_MOVING_LAY_OUT, &layout, "laying out", err);
}

int moving_state(int dmabuf, struct dmabuf_moving_state *state, struct error *err)
{
	*state = (struct dmabuf_moving_state){ .fd = dmabuf };
	return ask(DMABUF_MOVING_QUERY, state, "asking for the moves of", err);
}

static int move_once(struct mover *mover)
{
	int ret = moving_move(mover->dmabuf, &mover->err);

	return ret == -EBUSY && mover->may_be_busy ? 0 : ret;
}

static void *move_on(void *argument)
{
	struct mover *mover = argument;
	int ret;

	mover->result = move_once(mover);
	for (unsigned int i = 1; i < mover->moves && !atomic_load(&mover->stop); i++) {
		ret = move_once(mover);
		if (ret == mover->result)
			continue;
		mover->result = error_set(&mover->err, EPROTO, "move %u returned %d, those before %d",
					  i, ret, mover->result);
		break;
	}
	return NULL;
}

struct mover *mover_start(int dmabuf, unsigned int moves, bool may_be_busy)
{
	struct mover *mover = calloc(1, sizeof(*mover));

	assert_non_null(mover);
	mover->dmabuf = dmabuf;
	mover->moves = moves;
	mover->may_be_busy = may_be_busy;
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
