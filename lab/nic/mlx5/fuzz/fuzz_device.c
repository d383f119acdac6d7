/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The whole ConnectX under a guest that does what it likes (testing/fuzz.h). */
#include "../hca.h"
#include "world.h"

#define MAX_STEPS 400

static void step_poke(struct world *world)
{
	u64 offset = take32(world->input) % (world->host->base.used - 64);
	u8 bytes[16];

	take(world->input, bytes, take8(world->input) % sizeof(bytes));
	memcpy(world->host->base.memory + offset, bytes, sizeof(bytes));
}

static void step_mmio(struct world *world)
{
	unsigned int size = 1u << (take8(world->input) & 3);
	u32 offset = take32(world->input) % MLX5_BAR_SIZE & ~(size - 1);
	u8 data[8];

	take(world->input, data, sizeof(data));
	if (take8(world->input) & 1)
		offset %= 4 * MLX5_PAGE_SIZE;
	if (take8(world->input) & 1)
		mlx5_mmio_read(world->host->dev, offset, data, size);
	else
		mlx5_mmio_write(world->host->dev, offset, data, size);
}

static void step_arm(struct world *world)
{
	u64 uar = (u64)world->host->uar * MLX5_PAGE_SIZE;
	u8 data[8];

	store32(data, (u32)take8(world->input) << 24);
	if (take8(world->input) & 1)
		take(world->input, data, 4);
	store32(data + 4, take8(world->input) & 1 ? take_number(world) : world->cq.cqn);
	mlx5_mmio_write(world->host->dev, uar + 0x20, data, sizeof(data));
	store32(data, world->host->eqn << 24 | (world->host->eq_consumer & 0xffffff));
	mlx5_mmio_write(world->host->dev, uar + (take8(world->input) & 1 ? 0x40 : 0x48), data, 4);
}

static void step_window(struct world *world)
{
	u8 which = take8(world->input);

	if (!fuzz_unmap_window(&world->fuzz, which))
		fuzz_map_window(&world->fuzz, which);
}

static void step_knob(struct world *world)
{
	static const char *const operations[] = {
		"page_fault", "page_fault_resume", "umr",     "send",	"rdma_write",
		"rdma_read",  "PAGE_FAULT_RESUME", "atomic", "CREATE_MKEY", "2ERR_QP",
	};
	static const char *const actions[] = {"hold", "delay", "drop", "fail"};
	u8 which = take8(world->input);

	if (which & 0x80)
		host_release(world->host, NULL, 1 + (which & 7));
	else
		fuzz_rule(&world->fuzz, operations[which % G_N_ELEMENTS(operations)],
			  actions[which / 16 % 4], 0);
}

static void step_reset(struct world *world)
{
	switch (take8(world->input) % 32) {
	case 0:
		mlx5_device_reset(world->host->dev);
		break;
	case 1:
		mlx5_device_teardown(world->host->dev);
		break;
	case 2:
		mmio_write32(world, 0x14, take8(world->input) << 8);
		break;
	default:
		break;
	}
}

static void step_run(struct world *world)
{
	fuzz_step_run(&world->fuzz);
}

static void (*const steps[])(struct world *world) = {
	step_command, step_slot, step_modify_qp, step_reconnect, step_send,  step_umr,
	step_receive, step_poke, step_mmio,	 step_arm,	 step_window, step_knob,
	step_answer,  step_run,	 step_destroy,	 step_reset,	 step_send,  step_run,
	step_proper_send, step_datagram, step_proper_send, step_receive, step_answer, step_knob,
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = {.data = data, .left = size};
	struct world world = {};

	world_begin(&world, &input);
	for (int i = 0; i < MAX_STEPS && input.left; i++)
		steps[take8(&input) % G_N_ELEMENTS(steps)](&world);
	world_end(&world);
	return 0;
}
