/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "device_memory.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_memory(struct ibv_context *context, size_t size)
{
	struct ibv_device_attr_ex attr = {};

	return !ibv_query_device_ex(context, NULL, &attr) && attr.max_dm_size >= size;
}

static struct ibv_context *find(const char *not_on, size_t size)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	struct ibv_context *context = NULL;

	for (unsigned int i = 0; devices && devices[i] && !context; i++) {
		if (!strcmp(ibv_get_device_name(devices[i]), not_on))
			continue;
		context = ibv_open_device(devices[i]);
		if (context && !has_memory(context, size)) {
			ibv_close_device(context);
			context = NULL;
		}
	}
	if (devices)
		ibv_free_device_list(devices);
	return context;
}

int device_memory_export(struct device_memory *memory, struct error *err)
{
	int (*export)(struct ibv_dm *) = dlsym(RTLD_DEFAULT, "ibv_dm_export_dmabuf_fd");
	int fd;

	if (!export)
		return error_missing(err, ENOSYS,
				     "this libibverbs has no ibv_dm_export_dmabuf_fd()");
	fd = export(memory->dm);
	if (fd >= 0)
		return fd;
	return errno == EOPNOTSUPP || errno == EPROTONOSUPPORT ?
		error_missing(err, errno, "this kernel does not lend memory of RDMA devices") :
		error_set(err, errno, "%s does not lend its memory",
			  ibv_get_device_name(memory->context->device));
}

int device_memory_open(struct device_memory *memory, const char *not_on, size_t size,
		       struct error *err)
{
	struct ibv_alloc_dm_attr attr = { .length = size };
	int ret;

	*memory = (struct device_memory){ .size = size, .dmabuf = -1 };
	memory->context = find(not_on, size);
	if (!memory->context)
		return error_missing(err, ENODEV, "no RDMA device but %s has memory to lend", not_on);
	memory->dm = ibv_alloc_dm(memory->context, &attr);
	if (!memory->dm) {
		ret = error_set(err, errno, "cannot allocate %zu bytes on %s", size,
				ibv_get_device_name(memory->context->device));
		goto fail;
	}
	ret = device_memory_export(memory, err);
	if (ret < 0)
		goto fail;
	memory->dmabuf = ret;
	return 0;
fail:
	device_memory_close(memory);
	return ret;
}

void device_memory_close_dmabuf(struct device_memory *memory)
{
	if (memory->dmabuf >= 0)
		close(memory->dmabuf);
	memory->dmabuf = -1;
}

int device_memory_free(struct device_memory *memory, struct error *err)
{
	int ret = memory->dm ? ibv_free_dm(memory->dm) : 0;

	if (ret)
		return error_set(err, ret, "cannot free memory of %s",
				 ibv_get_device_name(memory->context->device));
	memory->dm = NULL;
	return 0;
}

void device_memory_close(struct device_memory *memory)
{
	device_memory_close_dmabuf(memory);
	if (!memory->context)
		return;
	/* Fails if the device is gone, and then so is the memory. */
	device_memory_free(memory, NULL);
	ibv_close_device(memory->context);
	memory->context = NULL;
}

int device_memory_put(struct device_memory *memory, const void *data, struct error *err)
{
	int ret = ibv_memcpy_to_dm(memory->dm, 0, data, memory->size);

	return ret ? error_set(err, ret, "cannot write memory of a device") : 0;
}

int device_memory_get(struct device_memory *memory, void *data, struct error *err)
{
	int ret = ibv_memcpy_from_dm(data, memory->dm, 0, memory->size);

	return ret ? error_set(err, ret, "cannot read memory of a device") : 0;
}

/* ---- another process ---- */

union one_fd {
	struct cmsghdr header;
	char buffer[CMSG_SPACE(sizeof(int))];
};

static void own(int socket, const char *not_on, size_t size)
{
	union one_fd control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
					     .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec part = { .iov_base = "", .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.buffer,
				  .msg_controllen = sizeof(control.buffer) };
	struct device_memory memory;
	struct error err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (device_memory_open(&memory, not_on, size, &err)) {
		fprintf(stderr, "# the owner of the memory: %s\n", err.text);
		_exit(1);
	}
	memcpy(CMSG_DATA(&control.header), &memory.dmabuf, sizeof(int));
	if (sendmsg(socket, &message, MSG_NOSIGNAL) != 1)
		_exit(1);
	for (;;)
		pause();
}

int device_memory_owner_start(struct device_memory_owner *owner, const char *not_on, size_t size,
			      struct error *err)
{
	union one_fd control;
	char byte;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.buffer,
				  .msg_controllen = sizeof(control.buffer) };
	ssize_t received;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return error_set(err, errno, "cannot make a socket pair");
	owner->pid = fork();
	if (!owner->pid) {
		close(pair[0]);
		own(pair[1], not_on, size);
	}
	close(pair[1]);
	received = owner->pid < 0 ? -1 : recvmsg(pair[0], &message, MSG_CMSG_CLOEXEC);
	close(pair[0]);
	if (received != 1 || !CMSG_FIRSTHDR(&message)) {
		device_memory_owner_kill(owner, NULL);
		return error_set(err, ECHILD, "the other process has no memory to lend");
	}
	memcpy(&owner->dmabuf, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return 0;
}

int device_memory_owner_kill(struct device_memory_owner *owner, struct error *err)
{
	if (owner->pid > 0 && (kill(owner->pid, SIGKILL) || waitpid(owner->pid, NULL, 0) < 0))
		return error_set(err, errno, "cannot kill process %d", (int)owner->pid);
	owner->pid = 0;
	return 0;
}
