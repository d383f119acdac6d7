/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the control side's files share among themselves; the data path sees mlx5.h alone. */
#ifndef LAB_NIC_MLX5_DEVICE_H
#define LAB_NIC_MLX5_DEVICE_H

#include "mlx5.h"

#define MLX5_BAR_SIZE (32u << 20)
/* The end of the BAR, which the host may map; UARs are below. */
#define MLX5_DEVICE_MEMORY_BYTES (1u << 20)
#define MLX5_DEVICE_MEMORY (MLX5_BAR_SIZE - MLX5_DEVICE_MEMORY_BYTES)
#define MLX5_VECTORS 64
#define MLX5_VENDOR_ID 0x15b3
#define MLX5_DEVICE_ID 0x1017

/* What QUERY_SPECIAL_CONTEXTS names. The reserved lkey opens nothing: no driver uses it. */
#define MLX5_RESERVED_LKEY 0x600u
#define MLX5_NULL_MKEY 0x700u
#define MLX5_DUMP_FILL_MKEY 0x500u
#define MLX5_TERMINATE_SCATTER_MKEY 0x100u

#define MLX5_FIRST_MKEY_INDEX 0x10
#define MLX5_LOG_MAX_MKEY 22
#define MLX5_LOG_MAX_QP 18
#define MLX5_LOG_MAX_CQ 17
#define MLX5_LOG_MAX_SRQ 16
#define MLX5_LOG_MAX_CQ_SIZE 22
#define MLX5_LOG_MAX_EQ_SIZE 20
#define MLX5_FIRST_UAR 2
#define MLX5_MAX_INDIRECTION 4

/* device.c */
struct mlx5_options {
	bool transport_faults;
	u64 guid;
};

struct mlx5_device *mlx5_device_new(const struct mlx5_options *options,
				    const struct model_host *host);
void mlx5_device_free(struct mlx5_device *dev);
/* What the PCI function calls; for those who drive a device without a socket. */
const struct pci_device_ops *mlx5_device_ops(void);
/* TEARDOWN_HCA: as a reset, but the command interface and the capabilities stay. */
void mlx5_device_teardown(struct mlx5_device *dev);

/* command.c */
#define MLX5_LOG_COMMANDS 5
#define MLX5_LOG_COMMAND_STRIDE 6

struct command_interface *command_interface_new(struct mlx5_device *dev);
void command_interface_free(struct command_interface *commands);
void command_interface_reset(struct command_interface *commands);
void command_interface_set_queue(struct command_interface *commands, u64 address);
u64 command_interface_queue(const struct command_interface *commands);
/* One bit for each slot the host filled. */
void command_interface_doorbell(struct command_interface *commands, u32 slots);
/* Runs one command from whole mailboxes; what the slots above come down to. Returns the status. */
u8 command_execute(struct mlx5_device *dev, const u8 *in, u32 in_len, u8 *out, u32 out_len);
/* A knob's held command may go on. False if that ticket is not a command's. */
bool command_interface_release(struct command_interface *commands, u64 ticket);

/* caps.c, port.c */
void port_reset(struct mlx5_device *dev);
/* To the fabric. NULL if its LID is taken. */
struct fabric_port *port_attach(struct mlx5_device *dev, struct fabric *fabric);
extern const struct command_entry capability_commands[];
extern const struct command_entry port_commands[];

/* event_queue.c */
void event_queue_destroy(void *object);
bool event_queue_wants(const struct mlx5_eq *eq, u8 type);
void event_queue_arm(struct mlx5_device *dev, u32 eqn_and_index, bool arm);

/* completion_queue.c */
void completion_queue_destroy(void *object);

/* memory_key.c */
void memory_key_destroy(void *object);
void memory_key_add_reserved(struct mlx5_device *dev);
/* DMA window [iova, iova + size) went away: counts keys that still point into it. */
void memory_key_oracle(struct mlx5_device *dev, u64 iova, u64 size);

/* device_memory.c */
struct device_memory *device_memory_new(struct mlx5_device *dev);
void device_memory_free(struct device_memory *memory);
/* As after a reset: nothing is allocated, and what was is zero. */
void device_memory_clear(struct device_memory *memory);
u32 device_memory_allocations(const struct device_memory *memory);
void device_memory_capabilities(void *caps);
/* [offset, offset + length) of the BAR, if all of it is of one allocation; else NULL. */
void *device_memory_at(const struct device_memory *memory, u64 offset, u64 length);

/* page_fault.c */
struct page_faults *page_faults_new(struct mlx5_device *dev);
void page_faults_free(struct page_faults *faults);
void page_faults_clear(struct page_faults *faults);
u32 page_faults_outstanding(const struct page_faults *faults);

void page_fault_release(struct mlx5_device *dev, u64 ticket);

/* doorbell.c */
void mlx5_mmio_read(struct mlx5_device *dev, u64 offset, void *data, unsigned int size);
void mlx5_mmio_write(struct mlx5_device *dev, u64 offset, const void *data, unsigned int size);
/* What the init segment's timer shows; completions carry it too. */
u64 mlx5_clock(void);

#endif
