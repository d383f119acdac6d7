/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One emulated PCI function behind a vfio-user socket, served from one thread by a libev loop.
 * The model's callbacks, its slices of work and the host's messages never overlap.
 */
#ifndef LAB_NIC_VFIO_USER_PCI_DEVICE_H
#define LAB_NIC_VFIO_USER_PCI_DEVICE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dma_space.h"

#define PCI_DEVICE_BARS 6
#define PCI_DEVICE_MAX_VECTORS 256

struct counters;
struct pci_device;

struct pci_bar {
	uint64_t size; /* power of two, at least 4096; 0: no such BAR */
	bool is_64bit, prefetchable;
	uint64_t mmap_offset, mmap_size; /* part the host may map directly; 0: all is trapped */
};

struct pci_device_config {
	uint16_t vendor_id, device_id, subsystem_vendor_id, subsystem_id;
	uint32_t class_code; /* 24 bits */
	uint8_t revision;
	struct pci_bar bar[PCI_DEVICE_BARS];
	unsigned int msix_vectors, msix_bar; /* 0 vectors: no interrupts */
	uint32_t msix_table_offset, msix_pba_offset;
};

struct pci_device_ops {
	/* Naturally aligned accesses of 1, 2, 4 or 8 bytes inside the BAR, in bus (little-endian)
	 * byte order. */
	void (*mmio_read)(void *opaque, unsigned int bar, uint64_t offset, void *data,
			  unsigned int size);
	void (*mmio_write)(void *opaque, unsigned int bar, uint64_t offset, const void *data,
			   unsigned int size);
	/* One bounded slice of device work; true while more is ready. */
	bool (*work)(void *opaque);
	/* Function level reset, conventional reset, or a new host. DMA windows stay. */
	void (*reset)(void *opaque);
	/* Optional: the window is already gone. */
	void (*dma_unmapped)(void *opaque, uint64_t iova, uint64_t size);
};

/* NULL with errno EINVAL for an impossible configuration. */
struct pci_device *pci_device_new(const struct pci_device_config *config,
				  const struct pci_device_ops *ops, void *opaque,
				  struct counters *counters, struct ev_loop *loop);
void pci_device_free(struct pci_device *pci);
void pci_device_set_log(struct pci_device *pci, FILE *log);

/* The memory of a BAR with a part that the host may map, by offset in the BAR; else NULL. */
void *pci_device_bar_memory(struct pci_device *pci, unsigned int bar);
/* How long DMA may wait for the host to move bytes, in milliseconds; 20,000 unless told. */
void pci_device_set_patience(struct pci_device *pci, int milliseconds);
struct dma_space *pci_device_dma(struct pci_device *pci);
struct ev_loop *pci_device_loop(struct pci_device *pci);
/*
 * Takes the function out of the machine without a word, or puts it back as it comes up: one that is
 * absent reads as all ones, takes no write, and reaches nothing.
 */
void pci_device_set_present(struct pci_device *pci, bool present);
/* Raises an MSI-X vector; nothing happens while it, or bus mastering, is not enabled. */
void pci_device_interrupt(struct pci_device *pci, unsigned int vector);
/* work() has something to do: it is called from the loop until it returns false. */
void pci_device_kick(struct pci_device *pci);

/* 0 or -errno. An old socket file at that path is replaced if nobody listens on it. */
int pci_device_listen(struct pci_device *pci, const char *socket_path);
/* Serves an already connected host. */
int pci_device_serve(struct pci_device *pci, int fd);
bool pci_device_has_host(const struct pci_device *pci);
/* Called when the host has disconnected and the function was reset; the loop then runs on. */
void pci_device_on_host_gone(struct pci_device *pci, void (*gone)(void *opaque), void *opaque);
/* Runs the loop until the host disconnects (or, with keep, until the loop is broken). */
void pci_device_run(struct pci_device *pci, bool keep);

#endif
