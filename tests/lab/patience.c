/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "patience.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "options.h"

/* A day for a second: what is more is no number that was measured. */
#define SLOWNESS_MAX 86400

/* Loops that wait ask often. */
static unsigned int slowness(void)
{
	static atomic_uint known;
	unsigned int value = atomic_load(&known);
	const char *said;

	if (value)
		return value;
	said = getenv("SLOWNESS");
	if (!said || parse_unsigned(said, 1, SLOWNESS_MAX, &value))
		value = 1;
	atomic_store(&known, value);
	return value;
}

int patience(int time)
{
	const int64_t longer = (int64_t)time * slowness();

	return longer > INT_MAX ? INT_MAX : (int)longer;
}

int64_t patience_ns(int64_t ns)
{
	return ns * slowness();
}
