/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "trigger.h"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* <linux/pci_regs.h> has a mask for the state and no name of any. */
#define PCI_PM_D3HOT 3

static const struct {
	const char *name;
	enum trigger_effect effect;
} triggers[TRIGGER_COUNT] = {
	[TRIGGER_COMMAND] = { "command", TRIGGER_LASTS },
	[TRIGGER_RESET] = { "reset", TRIGGER_PASSES },
	[TRIGGER_CLOSE] = { "close", TRIGGER_IS_FINAL },
	[TRIGGER_REVOKE] = { "revoke", TRIGGER_IS_FINAL },
	[TRIGGER_HOT_RESET] = { "hot-reset", TRIGGER_PASSES },
	[TRIGGER_SYSFS_RESET] = { "sysfs-reset", TRIGGER_PASSES },
	[TRIGGER_LOW_POWER] = { "low-power", TRIGGER_LASTS },
	[TRIGGER_D3] = { "d3", TRIGGER_LASTS },
	[TRIGGER_FLR] = { "flr", TRIGGER_PASSES },
	[TRIGGER_AF_FLR] = { "af-flr", TRIGGER_PASSES },
};

const char *trigger_name(enum trigger trigger)
{
	return triggers[trigger].name;
}

int trigger_parse(const char *name, enum trigger *trigger)
{
	for (unsigned int i = 0; i < TRIGGER_COUNT; i++) {
		if (!strcmp(triggers[i].name, name)) {
			*trigger = (enum trigger)i;
			return 0;
		}
	}
	return -EINVAL;
}

enum trigger_effect trigger_effect(enum trigger trigger)
{
	return triggers[trigger].effect;
}

/* ---- config space ---- */

/* Where the capability is, 0 without it, or -errno. */
static int find_capability(struct fixture *fixture, uint8_t id)
{
	uint8_t next, entry[2];
	int ret;

	ret = vfio_exporter_read_config(fixture->exporter, PCI_CAPABILITY_LIST, &next, 1, &test_error);
	/* As many as fit: a list that is a ring ends too. */
	for (int i = 0; !ret && next >= PCI_STD_HEADER_SIZEOF && i < 48; i++) {
		ret = vfio_exporter_read_config(fixture->exporter, next, entry, sizeof(entry),
						&test_error);
		if (!ret && entry[0] == id)
			return next;
		next = entry[1] & 0xfc;
	}
	return ret;
}

static int lacks(const struct fixture *fixture, const char *what)
{
	return error_missing(&test_error, EOPNOTSUPP, "%s has no %s",
			     vfio_exporter_bdf(fixture->exporter), what);
}

static int need_capability(struct fixture *fixture, uint8_t id, const char *what)
{
	int place = find_capability(fixture, id);

	return place ? place : lacks(fixture, what);
}

/* Changes the bits of mask of a 16 bit register to those of value. */
static int modify(struct fixture *fixture, int place, uint16_t mask, uint16_t value)
{
	uint8_t bytes[2];
	int ret = vfio_exporter_read_config(fixture->exporter, (unsigned int)place, bytes, 2,
					    &test_error);

	if (ret)
		return ret;
	bytes[0] = (uint8_t)((bytes[0] & ~mask) | (value & 0xff));
	bytes[1] = (uint8_t)((bytes[1] & ~(mask >> 8)) | value >> 8);
	return vfio_exporter_write_config(fixture->exporter, (unsigned int)place, bytes, 2,
					  &test_error);
}

static int set_power_state(struct fixture *fixture, uint16_t state)
{
	int place = need_capability(fixture, PCI_CAP_ID_PM, "power management capability");

	if (place < 0)
		return place;
	return modify(fixture, place + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK, state);
}

static int flr(struct fixture *fixture)
{
	int place = need_capability(fixture, PCI_CAP_ID_EXP, "PCI Express capability");
	uint8_t devcap[4];
	int ret;

	if (place < 0)
		return place;
	ret = vfio_exporter_read_config(fixture->exporter, (unsigned int)place + PCI_EXP_DEVCAP, devcap,
					sizeof(devcap), &test_error);
	if (ret)
		return ret;
	if (!(devcap[3] & (PCI_EXP_DEVCAP_FLR >> 24)))
		return lacks(fixture, "function level reset");
	return modify(fixture, place + PCI_EXP_DEVCTL, 0, PCI_EXP_DEVCTL_BCR_FLR);
}

static int af_flr(struct fixture *fixture)
{
	int place = need_capability(fixture, PCI_CAP_ID_AF, "Advanced Features capability");
	uint8_t control = PCI_AF_CTRL_FLR;

	if (place < 0)
		return place;
	return vfio_exporter_write_config(fixture->exporter, (unsigned int)place + PCI_AF_CTRL, &control,
					  1, &test_error);
}

/* ---- the others ---- */

static int hot_reset(struct fixture *fixture)
{
	/* With the cdev the iommufd says whose the other functions are, so no group is named. */
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };

	if (test_options.interface != VFIO_INTERFACE_CDEV)
		return error_missing(&test_error, EOPNOTSUPP,
				     "a hot reset is asked for through the cdev interface only");
	if (ioctl(vfio_exporter_device_fd(fixture->exporter), VFIO_DEVICE_PCI_HOT_RESET, &reset))
		return errno == ENODEV ? lacks(fixture, "hot reset") :
			error_set(&test_error, errno, "VFIO_DEVICE_PCI_HOT_RESET of %s failed",
				  vfio_exporter_bdf(fixture->exporter));
	return 0;
}

static int sysfs_reset(struct fixture *fixture)
{
	char path[128];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset",
		 vfio_exporter_bdf(fixture->exporter));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? lacks(fixture, "reset in sysfs") :
			error_set(&test_error, errno, "cannot open %s", path);
	if (write(fd, "1", 1) != 1)
		ret = error_set(&test_error, errno, "writing 1 to %s failed", path);
	close(fd);
	return ret;
}

static int low_power(struct fixture *fixture, uint32_t feature)
{
	int ret = vfio_exporter_feature(fixture->exporter, VFIO_DEVICE_FEATURE_SET, feature, NULL, 0,
					&test_error);

	if (ret == -ENOTTY)
		return lacks(fixture, "low power feature");
	return ret;
}

static int close_device(struct fixture *fixture)
{
	int ret = vfio_exporter_close_device(fixture->exporter);

	return ret ? error_set(&test_error, -ret, "closing the exporter failed") : 0;
}

static int reset(struct fixture *fixture)
{
	if (!vfio_exporter_can_reset(fixture->exporter))
		return lacks(fixture, "reset");
	return vfio_exporter_reset(fixture->exporter, &test_error);
}

static int request_revoke(struct fixture *fixture)
{
	if (!vfio_exporter_can_revoke(fixture->exporter))
		return error_missing(&test_error, EOPNOTSUPP,
				     "this kernel has no VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE");
	return vfio_exporter_revoke(fixture->exporter, fixture->dmabuf, &test_error);
}

int trigger_pull(struct fixture *fixture, enum trigger trigger)
{
	switch (trigger) {
	case TRIGGER_COMMAND:
		return vfio_exporter_set_memory(fixture->exporter, false, &test_error);
	case TRIGGER_RESET:
		return reset(fixture);
	case TRIGGER_CLOSE:
		return close_device(fixture);
	case TRIGGER_REVOKE:
		return request_revoke(fixture);
	case TRIGGER_HOT_RESET:
		return hot_reset(fixture);
	case TRIGGER_SYSFS_RESET:
		return sysfs_reset(fixture);
	case TRIGGER_LOW_POWER:
		return low_power(fixture, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY);
	case TRIGGER_D3:
		return set_power_state(fixture, PCI_PM_D3HOT);
	case TRIGGER_FLR:
		return flr(fixture);
	case TRIGGER_AF_FLR:
		return af_flr(fixture);
	default:
		return error_set(&test_error, EINVAL, "trigger %d is none", trigger);
	}
}

int trigger_undo(struct fixture *fixture, enum trigger trigger)
{
	int ret = 0;

	switch (trigger) {
	case TRIGGER_LOW_POWER:
		return low_power(fixture, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT);
	case TRIGGER_D3:
		return set_power_state(fixture, 0);
	case TRIGGER_CLOSE:
		ret = vfio_exporter_reopen(fixture->exporter, &test_error);
		/* fall through */
	case TRIGGER_REVOKE:
		if (ret)
			return ret;
		close(fixture->dmabuf);
		fixture->dmabuf = fixture_export(fixture, 0, fixture->size);
		return fixture->dmabuf < 0 ? fixture->dmabuf : 0;
	default:
		/* A reset may leave memory decoding off. */
		return vfio_exporter_set_memory(fixture->exporter, true, &test_error);
	}
}
