/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What a device is made with, whatever the model: its host, and what that shares with others. */
#ifndef LAB_NIC_COMMON_MODEL_HOST_H
#define LAB_NIC_COMMON_MODEL_HOST_H

#include <ev.h>
#include <stdio.h>

struct control;
struct counters;
struct fabric;
struct knobs;

struct model_host {
	unsigned int number; /* of the host, from 0: addresses differ by it */
	FILE *log;	     /* NULL: none */
	struct counters *counters;
	struct knobs *knobs;
	struct control *control; /* gets the device's own commands; NULL: none */
	struct fabric *fabric;
	struct ev_loop *loop;
};

/* A line "MODEL: ..." */
void model_log(FILE *log, const char *model, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
