/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int driver_may_unbind(struct error *err)
{
	const char *text = getenv("TESTS_MAY_UNBIND");

	if (text && !strcmp(text, "1"))
		return 0;
	return error_missing(err, 0, "permission to unbind drivers: say so with TESTS_MAY_UNBIND=1"),
	       -EPERM;
}

static int link_name(const char *path, char *name, size_t length, struct error *err)
{
	char target[PATH_MAX];
	const char *base;
	ssize_t n;

	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return error_set(err, errno, "cannot read the link %s", path);
	target[n] = '\0';
	base = strrchr(target, '/');
	snprintf(name, length, "%s", base ? base + 1 : target);
	return 0;
}

int driver_name(const char *bdf, char *name, size_t length, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", bdf);
	return link_name(path, name, length, err);
}

int driver_bdf_of_ib_device(const char *device, char *bdf, size_t length, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/device", device);
	return link_name(path, bdf, length, err);
}

static int write_bdf(const char *driver, const char *file, const char *bdf, struct error *err)
{
	char path[PATH_MAX];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s", driver, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, errno, "cannot open %s", path);
	if (write(fd, bdf, strlen(bdf)) < 0)
		ret = error_set(err, errno, "writing %s to %s failed", bdf, path);
	close(fd);
	return ret;
}

int driver_unbind(const char *driver, const char *bdf, struct error *err)
{
	return write_bdf(driver, "unbind", bdf, err);
}

int driver_bind(const char *driver, const char *bdf, struct error *err)
{
	return write_bdf(driver, "bind", bdf, err);
}
