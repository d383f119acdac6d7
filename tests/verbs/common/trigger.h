/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The calls by which an exporter's owner takes its dma-bufs back, and what undoes them. */
#ifndef TESTS_VERBS_COMMON_TRIGGER_H
#define TESTS_VERBS_COMMON_TRIGGER_H

#include "fixture.h"

enum trigger {
	TRIGGER_COMMAND,	/* PCI_COMMAND's memory bit */
	TRIGGER_RESET,		/* VFIO_DEVICE_RESET */
	TRIGGER_CLOSE,		/* close() of the device */
	TRIGGER_REVOKE,		/* VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE of fixture->dmabuf */
	TRIGGER_HOT_RESET,	/* VFIO_DEVICE_PCI_HOT_RESET */
	TRIGGER_SYSFS_RESET,	/* 1 to the function's file reset in sysfs */
	TRIGGER_LOW_POWER,	/* VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY */
	TRIGGER_D3,		/* D3hot by the power management capability */
	TRIGGER_FLR,		/* the function level reset of the PCI Express capability */
	TRIGGER_AF_FLR,		/* that of the Advanced Features capability */
	TRIGGER_COUNT,
};

enum trigger_effect {
	TRIGGER_LASTS,		/* revoked until trigger_undo() */
	TRIGGER_PASSES,		/* revoked and un-revoked before it returns */
	TRIGGER_IS_FINAL,	/* the end of the dma-buf; trigger_undo() exports a new one */
};

/* As options name it: "command", "low-power"... */
const char *trigger_name(enum trigger trigger);
/* -EINVAL for a name of none. */
int trigger_parse(const char *name, enum trigger *trigger);
enum trigger_effect trigger_effect(enum trigger trigger);

/*
 * -EOPNOTSUPP, and test_error says what is missing, if this device or kernel has
 * no such thing. TRIGGER_CLOSE needs the window unmapped, by fixture_unmap_window().
 */
int trigger_pull(struct fixture *fixture, enum trigger trigger);

/* What was lent before can be used again; after a final one fixture->dmabuf is a new one. */
int trigger_undo(struct fixture *fixture, enum trigger trigger);

#endif
