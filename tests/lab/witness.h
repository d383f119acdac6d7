/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The lab puts a second PCI function on the memory behind the exporter's BAR:
 * the witness. Nobody lends it out or turns it off, so it shows the exporter's
 * memory to the CPU also while the exporter's own BAR cannot be read.
 */
#ifndef TESTS_LAB_WITNESS_H
#define TESTS_LAB_WITNESS_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/*
 * Finds the witness of the exporter bdf and maps length bytes of its BAR at
 * offset. window is the exporter's own mapping of the same bytes: what is
 * written there must show in the witness, or it is none. -ENODEV, and err says
 * that something is missing, if this machine has no witness.
 */
int witness_map(const char *bdf, unsigned int bar, uint64_t offset, size_t length,
		volatile void *window, void **address, struct error *err);
void witness_unmap(void *address, size_t length);

#endif
