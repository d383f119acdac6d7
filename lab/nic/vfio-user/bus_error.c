// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "bus_error.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

static __thread sigjmp_buf escape;
static __thread volatile sig_atomic_t guarded;
static struct sigaction previous;

static void on_bus_error(int signal)
{
	if (guarded)
		siglongjmp(escape, 1);
	/* Not ours: it comes again to whom it belonged. */
	sigaction(signal, &previous, NULL);
}

void bus_error_catch(void)
{
	/* SA_NODEFER: leaving by a jump, the handler must not leave the signal blocked. */
	struct sigaction action = { .sa_handler = on_bus_error, .sa_flags = SA_NODEFER };
	struct sigaction now;

	if (!sigaction(SIGBUS, NULL, &now) && now.sa_handler != on_bus_error)
		sigaction(SIGBUS, &action, &previous);
}

bool guarded_copy(void *to, const void *from, size_t len)
{
	if (sigsetjmp(escape, 0)) {
		guarded = 0;
		return false;
	}
	guarded = 1;
	memcpy(to, from, len);
	guarded = 0;
	return true;
}

static void store(void *target, const void *value, size_t size)
{
	uint16_t word;
	uint32_t dword;
	uint64_t qword;

	switch (size) {
	case 1:
		__atomic_store_n((uint8_t *)target, *(const uint8_t *)value, __ATOMIC_RELEASE);
		return;
	case 2:
		memcpy(&word, value, sizeof(word));
		__atomic_store_n((uint16_t *)target, word, __ATOMIC_RELEASE);
		return;
	case 4:
		memcpy(&dword, value, sizeof(dword));
		__atomic_store_n((uint32_t *)target, dword, __ATOMIC_RELEASE);
		return;
	case 8:
		memcpy(&qword, value, sizeof(qword));
		__atomic_store_n((uint64_t *)target, qword, __ATOMIC_RELEASE);
	}
}

bool guarded_store(void *target, const void *value, size_t size)
{
	if (sigsetjmp(escape, 0)) {
		guarded = 0;
		return false;
	}
	guarded = 1;
	store(target, value, size);
	guarded = 0;
	return true;
}

bool guarded_touch(const void *target)
{
	uint8_t byte;

	return guarded_copy(&byte, target, sizeof(byte));
}
