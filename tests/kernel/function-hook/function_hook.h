/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/* /dev/function-hook: one call of a kernel function is held, or fails, when a test wants it to. */
#ifndef FUNCTION_HOOK_H
#define FUNCTION_HOOK_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define FUNCTION_HOOK_DEVICE "/dev/function-hook"
#define FUNCTION_HOOK_NAME_MAX 64
/* What nth and count go up to. */
#define FUNCTION_HOOK_CALLS_MAX 1000000
/* How many there are: one for each open of the device, -EBUSY for the next. */
#define FUNCTION_HOOKS 3

enum function_hook_action {
	/* The thread sleeps before the function runs. */
	FUNCTION_HOOK_HOLD_BEFORE,
	/* ... when it has run, before it returns. */
	FUNCTION_HOOK_HOLD_AFTER,
	/* It does not run, and returns what the test says. */
	FUNCTION_HOOK_ANSWER,
	/* It runs as ever, also where nobody may sleep; WAIT ends when it has. */
	FUNCTION_HOOK_WATCH,
};

/* Calls of all processes are meant, kernel threads among them, not those of the caller alone. */
#define FUNCTION_HOOK_ANYBODY (1u << 0)

/**
 * struct function_hook_request - what is to become of which call
 * @name:	a function that ftrace can see (available_filter_functions), with an integer or a
 *		pointer for its result, six arguments of that kind at most; what is held is called
 *		where it may sleep
 * @nth:	the how-many-th call, from 1, that the caller's process makes from now on
 * @count:	so many calls from that on; 1 but for FUNCTION_HOOK_ANSWER
 * @action:	enum function_hook_action
 * @flags:	FUNCTION_HOOK_ANYBODY or 0
 * @answer:	what it returns instead
 */
struct function_hook_request {
	char name[FUNCTION_HOOK_NAME_MAX];
	__u32 nth;
	__u32 count;
	__u32 action;
	__u32 flags;
	__s64 answer;
};

/*
 * Takes the place of an earlier request; a thread that it holds goes on first. -EINVAL: the request
 * is not as above, or there is no such function. -EBUSY: the function is hooked by somebody else.
 */
#define FUNCTION_HOOK_SET _IOW('M', 0xe0, struct function_hook_request)

/*
 * Waits that many milliseconds at most until the call is held, was answered or has run.
 * -ETIMEDOUT: it was not made. -ENXIO: nothing is hooked.
 */
#define FUNCTION_HOOK_WAIT _IOW('M', 0xe1, __u32)

/* The thread goes on; one that is not there yet will not be held. So does a close of the device. */
#define FUNCTION_HOOK_RELEASE _IO('M', 0xe2)

#endif
