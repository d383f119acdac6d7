/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "hooked_function.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fixture.h"

static void set(struct hooked_function *hook, const char *function,
		struct function_hook_request request)
{
	if (!hook->is_open) {
		hook->device = open(FUNCTION_HOOK_DEVICE, O_RDWR | O_CLOEXEC);
		if (hook->device < 0 && errno == ENOENT)
			test_skip(FUNCTION_HOOK_DEVICE " is not there (tests/kernel/function-hook)");
		if (hook->device < 0)
			fail_msg("opening " FUNCTION_HOOK_DEVICE " failed: %s", strerrorname_np(errno));
		hook->is_open = true;
	}
	snprintf(request.name, sizeof(request.name), "%s", function);
	snprintf(hook->name, sizeof(hook->name), "%s", function);
	if (ioctl(hook->device, FUNCTION_HOOK_SET, &request))
		fail_msg("hooking %s() failed: %s%s", function, strerrorname_np(errno),
			 errno == EINVAL ? "; is it in available_filter_functions?" : "");
}

static __u32 flags_of(enum hooked_caller caller)
{
	return caller == HOOKED_ANYBODY ? FUNCTION_HOOK_ANYBODY : 0;
}

void hooked_function_hold_nth(struct hooked_function *hook, const char *function, enum hooked_caller caller,
			      enum function_hook_action place, unsigned int nth)
{
	set(hook, function, (struct function_hook_request){
		.nth = nth,
		.count = 1,
		.action = place,
		.flags = flags_of(caller),
	});
}

void hooked_function_hold(struct hooked_function *hook, const char *function, enum hooked_caller caller,
			  enum function_hook_action place)
{
	hooked_function_hold_nth(hook, function, caller, place, 1);
}

void hooked_function_watch(struct hooked_function *hook, const char *function, enum hooked_caller caller)
{
	hooked_function_hold_nth(hook, function, caller, FUNCTION_HOOK_WATCH, 1);
}

void hooked_function_answer(struct hooked_function *hook, const char *function, enum hooked_caller caller,
			    unsigned int nth, unsigned int count, __s64 answer)
{
	set(hook, function, (struct function_hook_request){
		.nth = nth,
		.count = count,
		.action = FUNCTION_HOOK_ANSWER,
		.flags = flags_of(caller),
		.answer = answer,
	});
}

static int wait_ms(const struct hooked_function *hook, __u32 ms)
{
	return ioctl(hook->device, FUNCTION_HOOK_WAIT, &ms) ? -errno : 0;
}

void hooked_function_wait(const struct hooked_function *hook)
{
	int ret = wait_ms(hook, TEST_TIMEOUT_NS / 1000000);

	if (ret)
		fail_msg("waiting for a call of %s() failed: %s", hook->name, strerrorname_np(-ret));
}

bool hooked_function_met(const struct hooked_function *hook, unsigned int ms)
{
	int ret = wait_ms(hook, ms);

	if (ret && ret != -ETIMEDOUT)
		fail_msg("asking for a call of %s() failed: %s", hook->name, strerrorname_np(-ret));
	return !ret;
}

void hooked_function_release(const struct hooked_function *hook)
{
	must_sys(ioctl(hook->device, FUNCTION_HOOK_RELEASE));
}

void hooked_function_close(struct hooked_function *hook)
{
	if (hook->is_open)
		close(hook->device);
	hook->is_open = false;
}
