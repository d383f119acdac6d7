/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Holds the lab NIC's page faults back, so that no translation can be made anew. */
#ifndef TESTS_LAB_HELD_FAULTS_H
#define TESTS_LAB_HELD_FAULTS_H

#include "lab_control.h"

/* From now on; *so_far counts the faults that the NIC has run into until now. */
int lab_hold_faults(struct lab_control *control, uint64_t *so_far, struct error *err);
/* Until the NIC has run into that many in all. */
int lab_wait_faults(struct lab_control *control, uint64_t count, struct error *err);
/* Reports those held to the driver, and lets the coming ones pass. */
int lab_release_faults(struct lab_control *control, struct error *err);

#endif
