/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "vfio_device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SYSFS_PCI "/sys/bus/pci/devices"

static int normalise_bdf(struct vfio_device *device, const char *text, struct error *err)
{
	unsigned int domain = 0, bus, slot, function;
	int used = 0;

	/* sscanf alone would take "0x" and signs for numbers */
	if (text[strspn(text, "0123456789abcdefABCDEF:.")])
		return error_set(err, EINVAL,
				 "\"%s\" is no PCI address; one looks like 0000:02:00.0", text);
	if (sscanf(text, "%x:%x:%x.%x%n", &domain, &bus, &slot, &function, &used) != 4 ||
	    text[used]) {
		domain = 0;
		used = 0;
		if (sscanf(text, "%x:%x.%x%n", &bus, &slot, &function, &used) != 3 || text[used])
			return error_set(err, EINVAL,
					 "\"%s\" is no PCI address; one looks like 0000:02:00.0",
					 text);
	}
	/* Domains of host bridges behind Intel VMD begin at 10000. */
	if (domain > 0xfffffff || bus > 0xff || slot > 0x1f || function > 7)
		return error_set(err, EINVAL, "PCI address \"%s\" is out of range", text);
	snprintf(device->bdf, sizeof(device->bdf), "%04x:%02x:%02x.%x", domain & 0xfffffff,
		 bus & 0xff, slot & 0x1f, function & 7);
	return 0;
}

static int copy_name(const char *name, char *copy, size_t length)
{
	size_t needed = strlen(name) + 1;

	if (needed > length)
		return -ENAMETOOLONG;
	memcpy(copy, name, needed);
	return 0;
}

/* The last part of the link at /sys/bus/pci/devices/BDF/NAME. */
static int read_link_name(const char *bdf, const char *name, char *target, size_t length)
{
	char path[128], link[PATH_MAX];
	const char *base;
	ssize_t n;

	snprintf(path, sizeof(path), SYSFS_PCI "/%s/%s", bdf, name);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -errno;
	link[n] = '\0';
	base = strrchr(link, '/');
	return copy_name(base ? base + 1 : link, target, length);
}

/* vfio-dev/ holds the VFIO device's name, whichever VFIO driver made it. */
static int vfio_name(const char *bdf, char *name, size_t length)
{
	struct dirent *entry;
	char path[128];
	int ret = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), SYSFS_PCI "/%s/vfio-dev", bdf);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		ret = copy_name(entry->d_name, name, length);
		break;
	}
	closedir(dir);
	return ret;
}

static int report_not_bound(const struct vfio_device *device, struct error *err)
{
	char driver[64], path[128], release[128] = "";
	const char *bdf = device->bdf;

	snprintf(path, sizeof(path), SYSFS_PCI "/%s", bdf);
	if (access(path, F_OK))
		return error_missing(err, ENODEV, "there is no PCI function %s (lspci -D lists them)",
				     bdf);
	if (read_link_name(bdf, "driver", driver, sizeof(driver)))
		snprintf(driver, sizeof(driver), "no driver");
	else
		snprintf(release, sizeof(release),
			 "echo %s > " SYSFS_PCI "/%s/driver/unbind; ", bdf, bdf);
	return error_missing(err, ENODEV,
			     "PCI function %s is bound to %s, not to vfio-pci; to bind it, as root: "
			     "modprobe vfio-pci; echo vfio-pci > " SYSFS_PCI "/%s/driver_override; "
			     "%secho %s > /sys/bus/pci/drivers_probe",
			     bdf, driver, bdf, release, bdf);
}

static int open_node(const char *path, const char *purpose, struct error *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case EACCES:
	case EPERM:
		return error_missing(err, errno,
				     "no permission to open %s (%s): run as root, or give your user "
				     "read and write access to it", path, purpose);
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return error_missing(err, errno,
				     "%s (%s) is not there: the kernel lacks it, or its module is not "
				     "loaded", path, purpose);
	case EBUSY:
		return error_set(err, errno, "%s (%s) is held by another process", path, purpose);
	default:
		return error_set(err, errno, "cannot open %s (%s)", path, purpose);
	}
}

static void set_cdev_path(struct vfio_device *device, const char *name)
{
	snprintf(device->path, sizeof(device->path), "/dev/vfio/devices/%.40s", name);
}

static int prepare_cdev(struct vfio_device *device, const char *name, struct error *err)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int fd;

	set_cdev_path(device, name);
	fd = open_node("/dev/iommu", "iommufd", err);
	if (fd < 0)
		return fd;
	device->iommu_fd = fd;
	if (ioctl(fd, IOMMU_IOAS_ALLOC, &alloc))
		return error_set(err, errno, "IOMMU_IOAS_ALLOC on /dev/iommu failed");
	device->ioas_id = alloc.out_ioas_id;
	return 0;
}

static int prepare_group(struct vfio_device *device, struct error *err)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char group[32];
	int ret;

	ret = read_link_name(device->bdf, "iommu_group", group, sizeof(group));
	if (ret)
		return error_missing(err, -ret, "PCI function %s is in no IOMMU group: the machine's "
				     "IOMMU is off", device->bdf);
	snprintf(device->path, sizeof(device->path), "/dev/vfio/%s", group);
	ret = open_node("/dev/vfio/vfio", "VFIO container", err);
	if (ret < 0)
		return ret;
	device->iommu_fd = ret;
	ret = open_node(device->path, "VFIO group", err);
	if (ret < 0)
		return ret;
	device->group_fd = ret;
	if (ioctl(device->group_fd, VFIO_GROUP_GET_STATUS, &status))
		return error_set(err, errno, "VFIO_GROUP_GET_STATUS on %s failed", device->path);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return error_missing(err, EPERM, "%s holds other functions than %s that are not bound to "
				     "vfio-pci: bind them too (see " SYSFS_PCI "/%s/iommu_group/devices)",
				     device->path, device->bdf, device->bdf);
	if (ioctl(device->group_fd, VFIO_GROUP_SET_CONTAINER, &device->iommu_fd))
		return error_set(err, errno, "VFIO_GROUP_SET_CONTAINER on %s failed", device->path);
	if (ioctl(device->iommu_fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return error_set(err, errno, "VFIO_SET_IOMMU (type 1) for %s failed", device->path);
	return 0;
}

static int prepare_none(struct vfio_device *device, const char *bdf, enum vfio_interface interface,
			char *name, size_t length, struct error *err)
{
	int ret;

	*device = (struct vfio_device){
		.interface = interface, .device_fd = -1, .iommu_fd = -1, .group_fd = -1,
	};
	ret = normalise_bdf(device, bdf, err);
	if (ret)
		return ret;
	if (vfio_name(device->bdf, name, length))
		return report_not_bound(device, err);
	return 0;
}

int vfio_device_prepare(struct vfio_device *device, const char *bdf,
			enum vfio_interface interface, struct error *err)
{
	char name[64];
	int ret;

	ret = prepare_none(device, bdf, interface, name, sizeof(name), err);
	if (ret)
		return ret;
	ret = interface == VFIO_INTERFACE_CDEV ? prepare_cdev(device, name, err) :
						 prepare_group(device, err);
	if (ret)
		vfio_device_release(device);
	return ret;
}

int vfio_device_prepare_beside(struct vfio_device *device, const struct vfio_device *first,
			       const char *bdf, struct error *err)
{
	char name[64];
	int ret;

	ret = prepare_none(device, bdf, first->interface, name, sizeof(name), err);
	if (ret)
		return ret;
	if (first->interface != VFIO_INTERFACE_CDEV)
		return error_set(err, EOPNOTSUPP, "%s can be opened beside %s through the cdev "
				 "interface only", device->bdf, first->bdf);
	set_cdev_path(device, name);
	device->iommu_fd = fcntl(first->iommu_fd, F_DUPFD_CLOEXEC, 0);
	if (device->iommu_fd < 0)
		return error_set(err, errno, "cannot duplicate the iommufd of %s", first->bdf);
	device->ioas_id = first->ioas_id;
	return 0;
}

static int get_cdev(struct vfio_device *device, struct error *err)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind), .iommufd = device->iommu_fd,
	};
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach), .pt_id = device->ioas_id,
	};
	int fd, ret;

	fd = open_node(device->path, "VFIO device", err);
	if (fd < 0)
		return fd;
	if (ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		ret = errno == EPERM ?
			error_missing(err, errno, "binding %s (%s) to iommufd is not permitted: the "
				      "machine's IOMMU offers no interrupt remapping",
				      device->path, device->bdf) :
			error_set(err, errno, "VFIO_DEVICE_BIND_IOMMUFD on %s (%s) failed%s",
				  device->path, device->bdf,
				  errno == EBUSY ? ": another process has it open" : "");
		close(fd);
		return ret;
	}
	if (ioctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach)) {
		ret = error_set(err, errno, "VFIO_DEVICE_ATTACH_IOMMUFD_PT on %s (%s) failed",
				device->path, device->bdf);
		close(fd);
		return ret;
	}
	return fd;
}

int vfio_device_get(struct vfio_device *device, struct error *err)
{
	int fd;

	if (device->interface == VFIO_INTERFACE_CDEV) {
		fd = get_cdev(device, err);
	} else {
		fd = ioctl(device->group_fd, VFIO_GROUP_GET_DEVICE_FD, device->bdf);
		if (fd < 0)
			fd = error_set(err, errno, "VFIO_GROUP_GET_DEVICE_FD of %s on %s failed",
				       device->bdf, device->path);
	}
	if (fd < 0)
		return fd;
	device->device_fd = fd;
	return 0;
}

int vfio_device_put(struct vfio_device *device)
{
	int fd = device->device_fd;

	device->device_fd = -1;
	if (fd < 0)
		return -EBADF;
	return close(fd) ? -errno : 0;
}

void vfio_device_release(struct vfio_device *device)
{
	if (device->device_fd >= 0)
		vfio_device_put(device);
	if (device->group_fd >= 0)
		close(device->group_fd);
	if (device->iommu_fd >= 0)
		close(device->iommu_fd);
	device->group_fd = -1;
	device->iommu_fd = -1;
}
