// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds one call of a kernel function, or answers it, on request: for tests of what happens between
 * two instructions that nothing else can be made to come between.
 *
 * ftrace sends the call to hooked_call(), which makes it in the caller's place and may sleep.
 */
#include <linux/completion.h>
#include <linux/cpufeature.h>
#include <linux/ftrace.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>

#include "function_hook.h"

typedef unsigned long (*hooked_function)(unsigned long, unsigned long, unsigned long,
					 unsigned long, unsigned long, unsigned long);

/* Beyond what any request counts to. */
#define HOOK_NONE_TO_COME (INT_MIN / 2)

struct hook {
	/* Of set and release, not of the call. */
	struct mutex lock;
	bool taken;
	/* The function that ftrace has been told of; empty: none. */
	char name[FUNCTION_HOOK_NAME_MAX];
	struct ftrace_ops ops;

	/* Threads that look at what follows. */
	atomic_t inside;
	/* Calls up to the first that is meant; 0 and less: it was made. */
	atomic_t to_come;
	/* So many are meant. */
	int count;
	struct pid *process;
	bool anybody;
	enum function_hook_action action;
	s64 answer;
	hooked_function function;
	struct completion met;
	struct completion go;
};

static void hook_hold(struct hook *hook)
{
	complete_all(&hook->met);
	/* Killed, it could be the one whose end closes the device. */
	wait_for_completion_killable(&hook->go);
}

/* The next request may come. */
static void hook_leave(struct hook *hook)
{
	if (atomic_dec_and_test(&hook->inside))
		wake_up_var(&hook->inside);
}

/* In place of the function. */
static unsigned long hooked_call(struct hook *hook, unsigned long a, unsigned long b,
				 unsigned long c, unsigned long d, unsigned long e, unsigned long f)
{
	hooked_function function = hook->function;
	unsigned long ret;

	switch (hook->action) {
	case FUNCTION_HOOK_HOLD_BEFORE:
		hook_hold(hook);
		hook_leave(hook);
		return function(a, b, c, d, e, f);
	case FUNCTION_HOOK_HOLD_AFTER:
		ret = function(a, b, c, d, e, f);
		hook_hold(hook);
		hook_leave(hook);
		return ret;
	case FUNCTION_HOOK_WATCH:
		ret = function(a, b, c, d, e, f);
		complete_all(&hook->met);
		hook_leave(hook);
		return ret;
	default:
		ret = hook->answer;
		complete_all(&hook->met);
		hook_leave(hook);
		return ret;
	}
}

static struct hook hooks[FUNCTION_HOOKS];

/* They take the function's arguments as they are, so that each hook needs one. */
#define HOOKED_CALL(n)									\
static unsigned long hooked_call_##n(unsigned long a, unsigned long b, unsigned long c,	\
				     unsigned long d, unsigned long e, unsigned long f)	\
{											\
	return hooked_call(&hooks[n], a, b, c, d, e, f);				\
}

HOOKED_CALL(0)
HOOKED_CALL(1)
HOOKED_CALL(2)

static const hooked_function hooked_calls[] = { hooked_call_0, hooked_call_1, hooked_call_2 };
static_assert(ARRAY_SIZE(hooked_calls) == FUNCTION_HOOKS);

static bool notrace hook_is_meant(struct hook *hook)
{
	int left;

	if (!hook->anybody && task_tgid(current) != hook->process)
		return false;
	left = atomic_dec_return(&hook->to_come);
	return left <= 0 && left > -hook->count;
}

static void notrace hook_ftrace(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				struct ftrace_regs *fregs)
{
	struct hook *hook = container_of(ops, struct hook, ops);

	/* Fully ordered against hook_part() */
	(void)atomic_inc_return(&hook->inside);
	if (!hook_is_meant(hook)) {
		hook_leave(hook);
		return;
	}
	/* Where the function goes on after its first instruction, the call that came here. */
	hook->function = (hooked_function)ip;
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hooked_calls[hook - hooks]);
}

/* Until nobody looks at the request any more. */
static void hook_part(struct hook *hook)
{
	lockdep_assert_held(&hook->lock);
	(void)atomic_xchg(&hook->to_come, HOOK_NONE_TO_COME);
	complete_all(&hook->go);
	wait_var_event(&hook->inside, !atomic_read(&hook->inside));
}

static void hook_forget(struct hook *hook)
{
	lockdep_assert_held(&hook->lock);
	if (!hook->name[0])
		return;
	hook_part(hook);
	WARN_ON(unregister_ftrace_function(&hook->ops));
	put_pid(hook->process);
	hook->process = NULL;
	hook->name[0] = '\0';
}

/* It takes ftrace long enough to be worth keeping what it was told. */
static int hook_tell_ftrace(struct hook *hook, const char *name)
{
	char filter[FUNCTION_HOOK_NAME_MAX];
	int ret;

	lockdep_assert_held(&hook->lock);
	strscpy(filter, name);
	ret = ftrace_set_filter(&hook->ops, filter, strlen(filter), 1);
	if (ret)
		return ret;
	init_completion(&hook->go);
	atomic_set(&hook->to_come, HOOK_NONE_TO_COME);
	hook->process = get_pid(task_tgid(current));
	ret = register_ftrace_function(&hook->ops);
	if (ret) {
		put_pid(hook->process);
		hook->process = NULL;
		return ret;
	}
	strscpy(hook->name, name);
	return 0;
}

static int hook_arm(struct hook *hook, const struct function_hook_request *request)
{
	lockdep_assert_held(&hook->lock);
	if (strcmp(hook->name, request->name) || hook->process != task_tgid(current)) {
		int ret;

		hook_forget(hook);
		ret = hook_tell_ftrace(hook, request->name);
		if (ret)
			return ret;
	}
	hook_part(hook);
	init_completion(&hook->met);
	init_completion(&hook->go);
	hook->action = request->action;
	hook->answer = request->answer;
	hook->count = request->count;
	hook->anybody = request->flags & FUNCTION_HOOK_ANYBODY;
	/* The rest first */
	atomic_set_release(&hook->to_come, request->nth);
	return 0;
}

static bool hook_is_possible(const struct function_hook_request *request)
{
	const char *name = request->name;

	/* One function, and not what ftrace takes for a pattern or a command. */
	if (!name[0] || !memchr(name, 0, sizeof(request->name)) || strpbrk(name, "*?[!:"))
		return false;
	if (!request->nth || request->nth > FUNCTION_HOOK_CALLS_MAX || !request->count ||
	    request->count > FUNCTION_HOOK_CALLS_MAX)
		return false;
	if (request->action != FUNCTION_HOOK_ANSWER && request->count != 1)
		return false;
	return request->action <= FUNCTION_HOOK_WATCH && !(request->flags & ~FUNCTION_HOOK_ANYBODY);
}

static int hook_set(struct hook *hook, const struct function_hook_request __user *argument)
{
	struct function_hook_request request;

	if (copy_from_user(&request, argument, sizeof(request)))
		return -EFAULT;
	if (!hook_is_possible(&request))
		return -EINVAL;
	guard(mutex)(&hook->lock);
	return hook_arm(hook, &request);
}

/* Without the lock: nothing but this file's own set and release ends the request. */
static int hook_wait(struct hook *hook, const u32 __user *argument)
{
	long ret;
	u32 ms;

	if (get_user(ms, argument))
		return -EFAULT;
	if (!READ_ONCE(hook->name[0]))
		return -ENXIO;
	ret = wait_for_completion_killable_timeout(&hook->met, msecs_to_jiffies(ms));
	if (ret < 0)
		return ret;
	return ret ? 0 : -ETIMEDOUT;
}

static void hook_release(struct hook *hook)
{
	guard(mutex)(&hook->lock);
	if (hook->name[0])
		complete_all(&hook->go);
}

static long hook_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;
	struct hook *hook = file->private_data;

	switch (command) {
	case FUNCTION_HOOK_SET:
		return hook_set(hook, user);
	case FUNCTION_HOOK_WAIT:
		return hook_wait(hook, user);
	case FUNCTION_HOOK_RELEASE:
		hook_release(hook);
		return 0;
	default:
		return -ENOTTY;
	}
}

static int hook_open(struct inode *inode, struct file *file)
{
	for (unsigned int i = 0; i < FUNCTION_HOOKS; i++) {
		guard(mutex)(&hooks[i].lock);
		if (hooks[i].taken)
			continue;
		hooks[i].taken = true;
		file->private_data = &hooks[i];
		return 0;
	}
	return -EBUSY;
}

static int hook_close(struct inode *inode, struct file *file)
{
	struct hook *hook = file->private_data;

	guard(mutex)(&hook->lock);
	hook_forget(hook);
	hook->taken = false;
	return 0;
}

static const struct file_operations hook_fops = {
	.owner = THIS_MODULE,
	.open = hook_open,
	.release = hook_close,
	.unlocked_ioctl = hook_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice hook_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "function-hook",
	.fops = &hook_fops,
};

static int __init hook_init(void)
{
	/* hooked_call() goes to where no indirect call may go to. */
	if (cpu_feature_enabled(X86_FEATURE_IBT)) {
		pr_err("function-hook: the kernel enforces indirect branch tracking; boot with ibt=off\n");
		return -EOPNOTSUPP;
	}
	for (unsigned int i = 0; i < FUNCTION_HOOKS; i++) {
		mutex_init(&hooks[i].lock);
		hooks[i].ops.func = hook_ftrace;
		hooks[i].ops.flags = FTRACE_OPS_FL_IPMODIFY;
	}
	return misc_register(&hook_device);
}
/* No way out: a thread could be on its way back through hooked_call(). */
module_init(hook_init);

MODULE_DESCRIPTION("Holds or answers calls of kernel functions, for tests");
MODULE_LICENSE("GPL");
