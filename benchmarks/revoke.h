/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The calls that take lent memory back, each timed, and what undoes them. */
#ifndef BENCHMARKS_REVOKE_H
#define BENCHMARKS_REVOKE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

enum trigger {
	TRIGGER_PCI_COMMAND,
	TRIGGER_RESET,
	TRIGGER_CLOSE,
	TRIGGER_REVOKE,
	TRIGGER_COUNT,
};

extern const char *const trigger_names[TRIGGER_COUNT];

/* "pci_command,reset": a flag for each, or -EINVAL. */
int parse_triggers(const char *text, bool enabled[TRIGGER_COUNT]);

/* Entry and return of the one system call that revokes, in clock_now_ns()'s time. */
struct revoke_time {
	int64_t entry;
	int64_t end;
};

int lent_revoke(struct lent *lent, enum trigger trigger, struct revoke_time *time,
		struct error *err);

/* Whether it is the end of a dma-buf. */
bool trigger_is_final(enum trigger trigger);

/* As before: the same MRs mapped, or after what is final new ones like them. */
int lent_unrevoke(struct lent *lent, enum trigger trigger, struct error *err);

#endif
