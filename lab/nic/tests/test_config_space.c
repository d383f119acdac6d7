// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Configuration registers as a host walks them. */
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../vfio-user/config_space.h"

static const struct pci_device_config device = {
	.vendor_id = 0x1234,
	.device_id = 0xabcd,
	.subsystem_vendor_id = 0x4321,
	.subsystem_id = 0xdcba,
	.class_code = 0x020700,
	.revision = 3,
	.bar = { [0] = { .size = 32u << 20, .is_64bit = true, .prefetchable = true },
		 [2] = { .size = 8192 } },
	.msix_vectors = 17,
	.msix_bar = 2,
	.msix_table_offset = 0,
	.msix_pba_offset = 4096,
};

static struct config_space config;

static uint32_t get(unsigned int offset, unsigned int size)
{
	uint32_t value = 0;

	config_space_read(&config, offset, &value, size);
	return value;
}

static enum config_effect put(unsigned int offset, uint32_t value, unsigned int size)
{
	return config_space_write(&config, offset, &value, size);
}

static unsigned int capability(uint8_t id)
{
	unsigned int at = get(PCI_CAPABILITY_LIST, 1), hops = 0;

	for (; at; at = get(at + PCI_CAP_LIST_NEXT, 1)) {
		assert_true(hops++ < 48);
		assert_true(at >= PCI_STD_HEADER_SIZEOF && at % 4 == 0);
		if (get(at, 1) == id)
			return at;
	}
	return 0;
}

static int setup(void **state)
{
	(void)state;
	config_space_init(&config, &device);
	return 0;
}

static void identity(void **state)
{
	(void)state;
	assert_int_equal(get(PCI_VENDOR_ID, 4), 0xabcd1234);
	assert_int_equal(get(PCI_CLASS_REVISION, 4), 0x02070003);
	assert_int_equal(get(PCI_SUBSYSTEM_VENDOR_ID, 4), 0xdcba4321);
	assert_int_equal(get(PCI_HEADER_TYPE, 1), 0);
	assert_int_equal(get(PCI_INTERRUPT_PIN, 1), 0);
	put(PCI_VENDOR_ID, 0, 4);
	put(PCI_CLASS_REVISION, 0, 4);
	assert_int_equal(get(PCI_VENDOR_ID, 4), 0xabcd1234);
	assert_int_equal(get(PCI_CLASS_REVISION, 4), 0x02070003);
}

static void bars_tell_their_size(void **state)
{
	(void)state;
	put(PCI_BASE_ADDRESS_0, ~0u, 4);
	put(PCI_BASE_ADDRESS_1, ~0u, 4);
	put(PCI_BASE_ADDRESS_2, ~0u, 4);
	put(PCI_BASE_ADDRESS_3, ~0u, 4);
	assert_int_equal(get(PCI_BASE_ADDRESS_0, 4), 0xfe00000c);
	assert_int_equal(get(PCI_BASE_ADDRESS_1, 4), 0xffffffff);
	assert_int_equal(get(PCI_BASE_ADDRESS_2, 4), 0xffffe000);
	assert_int_equal(get(PCI_BASE_ADDRESS_3, 4), 0);
	put(PCI_BASE_ADDRESS_0, 0xe0000000, 4);
	assert_int_equal(get(PCI_BASE_ADDRESS_0, 4), 0xe000000c);
}

static void capabilities(void **state)
{
	unsigned int pm = capability(PCI_CAP_ID_PM), msix = capability(PCI_CAP_ID_MSIX);
	unsigned int pcie = capability(PCI_CAP_ID_EXP);

	(void)state;
	assert_int_not_equal(pm, 0);
	assert_int_not_equal(msix, 0);
	assert_int_not_equal(pcie, 0);
	assert_true(get(PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	assert_int_equal(get(msix + PCI_MSIX_FLAGS, 2), 16);
	assert_int_equal(get(msix + PCI_MSIX_TABLE, 4), 2);
	assert_int_equal(get(msix + PCI_MSIX_PBA, 4), 4096 | 2);
	assert_true(get(pcie + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	assert_int_equal(get(pcie + PCI_EXP_FLAGS, 2) & PCI_EXP_FLAGS_TYPE,
			 PCI_EXP_TYPE_ENDPOINT << 4);
	/* No extended capabilities. */
	assert_int_equal(get(0x100, 4), 0);
	put(msix + PCI_MSIX_FLAGS, 0xffff, 2);
	assert_int_equal(get(msix + PCI_MSIX_FLAGS, 2),
			 PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL | 16);
}

static void without_vectors_there_is_no_msix(void **state)
{
	struct pci_device_config bare = device;

	(void)state;
	bare.msix_vectors = 0;
	config_space_init(&config, &bare);
	assert_int_equal(capability(PCI_CAP_ID_MSIX), 0);
	assert_int_not_equal(capability(PCI_CAP_ID_PM), 0);
	assert_int_not_equal(capability(PCI_CAP_ID_EXP), 0);
}

static void bus_master_follows_the_command_register(void **state)
{
	(void)state;
	assert_false(config_space_bus_master(&config));
	put(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	assert_true(config_space_bus_master(&config));
	put(PCI_COMMAND, PCI_COMMAND_MEMORY, 1);
	assert_false(config_space_bus_master(&config));
	/* There is no I/O space to decode. */
	put(PCI_COMMAND, PCI_COMMAND_IO, 2);
	assert_int_equal(get(PCI_COMMAND, 2), 0);
}

static void function_level_reset(void **state)
{
	unsigned int pcie = capability(PCI_CAP_ID_EXP);

	(void)state;
	put(PCI_COMMAND, PCI_COMMAND_MASTER, 2);
	put(PCI_BASE_ADDRESS_2, 0xfebf0000, 4);
	assert_int_equal(put(pcie + PCI_EXP_DEVCTL, 0x2810, 2), CONFIG_EFFECT_NONE);
	assert_int_equal(get(pcie + PCI_EXP_DEVCTL, 2), 0x2810);
	assert_int_equal(put(pcie + PCI_EXP_DEVCTL, 0x2810 | PCI_EXP_DEVCTL_BCR_FLR, 2),
			 CONFIG_EFFECT_FLR);
	/* The bit reads as zero, however it is written. */
	assert_false(get(pcie + PCI_EXP_DEVCTL, 2) & PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(put(pcie + PCI_EXP_DEVCTL + 1, PCI_EXP_DEVCTL_BCR_FLR >> 8, 1),
			 CONFIG_EFFECT_FLR);
	assert_int_equal(put(pcie, PCI_EXP_DEVCTL_BCR_FLR, 2), CONFIG_EFFECT_NONE);
	config_space_reset(&config, &device);
	assert_false(config_space_bus_master(&config));
	assert_int_equal(get(PCI_BASE_ADDRESS_2, 4), 0xfebf0000);
	assert_int_equal(get(PCI_VENDOR_ID, 4), 0xabcd1234);
}

static void last_register(void **state)
{
	uint8_t all[CONFIG_SPACE_SIZE];

	(void)state;
	put(CONFIG_SPACE_SIZE - 4, ~0u, 4);
	assert_int_equal(get(CONFIG_SPACE_SIZE - 4, 4), 0);
	config_space_read(&config, 0, all, sizeof(all));
	assert_int_equal(all[0], 0x34);
	memset(all, 0xff, sizeof(all));
	assert_int_equal(config_space_write(&config, 0, all, sizeof(all)), CONFIG_EFFECT_FLR);
	assert_int_equal(get(PCI_VENDOR_ID, 4), 0xabcd1234);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(identity, setup),
		cmocka_unit_test_setup(bars_tell_their_size, setup),
		cmocka_unit_test_setup(capabilities, setup),
		cmocka_unit_test_setup(without_vectors_there_is_no_msix, setup),
		cmocka_unit_test_setup(bus_master_follows_the_command_register, setup),
		cmocka_unit_test_setup(function_level_reset, setup),
		cmocka_unit_test_setup(last_register, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
