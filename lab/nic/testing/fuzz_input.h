/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A fuzzer's bytes, taken piece by piece; zeros after their end. */
#ifndef LAB_NIC_TESTING_FUZZ_INPUT_H
#define LAB_NIC_TESTING_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
	const uint8_t *data;
	size_t left;
};

static inline uint8_t take8(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->data++;
}

static inline uint16_t take16(struct input *input)
{
	uint8_t high = take8(input);

	return high << 8 | take8(input);
}

static inline uint32_t take32(struct input *input)
{
	uint16_t high = take16(input);

	return (uint32_t)high << 16 | take16(input);
}

static inline uint64_t take64(struct input *input)
{
	uint32_t high = take32(input);

	return (uint64_t)high << 32 | take32(input);
}

static inline void take(struct input *input, void *to, size_t len)
{
	size_t have = len < input->left ? len : input->left;

	memcpy(to, input->data, have);
	memset((uint8_t *)to + have, 0, len - have);
	input->data += have;
	input->left -= have;
}

#endif
