/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "rdma_driver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "compat.h"
#include "patience.h"

#define NODES "/dev/infiniband"
/* What takes longer hangs, on a kernel that checks itself too. */
#define UNBIND_MS patience(60000)
/* Nothing tells that somebody has begun to wait: this long it has not ended by itself. */
#define WAITS_MS patience(1000)

/* The driver of a device in sysfs, if its name begins with module. */
static bool take_driver(struct rdma_driver *driver, const char *device, const char *module)
{
	char link[PATH_MAX], path[PATH_MAX];
	const char *name;

	snprintf(link, sizeof(link), "%s/driver", device);
	if (!realpath(link, path))
		return false;
	name = strrchr(path, '/') + 1;
	if (strncmp(name, module, strlen(module)) || strlen(path) >= sizeof(driver->path))
		return false;
	strcpy(driver->path, path);
	snprintf(driver->device, sizeof(driver->device), "%s", strrchr(device, '/') + 1);
	return true;
}

static bool take_child_driver(struct rdma_driver *driver, const char *function, const char *module)
{
	const struct dirent *entry;
	bool found = false;
	char child[PATH_MAX];
	DIR *folder = opendir(function);

	while (folder && !found && (entry = readdir(folder))) {
		/* Not the links, which lead elsewhere. */
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(child, sizeof(child), "%s/%s", function, entry->d_name) <
		    (int)sizeof(child))
			found = take_driver(driver, child, module);
	}
	if (folder)
		closedir(folder);
	return found;
}

int rdma_driver_find(struct rdma_driver *driver, const struct ibv_context *context,
		     const char *module, struct error *err)
{
	const char *name = ibv_get_device_name(context->device);
	char link[PATH_MAX], function[PATH_MAX];

	*driver = (struct rdma_driver){ .pidfd = -1 };
	snprintf(driver->node, sizeof(driver->node), "%s", context->device->dev_name);
	snprintf(link, sizeof(link), "/sys/class/infiniband/%s/device", name);
	if (!realpath(link, function))
		return error_set(err, errno, "RDMA device %s: cannot follow %s", name, link);
	if (take_driver(driver, function, module) || take_child_driver(driver, function, module))
		return 0;
	return error_set(err, ENODEV, "RDMA device %s: neither %s nor an auxiliary device of it has a "
			 "driver %s", name, function, module);
}

/* By another program: this one has the device open, and may have to close it meanwhile. */
static int start_unbinder(struct rdma_driver *driver, struct error *err)
{
	char script[] = "echo \"$1\" > \"$2/unbind\"";
	char *const arguments[] = { "sh", "-c", script, "sh", driver->device, driver->path, NULL };
	int ret;

	ret = posix_spawn(&driver->unbinder, "/bin/sh", NULL, NULL, arguments, environ);
	if (ret) {
		driver->unbinder = 0;
		return error_set(err, ret, "cannot start /bin/sh");
	}
	driver->pidfd = pidfd_open(driver->unbinder, 0);
	if (driver->pidfd < 0)
		return error_set(err, errno, "pidfd_open failed");
	return 0;
}

static bool ends_within(const struct rdma_driver *driver, int timeout_ms)
{
	struct pollfd end = { .fd = driver->pidfd, .events = POLLIN };

	return poll(&end, 1, timeout_ms) == 1;
}

static int reap_unbinder(struct rdma_driver *driver, struct error *err)
{
	int status = 0;

	waitpid(driver->unbinder, &status, 0);
	close(driver->pidfd);
	driver->unbinder = 0;
	driver->pidfd = -1;
	if (status)
		return error_set(err, EIO, "writing %s to %s/unbind failed", driver->device,
				 driver->path);
	return 0;
}

static bool deletes_node(const char *events, ssize_t length, const char *node)
{
	const struct inotify_event *event;

	for (ssize_t at = 0; at < length; at += (ssize_t)(sizeof(*event) + event->len)) {
		event = (const struct inotify_event *)(events + at);
		if (event->len && !strcmp(event->name, node))
			return true;
	}
	return false;
}

/* The node of the device goes before anything else does. */
static int wait_for_node(struct rdma_driver *driver, int watch, struct error *err)
{
	const int64_t deadline = clock_now_ns() + (int64_t)UNBIND_MS * 1000000;
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct pollfd news = { .fd = watch, .events = POLLIN };
	bool gone = false;
	int64_t left;

	while (!gone) {
		left = (deadline - clock_now_ns()) / 1000000;
		if (left <= 0 || poll(&news, 1, (int)left) != 1)
			return error_set(err, ETIMEDOUT, "%s/%s is still there %d ms after the unbind",
					 NODES, driver->node, UNBIND_MS);
		gone = deletes_node(events, read(watch, events, sizeof(events)), driver->node);
	}
	return 0;
}

int rdma_driver_unbind(struct rdma_driver *driver, bool patient, bool *waits, struct error *err)
{
	int watch, ret;

	watch = inotify_init1(IN_CLOEXEC);
	if (watch < 0 || inotify_add_watch(watch, NODES, IN_DELETE) < 0) {
		ret = error_set(err, errno, "cannot watch %s", NODES);
		goto close;
	}
	ret = start_unbinder(driver, err);
	if (!ret)
		ret = wait_for_node(driver, watch, err);
	if (!ret) {
		*waits = !ends_within(driver, patient ? WAITS_MS : UNBIND_MS);
		ret = *waits ? 0 : reap_unbinder(driver, err);
	}
close:
	if (watch >= 0)
		close(watch);
	return ret;
}

bool rdma_driver_waits(const struct rdma_driver *driver)
{
	return driver->unbinder && !ends_within(driver, 0);
}

int rdma_driver_unbound(struct rdma_driver *driver, struct error *err)
{
	if (!ends_within(driver, UNBIND_MS))
		return error_set(err, ETIMEDOUT, "%s has not let go of %s within %d ms", driver->path,
				 driver->device, UNBIND_MS);
	return reap_unbinder(driver, err);
}

int rdma_driver_bind(const struct rdma_driver *driver, struct error *err)
{
	char path[PATH_MAX];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/bind", driver->path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, errno, "cannot open %s", path);
	if (write(fd, driver->device, strlen(driver->device)) < 0)
		ret = error_set(err, errno, "writing %s to %s failed", driver->device, path);
	close(fd);
	return ret;
}
