/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "expectations.h"

#include <errno.h>
#include <stddef.h>

static const char *const level_names[LEVEL_COUNT] = { "faulting", "revoking", "unsupported" };
static const char *const kind_names[EXPORTER_COUNT] = {
	"vfio", "udmabuf", "system-heap", "moving",
};

static const char *const event_names[EVENT_COUNT] = {
	[EVENT_REGISTER] = "register",
	[EVENT_WRITE] = "write",
	[EVENT_MOVE] = "move",
	[EVENT_WRITE_AFTER_MOVE] = "write-after-move",
	[EVENT_WRITE_WHILE_MOVING] = "write-while-it-moves",
	[EVENT_REGISTER_WHILE_MOVING] = "register-while-it-moves",
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
	[EVENT_UNBIND] = "unbind-the-nic",
	[EVENT_NEWS_OF_UNBIND] = "event-of-the-unbind",
	[EVENT_REGISTER_AFTER_UNBIND] = "register-after-unbind",
	[EVENT_WRITE_AFTER_UNBIND] = "write-after-unbind",
	[EVENT_REVOKE_AFTER_UNBIND] = "revoke-reset-and-give-back-after-unbind",
	[EVENT_MOVE_AFTER_UNBIND] = "move-after-unbind",
	[EVENT_REOPEN_EXPORTER] = "close-and-open-the-exporter",
	[EVENT_CLOSE_CONTEXT] = "close-the-context",
	[EVENT_BIND] = "bind-the-nic",
	[EVENT_REGISTER_AFTER_BIND] = "register-after-bind",
	[EVENT_WRITE_AFTER_BIND] = "write-after-bind",
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
	[EVENT_MOVE] = { "EINVAL", 0 },
	[EVENT_WRITE_AFTER_MOVE] = { ARRIVES, ANY_WORK },
	[EVENT_WRITE_WHILE_MOVING] = { ARRIVES ", EINVAL", ANY_WORK },
	[EVENT_REGISTER_WHILE_MOVING] = { "done, EINVAL", ANY_WORK },
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
	[EVENT_MOVE] = { "EINVAL", 0 },
	[EVENT_WRITE_AFTER_MOVE] = { ARRIVES, ANY_WORK },
	[EVENT_WRITE_WHILE_MOVING] = { ARRIVES ", EINVAL", ANY_WORK },
	[EVENT_REGISTER_WHILE_MOVING] = { "done, EINVAL", ANY_WORK },
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
	[EVENT_MOVE] = { "EINVAL", 0 },
	[EVENT_WRITE_AFTER_MOVE] = { "EOPNOTSUPP", 0 },
	[EVENT_WRITE_WHILE_MOVING] = { "EOPNOTSUPP", 0 },
	[EVENT_REGISTER_WHILE_MOVING] = { "EOPNOTSUPP, EINVAL", 0 },
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
	[EVENT_MOVE] = { "EINVAL", 0 },
	[EVENT_WRITE_AFTER_MOVE] = { ARRIVES, ANY_WORK },
	[EVENT_WRITE_WHILE_MOVING] = { ARRIVES ", EINVAL", ANY_WORK },
	[EVENT_REGISTER_WHILE_MOVING] = { "done, EINVAL", ANY_WORK },
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

static const struct expectation *const vfio[LEVEL_COUNT] = {
	[LEVEL_FAULTING] = faulting_vfio,
	[LEVEL_REVOKING] = revoking_vfio,
	[LEVEL_UNSUPPORTED] = unsupported_vfio,
};

/*
 * Memory that moves under those who can follow, and not at all under the others; and that is taken back
 * from those who can let go, and not while somebody is there who cannot.
 */
static struct expectation of_moving(enum level level, enum event event)
{
	const bool follows = level == LEVEL_FAULTING, lets_go = level != LEVEL_UNSUPPORTED;

	switch (event) {
	case EVENT_MOVE:
		return (struct expectation){ follows ? "done" : "EBUSY", 0 };
	case EVENT_WRITE_WHILE_MOVING:
		return (struct expectation){ follows ? ARRIVES ", done" : ARRIVES ", EBUSY", ANY_WORK };
	case EVENT_REGISTER_WHILE_MOVING:
		return (struct expectation){ "done, done", ANY_WORK };
	case EVENT_REVOKE_FOR_A_WHILE:
	case EVENT_REVOKE_FOR_GOOD:
		return lets_go ? vfio[level][event] : (struct expectation){ "EBUSY", 0 };
	case EVENT_WRITE_WHILE_REVOKED:
	case EVENT_REGISTER_WHILE_REVOKED:
	case EVENT_WRITE_AFTER_UNREVOKE:
	case EVENT_REGISTER_AFTER_UNREVOKE:
	case EVENT_WRITE_AFTER_REVOKE:
	case EVENT_REGISTER_AFTER_REVOKE:
	case EVENT_LEND_ANEW:
		return lets_go ? vfio[level][event] : plain[event];
	default:
		return plain[event];
	}
}

/*
 * The device goes away under its users, who hear of it and lose everything on it, while all memory
 * is free of it at once: also while they have not closed it yet.
 */
static const struct expectation disassociating[EVENT_COUNT] = {
	[EVENT_UNBIND] = { "done", ANY_WORK },
	[EVENT_NEWS_OF_UNBIND] = { "device fatal", 0 },
	[EVENT_REGISTER_AFTER_UNBIND] = { "EIO", 0 },
	[EVENT_WRITE_AFTER_UNBIND] = { "no completion", 0 },
	[EVENT_REVOKE_AFTER_UNBIND] = { "done", 0 },
	[EVENT_MOVE_AFTER_UNBIND] = { "done", 0 },
	[EVENT_REOPEN_EXPORTER] = { "done", 0 },
	[EVENT_CLOSE_CONTEXT] = { "done", 0 },
	[EVENT_BIND] = { "done", ANY_WORK },
	[EVENT_REGISTER_AFTER_BIND] = { "done", ANY_WORK },
	[EVENT_WRITE_AFTER_BIND] = { ARRIVES, ANY_WORK },
};

/* The driver cannot leave its users, and waits until the last of them has closed the device. */
static const struct expectation waiting[EVENT_COUNT] = {
	[EVENT_UNBIND] = { "waits for its users", ANY_WORK },
	[EVENT_NEWS_OF_UNBIND] = { "none", 0 },
	[EVENT_REGISTER_AFTER_UNBIND] = { "done", 2 },
	[EVENT_WRITE_AFTER_UNBIND] = { ARRIVES, ANY_WORK },
	[EVENT_REVOKE_AFTER_UNBIND] = { "done", 0 },
	[EVENT_MOVE_AFTER_UNBIND] = { "EBUSY", 0 },
	[EVENT_REOPEN_EXPORTER] = { "done", 0 },
	[EVENT_CLOSE_CONTEXT] = { "done, and the unbind ends", ANY_WORK },
	[EVENT_BIND] = { "done", ANY_WORK },
	[EVENT_REGISTER_AFTER_BIND] = { "done", 1 },
	[EVENT_WRITE_AFTER_BIND] = { ARRIVES, ANY_WORK },
};

static struct expectation of_unbind(enum level level, enum exporter_kind kind, enum event event)
{
	const bool refused = level == LEVEL_UNSUPPORTED && kind == EXPORTER_VFIO;

	if (event == EVENT_MOVE_AFTER_UNBIND && kind != EXPORTER_MOVING)
		return (struct expectation){ "EINVAL", 0 };
	if (refused && (event == EVENT_REGISTER_AFTER_UNBIND || event == EVENT_WRITE_AFTER_UNBIND ||
			event == EVENT_REGISTER_AFTER_BIND || event == EVENT_WRITE_AFTER_BIND))
		return (struct expectation){ "EOPNOTSUPP", 0 };
	return level == LEVEL_UNSUPPORTED ? waiting[event] : disassociating[event];
}

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

bool event_is_of_unbind(enum event event)
{
	return event >= EVENT_UNBIND && event <= EVENT_BIND;
}

struct expectation expectation_of(enum level level, enum exporter_kind kind, enum event event)
{
	struct expectation expectation;

	if (event >= EVENT_UNBIND && event <= EVENT_WRITE_AFTER_BIND)
		return of_unbind(level, kind, event);
	if (kind == EXPORTER_VFIO)
		return vfio[level][event];
	expectation = kind == EXPORTER_MOVING ? of_moving(level, event) : plain[event];
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
