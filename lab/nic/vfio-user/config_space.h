/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The 4 KiB of configuration registers of the function: which bits the host may change. */
#ifndef LAB_NIC_VFIO_USER_CONFIG_SPACE_H
#define LAB_NIC_VFIO_USER_CONFIG_SPACE_H

#include "pci_device.h"

#define CONFIG_SPACE_SIZE 4096

struct config_space {
	uint8_t value[CONFIG_SPACE_SIZE];
	uint8_t writable[CONFIG_SPACE_SIZE]; /* bit set: the host's write is kept */
};

enum config_effect {
	CONFIG_EFFECT_NONE,
	CONFIG_EFFECT_FLR, /* the host asked for a function level reset */
};

void config_space_init(struct config_space *config, const struct pci_device_config *device);
/* The registers as after a reset; BAR addresses stay, for the host sets them anyway. */
void config_space_reset(struct config_space *config, const struct pci_device_config *device);
/* [offset, offset + size) must lie inside the space. */
void config_space_read(const struct config_space *config, uint64_t offset, void *data,
		       uint64_t size);
enum config_effect config_space_write(struct config_space *config, uint64_t offset,
				      const void *data, uint64_t size);
bool config_space_bus_master(const struct config_space *config);

#endif
