/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Lend a range of a BAR to another process, and take it back for certain.
 *
 *	lend 0000:02:00.0 2
 *
 * The owner opens the device by its character device, exports the first 64 KiB of
 * the BAR as a dma-buf and sends it to a client. The client maps it and writes. The
 * owner revokes; from the return of that call on the client cannot write any more,
 * and the owner lends the same range again, as a new dma-buf. Needs the kernel
 * series of this project, and nothing else of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* For headers older than the kernel. */
#ifndef VFIO_DEVICE_FEATURE_DMA_BUF
#define VFIO_DEVICE_FEATURE_DMA_BUF 11
struct vfio_region_dma_range {
	__u64 offset;
	__u64 length;
};

struct vfio_device_feature_dma_buf {
	__u32 region_index;
	__u32 open_flags;
	__u32 flags;
	__u32 nr_ranges;
	struct vfio_region_dma_range dma_ranges[];
};
#endif
#ifndef VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE
#define VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE 14
struct vfio_device_feature_dma_buf_revoke {
	__s32 dmabuf_fd;
};
#endif

#define LENGTH 65536

static int check(int ret, const char *what)
{
	if (ret < 0) {
		fprintf(stderr, "lend: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return ret;
}

/* ---- the owner: device, export, revoke ---- */

static int open_device(const char *bdf)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	char path[320];
	struct dirent *entry;
	int device;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", bdf);
	dir = opendir(path);
	check(dir ? 0 : -1, path);
	do {
		entry = readdir(dir);
		check(entry ? 0 : -1, path);
	} while (entry->d_name[0] == '.');
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
	closedir(dir);
	device = check(open(path, O_RDWR | O_CLOEXEC), path);
	bind.iommufd = check(open("/dev/iommu", O_RDWR | O_CLOEXEC), "/dev/iommu");
	check(ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind), "VFIO_DEVICE_BIND_IOMMUFD");
	return device;
}

/* What is exported while memory decoding is off is revoked from the start. */
static void enable_memory(int device)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint8_t command[2];
	off_t place;

	check(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config), "VFIO_DEVICE_GET_REGION_INFO");
	place = (off_t)config.offset + PCI_COMMAND;
	check((int)pread(device, command, 2, place), "reading PCI_COMMAND");
	command[0] |= PCI_COMMAND_MEMORY;
	check((int)pwrite(device, command, 2, place), "writing PCI_COMMAND");
}

static int feature(int device, uint32_t flags, const void *data, size_t size)
{
	union {
		struct vfio_device_feature feature;
		char space[256];
	} request = { .feature = { .argsz = sizeof(request.feature) + size, .flags = flags } };

	memcpy(request.feature.data, data, size);
	return ioctl(device, VFIO_DEVICE_FEATURE, &request);
}

static int export_range(int device, unsigned int bar)
{
	union {
		struct vfio_device_feature_dma_buf get;
		char space[sizeof(struct vfio_device_feature_dma_buf) +
			   sizeof(struct vfio_region_dma_range)];
	} range = { .get = { .region_index = bar, .open_flags = O_RDWR | O_CLOEXEC, .nr_ranges = 1 } };

	range.get.dma_ranges[0].length = LENGTH;
	return check(feature(device, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF, &range,
			     sizeof(range)), "exporting a dma-buf");
}

/* The number could mean something else to another kernel: ask before it is used. */
static void need_revoke(int device)
{
	struct vfio_device_feature probe = {
		.argsz = sizeof(probe),
		.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
			 VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE,
	};

	check(ioctl(device, VFIO_DEVICE_FEATURE, &probe),
	      "this kernel or device has no VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE");
}

/*
 * When it returns, every importer has let go, every mapping is gone, and nobody
 * can attach or map. If another thread was faster, errno is EBADFD: as good.
 */
static void revoke_dmabuf(int device, int dmabuf)
{
	struct vfio_device_feature_dma_buf_revoke request = { .dmabuf_fd = dmabuf };

	if (feature(device, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE, &request,
		    sizeof(request)) && errno != EBADFD)
		check(-1, "revoking the dma-buf");
}

/* ---- the client: it has the dma-buf's fd, and nothing of the device ---- */

static sigjmp_buf gone;

static void handle_sigbus(int signum)
{
	(void)signum;
	siglongjmp(gone, 1);
}

/* Writes on and on, and returns when the memory is taken away. */
static void write_until_gone(volatile uint32_t *words, int owner)
{
	const struct sigaction action = { .sa_handler = handle_sigbus };
	char byte = 'w';

	sigaction(SIGBUS, &action, NULL);
	if (sigsetjmp(gone, 1))
		return;
	words[0] = 1;
	check((int)write(owner, &byte, 1), "telling the owner");
	for (uint32_t i = 2;; i++)
		words[i % (LENGTH / sizeof(*words))] = i;
}

static void client(int owner)
{
	union {
		struct cmsghdr header;
		char buffer[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.buffer, .msg_controllen = sizeof(control.buffer),
	};
	int dmabuf;
	void *map;

	check((int)recvmsg(owner, &message, MSG_CMSG_CLOEXEC), "receiving the dma-buf");
	memcpy(&dmabuf, CMSG_DATA(&control.header), sizeof(dmabuf));
	map = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	check(map == MAP_FAILED ? -1 : 0, "mapping the dma-buf");
	write_until_gone(map, owner);
	printf("client: the memory is gone\n");
	if (mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, dmabuf, 0) == MAP_FAILED && errno == ENODEV)
		printf("client: and cannot be mapped again\n");
	fflush(stdout);
	_exit(0);
}

static void send_dmabuf(int socket, int dmabuf)
{
	union {
		struct cmsghdr header;
		char buffer[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char byte = 'd';
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.buffer, .msg_controllen = sizeof(control.buffer),
	};

	memcpy(CMSG_DATA(&control.header), &dmabuf, sizeof(dmabuf));
	check((int)sendmsg(socket, &message, 0), "sending the dma-buf");
}

static pid_t start_client(int *socket)
{
	int sockets[2];
	pid_t pid;

	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), "socketpair");
	pid = check(fork(), "fork");
	if (!pid) {
		close(sockets[0]);
		client(sockets[1]);
	}
	close(sockets[1]);
	*socket = sockets[0];
	return pid;
}

int main(int argc, char **argv)
{
	int device, dmabuf, socket, status;
	unsigned int bar;
	pid_t pid;
	char byte;

	if (argc != 3) {
		fprintf(stderr, "usage: lend BDF BAR\n");
		return 2;
	}
	bar = (unsigned int)atoi(argv[2]);
	/* First, so that it inherits no file of the device. */
	pid = start_client(&socket);

	device = open_device(argv[1]);
	enable_memory(device);
	need_revoke(device);
	dmabuf = export_range(device, bar);
	send_dmabuf(socket, dmabuf);
	check((int)read(socket, &byte, 1), "waiting for the client");
	printf("owner: the client writes\n");
	fflush(stdout);

	revoke_dmabuf(device, dmabuf);
	close(dmabuf);
	dmabuf = export_range(device, bar);
	check(waitpid(pid, &status, 0), "waiting for the client");
	printf("owner: taken back, and lent again as another dma-buf\n");
	return status ? 1 : 0;
}
