// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "config_space.h"

#include <endian.h>
#include <linux/pci_regs.h>
#include <string.h>

/* Where the capabilities lie; any place after the header would do. */
#define CAPABILITY_PM 0x40
#define CAPABILITY_MSIX 0x60
#define CAPABILITY_PCIE 0x80

static void set16(uint8_t *registers, unsigned int offset, uint16_t value)
{
	value = htole16(value);
	memcpy(registers + offset, &value, sizeof(value));
}

static void set32(uint8_t *registers, unsigned int offset, uint32_t value)
{
	value = htole32(value);
	memcpy(registers + offset, &value, sizeof(value));
}

static void init_header(struct config_space *config, const struct pci_device_config *device)
{
	uint8_t *value = config->value;

	set16(value, PCI_VENDOR_ID, device->vendor_id);
	set16(value, PCI_DEVICE_ID, device->device_id);
	set16(value, PCI_STATUS, PCI_STATUS_CAP_LIST);
	set32(value, PCI_CLASS_REVISION, device->class_code << 8 | device->revision);
	set16(value, PCI_SUBSYSTEM_VENDOR_ID, device->subsystem_vendor_id);
	set16(value, PCI_SUBSYSTEM_ID, device->subsystem_id);
	value[PCI_CAPABILITY_LIST] = CAPABILITY_PM;
	set16(config->writable, PCI_COMMAND,
	      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
	      PCI_COMMAND_INTX_DISABLE);
	config->writable[PCI_CACHE_LINE_SIZE] = 0xff;
	config->writable[PCI_INTERRUPT_LINE] = 0xff;
	for (unsigned int i = 0; i < PCI_DEVICE_BARS; i++) {
		const struct pci_bar *bar = &device->bar[i];
		unsigned int at = PCI_BASE_ADDRESS_0 + 4 * i;

		if (!bar->size)
			continue;
		set32(value, at,
		      (bar->is_64bit ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
		      (bar->prefetchable ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0));
		set32(config->writable, at, ~(uint32_t)(bar->size - 1) & PCI_BASE_ADDRESS_MEM_MASK);
		if (bar->is_64bit)
			set32(config->writable, at + 4, ~(uint32_t)((bar->size - 1) >> 32));
	}
}

static void init_msix(struct config_space *config, const struct pci_device_config *device)
{
	uint8_t *value = config->value;

	value[CAPABILITY_PCIE + PCI_CAP_LIST_NEXT] = CAPABILITY_MSIX;
	value[CAPABILITY_MSIX + PCI_CAP_LIST_ID] = PCI_CAP_ID_MSIX;
	set16(value, CAPABILITY_MSIX + PCI_MSIX_FLAGS, device->msix_vectors - 1);
	set16(config->writable, CAPABILITY_MSIX + PCI_MSIX_FLAGS,
	      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	set32(value, CAPABILITY_MSIX + PCI_MSIX_TABLE,
	      device->msix_table_offset | device->msix_bar);
	set32(value, CAPABILITY_MSIX + PCI_MSIX_PBA, device->msix_pba_offset | device->msix_bar);
}

static void init_capabilities(struct config_space *config, const struct pci_device_config *device)
{
	uint8_t *value = config->value, *writable = config->writable;

	value[CAPABILITY_PM + PCI_CAP_LIST_ID] = PCI_CAP_ID_PM;
	value[CAPABILITY_PM + PCI_CAP_LIST_NEXT] = CAPABILITY_PCIE;
	set16(value, CAPABILITY_PM + PCI_PM_PMC, 3);
	set16(value, CAPABILITY_PM + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
	set16(writable, CAPABILITY_PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);

	value[CAPABILITY_PCIE + PCI_CAP_LIST_ID] = PCI_CAP_ID_EXP;
	set16(value, CAPABILITY_PCIE + PCI_EXP_FLAGS, 2);
	set32(value, CAPABILITY_PCIE + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_RBER);
	set16(value, CAPABILITY_PCIE + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_RELAX_EN);
	set16(writable, CAPABILITY_PCIE + PCI_EXP_DEVCTL,
	      (uint16_t)~PCI_EXP_DEVCTL_BCR_FLR);
	/* Gen3 x4, said of the link and of its state. */
	set32(value, CAPABILITY_PCIE + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_8_0GB | 4 << 4);
	set16(value, CAPABILITY_PCIE + PCI_EXP_LNKSTA,
	      PCI_EXP_LNKSTA_CLS_8_0GB | PCI_EXP_LNKSTA_NLW_X4);
	set16(writable, CAPABILITY_PCIE + PCI_EXP_DEVCTL2, 0xffff);
	if (device->msix_vectors)
		init_msix(config, device);
}

void config_space_init(struct config_space *config, const struct pci_device_config *device)
{
	memset(config, 0, sizeof(*config));
	init_header(config, device);
	init_capabilities(config, device);
}

void config_space_reset(struct config_space *config, const struct pci_device_config *device)
{
	uint8_t bars[4 * PCI_DEVICE_BARS];

	memcpy(bars, config->value + PCI_BASE_ADDRESS_0, sizeof(bars));
	config_space_init(config, device);
	memcpy(config->value + PCI_BASE_ADDRESS_0, bars, sizeof(bars));
}

void config_space_read(const struct config_space *config, uint64_t offset, void *data,
		       uint64_t size)
{
	memcpy(data, config->value + offset, size);
}

enum config_effect config_space_write(struct config_space *config, uint64_t offset,
				      const void *data, uint64_t size)
{
	const uint8_t *from = data;
	const uint64_t flr = CAPABILITY_PCIE + PCI_EXP_DEVCTL + 1;
	enum config_effect effect = CONFIG_EFFECT_NONE;

	for (uint64_t i = 0; i < size; i++) {
		uint8_t mask = config->writable[offset + i];
		uint8_t *value = &config->value[offset + i];

		*value = (*value & ~mask) | (from[i] & mask);
		if (offset + i == flr && from[i] & PCI_EXP_DEVCTL_BCR_FLR >> 8)
			effect = CONFIG_EFFECT_FLR;
	}
	return effect;
}

bool config_space_bus_master(const struct config_space *config)
{
	return config->value[PCI_COMMAND] & PCI_COMMAND_MASTER;
}
