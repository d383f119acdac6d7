/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the function (pci_device.c) and the protocol (vfu_server.c) know of each other. */
#ifndef LAB_NIC_VFIO_USER_PCI_DEVICE_INTERNAL_H
#define LAB_NIC_VFIO_USER_PCI_DEVICE_INTERNAL_H

#include "config_space.h"
#include "pci_device.h"

struct unix_listener;
struct vfu_server;

struct pci_device {
	struct pci_device_config config;
	const struct pci_device_ops *ops;
	void *opaque;
	struct ev_loop *loop;
	ev_idle work;
	struct dma_space *dma;
	struct config_space registers;
	int vectors[PCI_DEVICE_MAX_VECTORS]; /* eventfds, -1: not enabled */
	int bar_fd[PCI_DEVICE_BARS];
	uint8_t *bar_memory[PCI_DEVICE_BARS];
	struct unix_listener *listener;
	struct vfu_server *server; /* NULL: no host */
	bool keep;
	bool absent;
	void (*gone)(void *opaque); /* NULL: the loop is broken */
	void *gone_opaque;
	FILE *log;
	int patience;
	unsigned int waits; /* for the host to move bytes */
	bool reset_pending; /* asked for meanwhile: nothing is to be reached any more */
	uint64_t *interrupts, *resets, *mmio_reads, *mmio_writes;
};

/* False if there is no such region; a region that is not implemented has size 0. */
bool pci_device_region_size(const struct pci_device *pci, uint32_t region, uint64_t *size);
/* 0, or -EINVAL outside the region. */
int pci_device_region_read(struct pci_device *pci, uint32_t region, uint64_t offset, uint8_t *data,
			   uint64_t len);
int pci_device_region_write(struct pci_device *pci, uint32_t region, uint64_t offset,
			    const uint8_t *data, uint64_t len);
void pci_device_release_vectors(struct pci_device *pci, unsigned int first, unsigned int count);
/* At once, or when the work that waits for the host has been told that it failed. */
void pci_device_do_reset(struct pci_device *pci);
void pci_device_finish_reset(struct pci_device *pci);
void pci_device_host_gone(struct pci_device *pci);

/* The descriptor becomes the server's. 0 or -errno. */
int vfu_server_connect(struct pci_device *pci, int fd);
/*
 * The host moves len bytes between data and its memory at iova. 0; -EFAULT if it says that it
 * cannot; -EIO if it does not any more, because of a reset or because it is gone.
 */
int vfu_server_dma(struct pci_device *pci, uint64_t iova, uint8_t *data, size_t len, bool write);
/* Nothing happens if no host is connected. */
void vfu_server_disconnect(struct pci_device *pci);

#endif
