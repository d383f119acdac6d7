/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "revoke.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "clock.h"

const char *const trigger_names[TRIGGER_COUNT] = {
	[TRIGGER_PCI_COMMAND] = "pci_command",
	[TRIGGER_RESET] = "reset",
	[TRIGGER_CLOSE] = "close",
	[TRIGGER_REVOKE] = "revoke",
};

int parse_triggers(const char *text, bool enabled[TRIGGER_COUNT])
{
	memset(enabled, 0, TRIGGER_COUNT * sizeof(enabled[0]));
	for (;;) {
		size_t length = strcspn(text, ",");
		unsigned int i;

		for (i = 0; i < TRIGGER_COUNT; i++) {
			if (strlen(trigger_names[i]) == length &&
			    !memcmp(text, trigger_names[i], length))
				break;
		}
		if (i == TRIGGER_COUNT)
			return -EINVAL;
		enabled[i] = true;
		if (!text[length])
			return 0;
		text += length + 1;
	}
}

/* The read of read, modify, write is not part of the revoke. */
static int revoke_by_command(struct bench *bench, struct revoke_time *time, struct error *err)
{
	uint8_t command[2];
	int ret;

	ret = vfio_exporter_read_config(bench->exporter, PCI_COMMAND, command, sizeof(command), err);
	if (ret)
		return ret;
	command[0] &= (uint8_t)~PCI_COMMAND_MEMORY;
	time->entry = clock_now_ns();
	ret = vfio_exporter_write_config(bench->exporter, PCI_COMMAND, command, sizeof(command), err);
	time->end = clock_now_ns();
	return ret;
}

int lent_revoke(struct lent *lent, enum trigger trigger, struct revoke_time *time,
		struct error *err)
{
	struct bench *bench = lent->bench;
	int ret;

	switch (trigger) {
	case TRIGGER_PCI_COMMAND:
		return revoke_by_command(bench, time, err);
	case TRIGGER_RESET:
		time->entry = clock_now_ns();
		ret = vfio_exporter_reset(bench->exporter, err);
		time->end = clock_now_ns();
		return ret;
	case TRIGGER_REVOKE:
		time->entry = clock_now_ns();
		ret = vfio_exporter_revoke(bench->exporter, lent->dmabuf_fd, err);
		time->end = clock_now_ns();
		return ret;
	default:
		time->entry = clock_now_ns();
		ret = vfio_exporter_close_device(bench->exporter);
		time->end = clock_now_ns();
		return ret ? error_set(err, -ret, "closing exporter %s failed",
				       vfio_exporter_bdf(bench->exporter)) : 0;
	}
}

bool trigger_is_final(enum trigger trigger)
{
	return trigger == TRIGGER_CLOSE || trigger == TRIGGER_REVOKE;
}

int lent_unrevoke(struct lent *lent, enum trigger trigger, struct error *err)
{
	struct bench *bench = lent->bench;
	uint64_t size = lent->size;
	unsigned int count = lent->count;
	int ret = 0;

	if (trigger_is_final(trigger)) {
		lent_free(lent);
		if (trigger == TRIGGER_CLOSE)
			ret = vfio_exporter_reopen(bench->exporter, err);
		return ret ?: lent_init(bench, size, count, lent, err);
	}
	ret = vfio_exporter_set_memory(bench->exporter, true, err);
	return ret ?: lent_make_present(lent, err);
}
