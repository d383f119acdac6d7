// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/pci.h>
#include <linux/net/intel/libie/adminq.h>

#include "admin.h"

#define RING_ENTRIES 16
#define POLL_US 20
#define COMMAND_US USEC_PER_SEC
/* Of ice_hw_autogen.h */
#define PF_FW_ATQBAL 0x00080000
#define PF_FW_ATQBAH 0x00080100
#define PF_FW_ATQLEN 0x00080200
#define PF_FW_ATQH 0x00080300
#define PF_FW_ATQT 0x00080400
#define PF_FW_ATQLEN_ATQENABLE BIT(31)

int admin_queue_init(struct admin_queue *queue, struct pci_dev *pdev, void __iomem *registers)
{
	queue->pdev = pdev;
	queue->registers = registers;
	mutex_init(&queue->lock);
	queue->ring = dmam_alloc_coherent(&pdev->dev, RING_ENTRIES * sizeof(*queue->ring),
					  &queue->ring_dma, GFP_KERNEL);
	return queue->ring ? 0 : -ENOMEM;
}

int admin_queue_start(struct admin_queue *queue)
{
	scoped_guard(mutex, &queue->lock) {
		queue->next = 0;
		writel(0, queue->registers + PF_FW_ATQH);
		writel(lower_32_bits(queue->ring_dma), queue->registers + PF_FW_ATQBAL);
		writel(upper_32_bits(queue->ring_dma), queue->registers + PF_FW_ATQBAH);
		writel(RING_ENTRIES | PF_FW_ATQLEN_ATQENABLE, queue->registers + PF_FW_ATQLEN);
		WRITE_ONCE(queue->stopped, false);
	}
	return admin_queue_send(queue, ADMIN_GET_VERSION);
}

void admin_queue_stop(struct admin_queue *queue)
{
	WRITE_ONCE(queue->stopped, true);
}

int admin_queue_send(struct admin_queue *queue, enum admin_command command)
{
	u32 head;

	guard(mutex)(&queue->lock);
	if (READ_ONCE(queue->stopped))
		return -EBUSY;
	queue->ring[queue->next] = (struct libie_aq_desc){
		.flags = cpu_to_le16(LIBIE_AQ_FLAG_SI),
		.opcode = cpu_to_le16(command),
	};
	queue->next = (queue->next + 1) % RING_ENTRIES;
	dma_wmb();
	writel(queue->next, queue->registers + PF_FW_ATQT);
	read_poll_timeout(readl, head, head == queue->next || READ_ONCE(queue->stopped), POLL_US,
			  COMMAND_US, false, queue->registers + PF_FW_ATQH);
	if (head == queue->next)
		return 0;
	if (READ_ONCE(queue->stopped))
		return -EBUSY;
	pci_err(queue->pdev, "the admin queue did not answer command 0x%04x\n", command);
	return -EIO;
}
