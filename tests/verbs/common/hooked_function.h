/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One call of a kernel function is held, or answered in its place, by the module in
 * tests/kernel/function-hook.
 *
 * The functions end the running test when they fail; as skipped where the module is not loaded.
 */
#ifndef TESTS_VERBS_COMMON_HOOKED_FUNCTION_H
#define TESTS_VERBS_COMMON_HOOKED_FUNCTION_H

#include <stdbool.h>

#include "function_hook.h"

/* All zero: not open. Three can be open at a time. */
struct hooked_function {
	bool is_open;
	int device;
	char name[FUNCTION_HOOK_NAME_MAX];
};

/* Whose calls are meant. */
enum hooked_caller { HOOKED_THIS_PROCESS, HOOKED_ANYBODY };

/* Holds the next call of it in that place: FUNCTION_HOOK_HOLD_BEFORE or _AFTER. */
void hooked_function_hold(struct hooked_function *hook, const char *function, enum hooked_caller caller,
			  enum function_hook_action place);
/* The same with the nth call from now on, from 1. */
void hooked_function_hold_nth(struct hooked_function *hook, const char *function, enum hooked_caller caller,
			      enum function_hook_action place, unsigned int nth);
/* Lets the next call of it run, also where nobody may sleep; it is there when it has. */
void hooked_function_watch(struct hooked_function *hook, const char *function, enum hooked_caller caller);
/* count calls from the nth on (from 1) do not run, and return that. */
void hooked_function_answer(struct hooked_function *hook, const char *function, enum hooked_caller caller,
			    unsigned int nth, unsigned int count, __s64 answer);
/* Until the call is there. */
void hooked_function_wait(const struct hooked_function *hook);
/* Has it been made, or is it within so many milliseconds? */
bool hooked_function_met(const struct hooked_function *hook, unsigned int ms);
void hooked_function_release(const struct hooked_function *hook);
/* Whoever is held goes on, and nothing is hooked any more. Does nothing where nothing is open. */
void hooked_function_close(struct hooked_function *hook);

#endif
