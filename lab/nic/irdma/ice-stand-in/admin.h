/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The stand-in's admin queue. As of ice's, a command is waited for up to a second, and fails at once
 * while the queue is stopped. Each of these may sleep but stop, which any context may call.
 */
#ifndef LAB_ICE_STAND_IN_ADMIN_H
#define LAB_ICE_STAND_IN_ADMIN_H

#include <linux/mutex.h>
#include <linux/types.h>

struct pci_dev;

/* Of ice_adminq_cmd.h */
enum admin_command {
	ADMIN_GET_VERSION = 0x0001,
	ADMIN_QUEUE_SHUTDOWN = 0x0003,
	ADMIN_UPDATE_VSI = 0x0211,
	ADMIN_ADD_RDMA_QSET = 0x0c33,
	ADMIN_DELETE_RDMA_QSET = 0x0c34,
};

struct admin_queue {
	struct pci_dev *pdev;
	void __iomem *registers;
	struct libie_aq_desc *ring;
	dma_addr_t ring_dma;
	struct mutex lock; /* one command at a time */
	u16 next;
	bool stopped;
};

/* Its memory goes with the driver's. */
int admin_queue_init(struct admin_queue *queue, struct pci_dev *pdev, void __iomem *registers);
/* Tells a function that was reset, or is new, where the ring is, and asks for its version. */
int admin_queue_start(struct admin_queue *queue);
/* From now on until the next start commands fail, also the one that is waited for. */
void admin_queue_stop(struct admin_queue *queue);
int admin_queue_send(struct admin_queue *queue, enum admin_command command);

#endif
