/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Which RDMA device of this machine can do what with memory that its owner takes
 * back: a line for each, or JSON.
 */
#include <argp.h>
#include <errno.h>
#include <infiniband/verbs.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "error.h"
#include "rdma_levels.h"

struct request {
	const char *device;
	bool json;
};

/* What one device answered. */
struct answer {
	const char *device;
	char driver[64];
	enum dmabuf_level level;
	bool odp;
	/* Of a registration with an fd that is none: EBADF from a driver that would have gone on. */
	int refusal;
};

static void driver_of(const char *device, char *driver, size_t size)
{
	char path[160], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/device/driver", device);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	snprintf(driver, size, "%s", length > 0 ? strrchr(target, '/') + 1 : "");
}

static enum dmabuf_level level_of(const char *device, const struct rdma_level *levels, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(levels[i].device, device))
			return levels[i].level;
	return DMABUF_LEVEL_UNTOLD;
}

static int ask(struct ibv_device *device, struct answer *answer, struct error *err)
{
	struct ibv_device_attr_ex attr = { 0 };
	struct ibv_context *context = ibv_open_device(device);
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	int ret = 0;

	if (!context)
		return error_set(err, errno, "%s cannot be opened (are you allowed to open "
				 "/dev/infiniband/%s?)", answer->device,
				 device->dev_name);
	if (!ibv_query_device_ex(context, NULL, &attr))
		answer->odp = attr.odp_caps.general_caps & IBV_ODP_SUPPORT;
	pd = ibv_alloc_pd(context);
	if (!pd) {
		ret = error_set(err, errno, "%s gives no protection domain", answer->device);
		goto close;
	}
	mr = ibv_reg_dmabuf_mr(pd, 0, 4096, 0, -1, IBV_ACCESS_LOCAL_WRITE);
	answer->refusal = errno;
	if (mr) {
		ibv_dereg_mr(mr);
		ret = error_set(err, 0, "%s registered the fd -1", answer->device);
	}
	ibv_dealloc_pd(pd);
close:
	ibv_close_device(context);
	return ret;
}

static bool registers(const struct answer *answer)
{
	return answer->refusal == EBADF;
}

/* What becomes of an MR over the memory of a VFIO device, or why there is none. */
static const char *verdict(const struct answer *answer)
{
	if (answer->refusal == EOPNOTSUPP)
		return "no: the driver registers no dma-bufs";
	if (answer->refusal == EINVAL)
		return "no: the driver refuses every dma-buf (mlx5: the device does not update "
			"translations by UMR)";
	if (!registers(answer))
		return "no: the driver refuses every dma-buf";
	switch (answer->level) {
	case DMABUF_LEVEL_FAULTING:
		return "yes: revoked, it fails until the memory is back, then serves again";
	case DMABUF_LEVEL_REVOKING:
		return "yes: the first revoke ends it; register again";
	case DMABUF_LEVEL_UNSUPPORTED:
		return "no: EOPNOTSUPP, the device cannot let go; memory that stays is fine";
	case DMABUF_LEVEL_UNTOLD:
		break;
	}
	return "not told: a kernel without the levels, or a driver that states none";
}

static json_t *as_json(const struct answer *answer)
{
	const char *level = dmabuf_level_name(answer->level);

	return json_pack("{s:s, s:s, s:s?, s:b, s:b, s:s, s:s}", "device", answer->device,
			 "driver", answer->driver, "level", level, "odp", answer->odp,
			 "registers_dmabuf", registers(answer),
			 "refusal", registers(answer) ? "" : strerrorname_np(answer->refusal),
			 "vfio_memory", verdict(answer));
}

static void print_row(const struct answer *answer)
{
	const char *level = dmabuf_level_name(answer->level);

	printf("%-16s %-12s %-12s %-4s %s\n", answer->device, answer->driver, level ? level : "-",
	       answer->odp ? "yes" : "no", verdict(answer));
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case 'd':
		request->device = arg;
		return 0;
	case 'j':
		request->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" belongs to no option", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "ib-dev", 'd', "DEVICE", 0, "this RDMA device only (default: all)", 0 },
	{ "json", 'j', NULL, 0, "an array of objects instead of the table", 0 },
	{ 0 }
};

static const struct argp program = {
	argp_options, parse_option, NULL,
	"Tells of every RDMA device how its memory regions take it when the exporter of a dma-buf takes "
	"the memory back (the move notify level), whether it has on-demand paging, and whether memory of "
	"a VFIO device can be registered with it.\v"
	"Nothing is changed: the kernel is asked over netlink, and the driver by a registration with an "
	"fd that is none. Exit status: 0; 1 if a device could not be asked; 2 for wrong options; 4 if "
	"there is no RDMA device.",
	NULL, NULL, NULL
};

static int ask_all(const struct request *request, struct ibv_device **devices, json_t *array,
		   const struct rdma_level *levels, size_t count)
{
	int status = EXIT_STATUS_CANNOT_RUN;
	struct error err;

	for (; *devices; devices++) {
		struct answer answer = { .device = ibv_get_device_name(*devices) };

		if (request->device && strcmp(request->device, answer.device))
			continue;
		if (status == EXIT_STATUS_CANNOT_RUN)
			status = EXIT_STATUS_OK;
		driver_of(answer.device, answer.driver, sizeof(answer.driver));
		answer.level = level_of(answer.device, levels, count);
		if (ask(*devices, &answer, &err)) {
			fprintf(stderr, "dmabuf_levels: %s\n", err.text);
			status = EXIT_STATUS_FAILED;
		} else if (array) {
			json_array_append_new(array, as_json(&answer));
		} else {
			print_row(&answer);
		}
	}
	if (status == EXIT_STATUS_CANNOT_RUN)
		fprintf(stderr, "dmabuf_levels: there is no RDMA device%s%s (ibv_devices lists those "
			"there are)\n", request->device ? " " : "",
			request->device ? request->device : "");
	return status;
}

int main(int argc, char **argv)
{
	struct request request = { 0 };
	struct ibv_device **devices;
	struct rdma_level *levels;
	json_t *array = NULL;
	struct error err;
	size_t count;
	int status;

	argp_err_exit_status = EXIT_STATUS_USAGE;
	argp_parse(&program, argc, argv, 0, NULL, &request);
	if (rdma_levels_read(&levels, &count, &err)) {
		fprintf(stderr, "dmabuf_levels: %s\n", err.text);
		return error_exit_status(&err);
	}
	devices = ibv_get_device_list(NULL);
	if (!devices) {
		fprintf(stderr, "dmabuf_levels: the RDMA devices cannot be listed: %m\n");
		free(levels);
		return EXIT_STATUS_FAILED;
	}
	if (request.json)
		array = json_array();
	else
		printf("%-16s %-12s %-12s %-4s %s\n", "device", "driver", "level", "ODP",
		       "memory of a VFIO device");
	status = ask_all(&request, devices, array, levels, count);
	if (array) {
		json_dumpf(array, stdout, JSON_INDENT(2));
		puts("");
		json_decref(array);
	}
	ibv_free_device_list(devices);
	free(levels);
	return status;
}
