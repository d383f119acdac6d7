/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "device_memory.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
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

int device_memory_open(struct device_memory *memory, const char *not_on, size_t size,
		       struct error *err)
{
	struct ibv_alloc_dm_attr attr = { .length = size };
	int (*export)(struct ibv_dm *) = dlsym(RTLD_DEFAULT, "ibv_dm_export_dmabuf_fd");
	int ret;

	*memory = (struct device_memory){ .size = size, .dmabuf = -1 };
	if (!export)
		return error_missing(err, ENOSYS,
				     "this libibverbs has no ibv_dm_export_dmabuf_fd()");
	memory->context = find(not_on, size);
	if (!memory->context)
		return error_missing(err, ENODEV, "no RDMA device but %s has memory to lend", not_on);
	memory->dm = ibv_alloc_dm(memory->context, &attr);
	if (!memory->dm) {
		ret = error_set(err, errno, "cannot allocate %zu bytes on %s", size,
				ibv_get_device_name(memory->context->device));
		goto fail;
	}
	memory->dmabuf = export(memory->dm);
	if (memory->dmabuf < 0) {
		ret = errno == EOPNOTSUPP || errno == EPROTONOSUPPORT ?
			error_missing(err, errno, "this kernel does not lend memory of RDMA devices") :
			error_set(err, errno, "%s does not lend its memory",
				  ibv_get_device_name(memory->context->device));
		goto fail;
	}
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
