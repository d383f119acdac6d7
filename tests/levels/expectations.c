/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "expectations.h"

#include <errno.h>
#include <stddef.h>

static const char *const level_names[LEVEL_COUNT] = { "faulting", "revoking", "unsupported" };
static const char *const kind_names[EXPORTER_COUNT] = { "vfio", "udmabuf", "system-heap" };

static const char *const event_names[EVENT_COUNT] = {
	[EVENT_REGISTER] = "register",
	[EVENT_WRITE] = "write",
	[EVENT_REVOKE_FOR_A_WHILE] = "revoke-for-a-while",
	[EVENT_WRITE_WHILE_REVOKED] = "write-while-revoked",
	[EVENT_REGISTER_WHILE_REVOKED] = "register-while-revoked",
	[EVENT_UNREVOKE] = "un-revoke",
	[EVENT_WRITE_AFTER_UNREVOKE] = "write-after-un-revoke",
	[EVENT_REGISTER_AFTER_UNREVOKE] = "register-after-un-revoke",
	[EVENT_WRITE_BY_NEW_KEY] = "write-by-new-key",
	[EVENT_REVOKE_FOR_GOOD] = "revoke-for-good",
	[EVENT_WRITE_AFTER_REVOKE] = "write-after-revoke",
	[EVENT_REGISTER_AFTER_REVOKE] = "register-after-revoke",
	[EVENT_LEND_ANEW] = "lend-anew-and-register",
	[EVENT_WRITE_LENT_ANEW] = "write-lent-anew",
	[EVENT_KILL] = "kill-another-importer",
	[EVENT_WRITE_AFTER_KILL] = "write-after-kill",
	[EVENT_CLOSE] = "close-the-exporter",
	[EVENT_WRITE_AFTER_CLOSE] = "write-after-close",
	[EVENT_DEREGISTER] = "deregister",
};

#define ARRIVES "arrives"
#define REFUSED "remote access error"

/* The NIC stops by UMRs, which are no commands; it asks again by faulting. */
static const struct expectation faulting_vfio[EVENT_COUNT] = {
	[EVENT_REGISTER] = { "done", ANY_WORK },
	[EVENT_WRITE] = { ARRIVES, ANY_WORK },
	[EVENT_REVOKE_FOR_A_WHILE] = { "done", 0 },
	[EVENT_WRITE_WHILE_REVOKED] = { REFUSED, ANY_WORK },
	[EVENT_REGISTER_WHILE_REVOKED] = { "ENODEV", ANY_WORK },
	[EVENT_UNREVOKE] = { "done", 0 },
	[EVENT_WRITE_AFTER_UNREVOKE] = { ARRIVES, ANY_WORK },
	[EVENT_REGISTER_AFTER_UNREVOKE] = { "done", ANY_WORK },
	[EVENT_WRITE_BY_NEW_KEY] = { ARRIVES, ANY_WORK },
	[EVENT_REVOKE_FOR_GOOD] = { "done", 0 },
	[EVENT_WRITE_AFTER_REVOKE] = { REFUSED, ANY_WORK },
	[EVENT_REGISTER_AFTER_REVOKE] = { "ENODEV", ANY_WORK },
	[EVENT_LEND_ANEW] = { "done", ANY_WORK },
	[EVENT_WRITE_LENT_ANEW] = { ARRIVES, ANY_WORK },
	[EVENT_KILL] = { "done", ANY_WORK },
	[EVENT_WRITE_AFTER_KILL] = { ARRIVES, ANY_WORK },
	[EVENT_CLOSE] = { "done", 0 },
	[EVENT_WRITE_AFTER_CLOSE] = { REFUSED, ANY_WORK },
	[EVENT_DEREGISTER] = { "done", ANY_WORK },
};

/* One command takes the key from the NIC, and none is needed for what has lost it. */
static const struct expectation revoking_vfio[EVENT_COUNT] = {
	[EVENT_REGISTER] = { "done", 1 },
	[EVENT_WRITE] = { ARRIVES, ANY_WORK },
	[EVENT_REVOKE_FOR_A_WHILE] = { "done", 1 },
	[EVENT_WRITE_WHILE_REVOKED] = { REFUSED, ANY_WORK },
	[EVENT_REGISTER_WHILE_REVOKED] = { "ENODEV", 0 },
	[EVENT_UNREVOKE] = { "done", 0 },
	[EVENT_WRITE_AFTER_UNREVOKE] = { REFUSED, ANY_WORK },
	[EVENT_REGISTER_AFTER_UNREVOKE] = { "done", 1 },
	[EVENT_WRITE_BY_NEW_KEY] = { ARRIVES, ANY_WORK },
	[EVENT_REVOKE_FOR_GOOD] = { "done", 1 },
	[EVENT_WRITE_AFTER_REVOKE] = { REFUSED, ANY_WORK },
	[EVENT_REGISTER_AFTER_REVOKE] = { "ENODEV", 0 },
	[EVENT_LEND_ANEW] = { "done", 1 },
	[EVENT_WRITE_LENT_ANEW] = { ARRIVES, ANY_WORK },
	[EVENT_KILL] = { "done", ANY_WORK },
	[EVENT_WRITE_AFTER_KILL] = { ARRIVES, ANY_WORK },
	[EVENT_CLOSE] = { "done", 1 },
	[EVENT_WRITE_AFTER_CLOSE] = { REFUSED, ANY_WORK },
	[EVENT_DEREGISTER] = { "done", 0 },
};

/* Refused in every state of the memory, and before the NIC hears of it. */
static const struct expectation unsupported_vfio[EVENT_COUNT] = {
	[EVENT_REGISTER] = { "EOPNOTSUPP", 0 },
	[EVENT_WRITE] = { "EOPNOTSUPP", 0 },
	[EVENT_REVOKE_FOR_A_WHILE] = { "done", 0 },
	[EVENT_WRITE_WHILE_REVOKED] = { "EOPNOTSUPP", 0 },
	[EVENT_REGISTER_WHILE_REVOKED] = { "EOPNOTSUPP", 0 },
	[EVENT_UNREVOKE] = { "done", 0 },
	[EVENT_WRITE_AFTER_UNREVOKE] = { "EOPNOTSUPP", 0 },
	[EVENT_REGISTER_AFTER_UNREVOKE] = { "EOPNOTSUPP", 0 },
	[EVENT_WRITE_BY_NEW_KEY] = { "EOPNOTSUPP", 0 },
	[EVENT_REVOKE_FOR_GOOD] = { "done", 0 },
	[EVENT_WRITE_AFTER_REVOKE] = { "EOPNOTSUPP", 0 },
	[EVENT_REGISTER_AFTER_REVOKE] = { "EOPNOTSUPP", 0 },
	[EVENT_LEND_ANEW] = { "EOPNOTSUPP", 0 },
	[EVENT_WRITE_LENT_ANEW] = { "EOPNOTSUPP", 0 },
	[EVENT_KILL] = { "EOPNOTSUPP", ANY_WORK },
	[EVENT_WRITE_AFTER_KILL] = { "EOPNOTSUPP", 0 },
	[EVENT_CLOSE] = { "done", 0 },
	[EVENT_WRITE_AFTER_CLOSE] = { "nothing is registered", 0 },
	[EVENT_DEREGISTER] = { "nothing is registered", 0 },
};

/*
 * Memory that nobody takes back: what happens to the VFIO device does not concern it, and the
 * request to revoke is for dma-bufs of that device alone. Commands: of a NIC that registers and
 * deregisters by one each.
 */
static const struct expectation plain[EVENT_COUNT] = {
	[EVENT_REGISTER] = { "done", 1 },
	[EVENT_WRITE] = { ARRIVES, ANY_WORK },
	[EVENT_REVOKE_FOR_A_WHILE] = { "done", 0 },
	[EVENT_WRITE_WHILE_REVOKED] = { ARRIVES, ANY_WORK },
	[EVENT_REGISTER_WHILE_REVOKED] = { "done", 2 },
	[EVENT_UNREVOKE] = { "done", 0 },
	[EVENT_WRITE_AFTER_UNREVOKE] = { ARRIVES, ANY_WORK },
	[EVENT_REGISTER_AFTER_UNREVOKE] = { "done", 2 },
	[EVENT_WRITE_BY_NEW_KEY] = { ARRIVES, ANY_WORK },
	[EVENT_REVOKE_FOR_GOOD] = { "ENODEV", 0 },
	[EVENT_WRITE_AFTER_REVOKE] = { ARRIVES, ANY_WORK },
	[EVENT_REGISTER_AFTER_REVOKE] = { "done", 2 },
	[EVENT_LEND_ANEW] = { "done", 2 },
	[EVENT_WRITE_LENT_ANEW] = { ARRIVES, ANY_WORK },
	[EVENT_KILL] = { "done", ANY_WORK },
	[EVENT_WRITE_AFTER_KILL] = { ARRIVES, ANY_WORK },
	[EVENT_CLOSE] = { "done", 0 },
	[EVENT_WRITE_AFTER_CLOSE] = { ARRIVES, ANY_WORK },
	[EVENT_DEREGISTER] = { "done", 1 },
};

const char *level_name(enum level level)
{
	return level_names[level];
}

const char *exporter_kind_name(enum exporter_kind kind)
{
	return kind_names[kind];
}

const char *event_name(enum event event)
{
	return event_names[event];
}

struct expectation expectation_of(enum level level, enum exporter_kind kind, enum event event)
{
	static const struct expectation *const vfio[LEVEL_COUNT] = {
		[LEVEL_FAULTING] = faulting_vfio,
		[LEVEL_REVOKING] = revoking_vfio,
		[LEVEL_UNSUPPORTED] = unsupported_vfio,
	};
	struct expectation expectation;

	if (kind == EXPORTER_VFIO)
		return vfio[level][event];
	expectation = plain[event];
	/* mlx5 keeps keys for the next registration. */
	if (level == LEVEL_FAULTING && expectation.commands > 0)
		expectation.commands = ANY_WORK;
	return expectation;
}

int level_of_vendor(unsigned int vendor_id, enum level *level, const char **nic,
		    struct error *err)
{
	static const struct {
		unsigned int id;
		enum level level;
		const char *nic;
	} vendors[] = {
		{ 0x02c9, LEVEL_FAULTING, "mlx5" },
		{ 0x15b3, LEVEL_FAULTING, "mlx5" },
		{ 0x8086, LEVEL_REVOKING, "irdma" },
		{ 0x1d0f, LEVEL_UNSUPPORTED, "efa" },
	};

	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
		if (vendors[i].id == vendor_id) {
			*level = vendors[i].level;
			*nic = vendors[i].nic;
			return 0;
		}
	}
	return error_missing(err, ENOENT, "nobody has said what the RDMA devices of vendor %#x "
			     "must do: add its level to expectations.c", vendor_id);
}
