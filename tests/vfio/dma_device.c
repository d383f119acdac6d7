/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "dma_device.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "patience.h"

/* Registers of edu in BAR 0; those of the copy are of 64 bits, the others of 32. */
enum {
	EDU_ID = 0x00,
	EDU_INTERRUPT_ACKNOWLEDGE = 0x64,
	EDU_SOURCE = 0x80,
	EDU_DESTINATION = 0x88,
	EDU_LENGTH = 0x90,
	EDU_COMMAND = 0x98,
	EDU_REGISTERS = 4096,
};

#define EDU_ID_MASK 0xffffU
#define EDU_ID_IS 0xedU
#define EDU_COMMAND_START 1u
#define EDU_COMMAND_STORE 2u
#define EDU_COMMAND_INTERRUPT 4u
#define EDU_INTERRUPT_COPY 0x100u
/* Where its own memory is, as the device sees it. */
#define EDU_MEMORY 0x40000u

/* It begins a copy 100 ms after the command. */
#define TIMEOUT_MS 20000

static volatile uint64_t *register64(struct dma_device *device, unsigned int offset)
{
	return (volatile uint64_t *)(device->registers + offset);
}

static volatile uint32_t *register32(struct dma_device *device, unsigned int offset)
{
	return (volatile uint32_t *)(device->registers + offset);
}

static int enable_dma(struct dma_device *device, struct error *err)
{
	uint16_t command;
	int ret;

	ret = vfio_exporter_read_config(device->vfio, PCI_COMMAND, &command, sizeof(command),
					err);
	if (ret)
		return ret;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	return vfio_exporter_write_config(device->vfio, PCI_COMMAND, &command, sizeof(command),
					  err);
}

static int enable_interrupt(struct dma_device *device, struct error *err)
{
	struct {
		struct vfio_irq_set set;
		int32_t eventfd;
	} irq = {
		.set = {
			.argsz = sizeof(irq),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSI_IRQ_INDEX,
			.count = 1,
		},
		.eventfd = device->ended,
	};

	if (ioctl(vfio_exporter_device_fd(device->vfio), VFIO_DEVICE_SET_IRQS, &irq.set))
		return error_set(err, errno, "cannot enable the MSI of %s",
				 vfio_exporter_bdf(device->vfio));
	return 0;
}

int dma_device_open(struct dma_device *device, struct error *err)
{
	const char *bdf = getenv("DMA_DEVICE");
	void *registers;
	int ret;

	*device = (struct dma_device){ .ended = -1 };
	if (!bdf || !*bdf)
		return error_missing(err, ENODEV, "DMA_DEVICE names no PCI function: "
				     "bind QEMU's edu to vfio-pci and name it");
	ret = vfio_exporter_open(&device->vfio, bdf, VFIO_INTERFACE_CDEV, err);
	if (ret)
		return ret;
	device->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (device->ended < 0) {
		ret = error_set(err, errno, "cannot make an eventfd");
		goto close;
	}
	ret = vfio_exporter_ioas(device->vfio, &device->ioas.fd, &device->ioas.id);
	if (ret) {
		ret = error_set(err, -ret, "%s has no address space of iommufd", bdf);
		goto close;
	}
	ret = vfio_exporter_map_bar(device->vfio, 0, 0, EDU_REGISTERS, &registers, err);
	if (ret)
		goto close;
	device->registers = registers;
	ret = enable_dma(device, err);
	if (ret)
		goto close;
	if ((*register32(device, EDU_ID) & EDU_ID_MASK) != EDU_ID_IS) {
		ret = error_set(err, EINVAL, "%s is no edu, its first register is 0x%x", bdf,
				*register32(device, EDU_ID));
		goto close;
	}
	ret = enable_interrupt(device, err);
	if (ret)
		goto close;
	return 0;

close:
	dma_device_close(device);
	return ret;
}

void dma_device_close(struct dma_device *device)
{
	if (device->registers)
		vfio_exporter_unmap_bar((void *)device->registers, EDU_REGISTERS);
	vfio_exporter_close(device->vfio);
	if (device->ended >= 0)
		close(device->ended);
}

static int copy(struct dma_device *device, uint64_t source, uint64_t destination, uint64_t command,
		struct error *err)
{
	struct pollfd ended = { .fd = device->ended, .events = POLLIN };
	uint64_t count;

	*register64(device, EDU_SOURCE) = source;
	*register64(device, EDU_DESTINATION) = destination;
	*register64(device, EDU_LENGTH) = DMA_DEVICE_SIZE;
	*register64(device, EDU_COMMAND) = command | EDU_COMMAND_INTERRUPT | EDU_COMMAND_START;
	if (poll(&ended, 1, patience(TIMEOUT_MS)) != 1 ||
	    read(device->ended, &count, sizeof(count)) != sizeof(count))
		return error_set(err, ETIMEDOUT,
				 "%s has not said that its copy has ended, its command register is 0x%x",
				 vfio_exporter_bdf(device->vfio),
				 (unsigned int)*register64(device, EDU_COMMAND));
	*register32(device, EDU_INTERRUPT_ACKNOWLEDGE) = EDU_INTERRUPT_COPY;
	return 0;
}

int dma_device_load(struct dma_device *device, uint64_t iova, struct error *err)
{
	return copy(device, iova, EDU_MEMORY, 0, err);
}

int dma_device_store(struct dma_device *device, uint64_t iova, struct error *err)
{
	return copy(device, EDU_MEMORY, iova, EDU_COMMAND_STORE, err);
}
