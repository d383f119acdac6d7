/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the models' fuzz targets share: a guest that does what it likes. An input is a list of steps
 * on a device that has one of each object; a step is a byte that names it and what it takes from
 * the bytes after. Nothing is asserted: a sanitizer, a crash or a step without end is the finding.
 */
#ifndef LAB_NIC_TESTING_FUZZ_H
#define LAB_NIC_TESTING_FUZZ_H

#include "fuzz_input.h"
#include "test_host.h"

#define BUFFER_BYTES 65536u
#define FUZZ_KNOBS 8u

struct fuzz {
	struct input *input;
	struct test_host *host;
	int small_fd; /* behind the small windows, which come and go */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The small windows are mapped. */
void fuzz_begin(struct fuzz *fuzz, struct input *input, struct test_host *host);
/* What was begun may come to its end; the host is to be freed after. */
void fuzz_end(struct fuzz *fuzz);

/* In the buffer, in a small window, a multiple of stride into the host's memory, or anywhere. */
uint64_t fuzz_take_address(struct fuzz *fuzz, const uint8_t *buffer, uint32_t stride);
/* A few slices of the device's work. */
void fuzz_step_run(struct fuzz *fuzz);
void fuzz_step_window(struct fuzz *fuzz);
/* False if it was mapped already. */
bool fuzz_map_window(struct fuzz *fuzz, uint32_t which);
/* False if it was not mapped. */
bool fuzz_unmap_window(struct fuzz *fuzz, uint32_t which);
/* A rule for one of the operations, or the release of what rules hold. */
void fuzz_step_knob(struct fuzz *fuzz, const char *const operations[FUZZ_KNOBS]);
/* One rule; those that make no sense are turned away. */
void fuzz_rule(struct fuzz *fuzz, const char *operation, const char *action, int delay_us);

#endif
