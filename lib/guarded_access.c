/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "guarded_access.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>

/* Set while this thread is inside a guarded access. */
static _Thread_local sigjmp_buf *volatile rescue;

static void handle_sigbus(int signum)
{
	if (rescue)
		siglongjmp(*rescue, 1);
	/* The access is made again on return, and that is the end. */
	signal(signum, SIG_DFL);
}

int guarded_access_init(void)
{
	/* Not blocked inside the handler, so leaving it by a jump restores no mask. */
	struct sigaction action = { .sa_handler = handle_sigbus, .sa_flags = SA_NODEFER };

	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}

static void arm(sigjmp_buf *place)
{
	rescue = place;
	atomic_signal_fence(memory_order_seq_cst);
}

static void disarm(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	rescue = NULL;
}

int guarded_read(const volatile uint64_t *address, uint64_t *value)
{
	volatile int ret = -EFAULT;
	sigjmp_buf place;

	if (!sigsetjmp(place, 0)) {
		arm(&place);
		*value = *address;
		ret = 0;
	}
	disarm();
	return ret;
}

int guarded_write(volatile uint64_t *address, uint64_t value)
{
	return guarded_fill(address, 1, value) == 1 ? 0 : -EFAULT;
}

size_t guarded_fill(volatile uint64_t *address, size_t words, uint64_t value)
{
	volatile size_t done = 0;
	sigjmp_buf place;

	if (!sigsetjmp(place, 0)) {
		arm(&place);
		for (; done < words; done = done + 1)
			address[done] = value;
	}
	disarm();
	return done;
}
