/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The function as a whole: what is neither a queue nor a key. For caps.c, port.c, device.c. */
#ifndef LAB_NIC_MLX5_HCA_H
#define LAB_NIC_MLX5_HCA_H

#include "device.h"

#define MLX5_CAPABILITY_TYPES 16
#define MLX5_CAPABILITY_BYTES 4096u
#define MLX5_CLOCK_KHZ 156250u
#define MLX5_FW_MAJOR 16
#define MLX5_FW_MINOR 35
#define MLX5_FW_SUBMINOR 1000

enum nic_interface { NIC_FULL_DRIVER = 0, NIC_DISABLED = 1, NIC_SW_RESET = 7 };

struct hca {
	u64 guid;
	bool transport_faults; /* asked for on the command line */
	bool enabled, initialised;
	u16 issi;
	u32 port_capability_mask;
	u8 caps_max[MLX5_CAPABILITY_TYPES][MLX5_CAPABILITY_BYTES];
	u8 caps[MLX5_CAPABILITY_TYPES][MLX5_CAPABILITY_BYTES];
	enum nic_interface nic_interface;
	u8 fatal_syndrome;
	bool fatal_for_good; /* a reset that the driver asks the firmware for is not offered */
	u32 health_counter;
	u32 queue_high; /* first half of the command queue's address, until the second comes */
	u8 half_doorbell[MLX5_BAR_SIZE / MLX5_PAGE_SIZE][2][8];
};

void capabilities_reset(struct mlx5_device *dev);

#endif
