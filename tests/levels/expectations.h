/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The contract as a table: what each event on lent memory must do to an importer, by its level. */
#ifndef TESTS_LEVELS_EXPECTATIONS_H
#define TESTS_LEVELS_EXPECTATIONS_H

#include <stdbool.h>

#include "error.h"

enum level { LEVEL_FAULTING, LEVEL_REVOKING, LEVEL_UNSUPPORTED, LEVEL_COUNT };

enum exporter_kind {
	EXPORTER_VFIO,
	EXPORTER_UDMABUF,
	EXPORTER_HEAP,
	EXPORTER_MOVING,
	EXPORTER_COUNT,
};

/* In the order in which they happen; each finds what those before it left. */
enum event {
	EVENT_REGISTER,
	EVENT_WRITE,
	EVENT_MOVE,
	EVENT_WRITE_AFTER_MOVE,
	EVENT_WRITE_WHILE_MOVING,
	EVENT_REGISTER_WHILE_MOVING,
	EVENT_REVOKE_FOR_A_WHILE,
	EVENT_WRITE_WHILE_REVOKED,
	EVENT_REGISTER_WHILE_REVOKED,
	EVENT_UNREVOKE,
	EVENT_WRITE_AFTER_UNREVOKE,
	EVENT_REGISTER_AFTER_UNREVOKE,
	EVENT_WRITE_BY_NEW_KEY,
	EVENT_REVOKE_FOR_GOOD,
	EVENT_WRITE_AFTER_REVOKE,
	EVENT_REGISTER_AFTER_REVOKE,
	EVENT_LEND_ANEW,
	EVENT_WRITE_LENT_ANEW,
	EVENT_KILL,
	EVENT_WRITE_AFTER_KILL,
	EVENT_UNBIND,
	EVENT_NEWS_OF_UNBIND,
	EVENT_REGISTER_AFTER_UNBIND,
	EVENT_WRITE_AFTER_UNBIND,
	EVENT_REVOKE_AFTER_UNBIND,
	EVENT_MOVE_AFTER_UNBIND,
	EVENT_REOPEN_EXPORTER,
	EVENT_CLOSE_CONTEXT,
	EVENT_BIND,
	EVENT_REGISTER_AFTER_BIND,
	EVENT_WRITE_AFTER_BIND,
	EVENT_CLOSE,
	EVENT_WRITE_AFTER_CLOSE,
	EVENT_DEREGISTER,
	EVENT_COUNT,
};

#define ANY_WORK (-1)

struct expectation {
	const char *outcome;
	int commands;	/* that the device gets for it; ANY_WORK: not promised */
};

const char *level_name(enum level level);
const char *exporter_kind_name(enum exporter_kind kind);
const char *event_name(enum event event);
/* One of those that need the driver to be unbound. */
bool event_is_of_unbind(enum event event);

struct expectation expectation_of(enum level level, enum exporter_kind kind, enum event event);

/*
 * The level that the driver of a vendor's RDMA devices must have, and how its name begins: -ENOENT
 * for others.
 */
int level_of_vendor(unsigned int vendor_id, enum level *level, const char **nic,
		    struct error *err);

#endif
