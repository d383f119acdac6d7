/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "fuzz.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLICES_A_STEP 8
#define FINAL_SLICES 64
#define SMALL_WINDOWS 16u
#define SMALL_IOVA 0x40000000ull

bool fuzz_map_window(struct fuzz *fuzz, uint32_t which)
{
	uint64_t at = which % SMALL_WINDOWS * (uint64_t)HOST_PAGE;

	return !dma_space_map(fuzz->host->dma, SMALL_IOVA + at, HOST_PAGE, fuzz->small_fd, at,
			      DMA_MAY_READ | DMA_MAY_WRITE);
}

bool fuzz_unmap_window(struct fuzz *fuzz, uint32_t which)
{
	uint64_t iova = SMALL_IOVA + which % SMALL_WINDOWS * (uint64_t)HOST_PAGE;

	if (dma_space_unmap(fuzz->host->dma, iova, HOST_PAGE))
		return false;
	fuzz->host->ops->dma_unmapped(fuzz->host->device, iova, HOST_PAGE);
	return true;
}

void fuzz_begin(struct fuzz *fuzz, struct input *input, struct test_host *host)
{
	*fuzz = (struct fuzz){
		.input = input,
		.host = host,
		.small_fd = memfd_create("small", MFD_CLOEXEC),
	};
	if (fuzz->small_fd < 0 || ftruncate(fuzz->small_fd, SMALL_WINDOWS * HOST_PAGE))
		abort();
	for (uint32_t i = 0; i < SMALL_WINDOWS; i++)
		fuzz_map_window(fuzz, i);
}

static void run(struct fuzz *fuzz, int slices)
{
	while (slices-- && fuzz->host->ops->work(fuzz->host->device))
		;
	ev_run(fuzz->host->model.loop, EVRUN_NOWAIT);
}

void fuzz_end(struct fuzz *fuzz)
{
	run(fuzz, FINAL_SLICES);
	close(fuzz->small_fd);
}

uint64_t fuzz_take_address(struct fuzz *fuzz, const uint8_t *buffer, uint32_t stride)
{
	switch (take8(fuzz->input) % 4) {
	case 0:
		return test_host_iova(fuzz->host, buffer) + take16(fuzz->input);
	case 1:
		return SMALL_IOVA + take16(fuzz->input) % (SMALL_WINDOWS * HOST_PAGE);
	case 2:
		return HOST_IOVA + take16(fuzz->input) * (uint64_t)stride;
	default:
		return take64(fuzz->input);
	}
}

void fuzz_step_run(struct fuzz *fuzz)
{
	run(fuzz, 1 + take8(fuzz->input) % SLICES_A_STEP);
}

void fuzz_step_window(struct fuzz *fuzz)
{
	uint8_t which = take8(fuzz->input);

	if (which & 0x80)
		fuzz_map_window(fuzz, which);
	else
		fuzz_unmap_window(fuzz, which);
}

void fuzz_rule(struct fuzz *fuzz, const char *operation, const char *action, int delay_us)
{
	json_t *rule = json_pack("{s:s, s:s, s:i}", "operation", operation, "action", action,
				 "delay_us", delay_us);

	knobs_add_rule(fuzz->host->model.knobs, rule);
	json_decref(rule);
}

void fuzz_step_knob(struct fuzz *fuzz, const char *const operations[FUZZ_KNOBS])
{
	static const char *const actions[] = {"hold", "drop", "fail", "delay"};
	uint8_t which = take8(fuzz->input);

	if (which & 0x80)
		knobs_release(fuzz->host->model.knobs, NULL, 1 + which % 4);
	else
		fuzz_rule(fuzz, operations[which % FUZZ_KNOBS], actions[which / 8 % 4],
			  which / 32 * 10);
}
