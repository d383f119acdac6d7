/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The device under the fuzzer: one of each object, and the steps that have files of their own. */
#ifndef LAB_NIC_MLX5_FUZZ_WORLD_H
#define LAB_NIC_MLX5_FUZZ_WORLD_H

#include "../../testing/fuzz.h"
#include "../tests/host.h"

#define QKEY 0x1234u

struct world {
	struct fuzz fuzz;
	struct host *host;
	struct input *input;
	struct host_cq cq;
	struct host_srq srq;
	struct host_qp qp[4]; /* RC, RC connected to it, UD or UC, UMR */
	u8 *buffer, *commands;
	u32 key[8];
};

/* The input's first byte chooses what the queue pairs are like. */
void world_begin(struct world *world, struct input *input);
void world_end(struct world *world);

/* A number that names something, most of the time. */
u32 take_number(struct world *world);
u64 take_address(struct world *world);
/* Overwrites fields at dword boundaries with numbers and addresses that make sense. */
void patch(struct world *world, u8 *bytes, u32 len);
void mmio_write32(struct world *world, u64 offset, u32 value);

/* commands.c */
void step_command(struct world *world);
void step_slot(struct world *world);
void step_modify_qp(struct world *world);
void step_reconnect(struct world *world);
void step_answer(struct world *world);
void step_destroy(struct world *world);

/* work_requests.c */
void step_send(struct world *world);
void step_proper_send(struct world *world);
void step_datagram(struct world *world);
void step_umr(struct world *world);
void step_receive(struct world *world);

#endif
