/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Named event counts of one device model. */
#ifndef LAB_NIC_CONTROL_COUNTERS_H
#define LAB_NIC_CONTROL_COUNTERS_H

#include <jansson.h>
#include <stdint.h>

struct counters;

struct counters *counters_new(void);
void counters_free(struct counters *counters);
/* The counter of that name, made with value 0 if new. The pointer lives as long as the set. */
uint64_t *counter(struct counters *counters, const char *name);
/* NULL if there is no counter of that name. */
const uint64_t *counters_find(struct counters *counters, const char *name);
/* A new object {name: value}, names in order. */
json_t *counters_json(struct counters *counters);
void counters_reset(struct counters *counters);

#endif
