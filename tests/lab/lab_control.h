/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Client of a device model's control socket, which the lab wires to a virtio
 * port of the guest. On metal there is none, and every test does without.
 *
 * Functions return 0 or -errno and fill *err, which may be NULL.
 */
#ifndef TESTS_LAB_LAB_CONTROL_H
#define TESTS_LAB_LAB_CONTROL_H

#include <jansson.h>
#include <stdint.h>

#include "error.h"

struct lab_control;

/* -ENODEV, and err says that something is missing, if this machine has no such port. */
int lab_control_open(struct lab_control **control, struct error *err);
void lab_control_close(struct lab_control *control);

/* One request, one reply. Takes request; *reply, which may be NULL, is the caller's. */
int lab_control_request(struct lab_control *control, json_t *request, json_t **reply,
			struct error *err);

/* A counter by its name, such as "dma.unmapped_accesses". */
int lab_control_counter(struct lab_control *control, const char *name, uint64_t *value,
			struct error *err);
/*
 * The link between this machine's NIC and the fabric: how is an object with "up", "loss", "delay_us"
 * or "seed" (lab/nic/README.md), and taken. -ENODEV, and err says that something is missing, on metal.
 */
int lab_set_link(struct lab_control *control, json_t *how, struct error *err);
/* As it is at first; nothing on metal. For what comes after a test, however that ended. */
void lab_mend_link(struct lab_control *control);
/* Returns when the counter is at_least that much: -ETIMEDOUT after timeout_ms. */
int lab_control_wait(struct lab_control *control, const char *name, uint64_t at_least,
		     unsigned int timeout_ms, struct error *err);

#endif
