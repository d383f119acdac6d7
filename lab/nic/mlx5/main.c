/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* nic-mlx5: an emulated ConnectX-5 InfiniBand function behind a vfio-user socket. */
#include <stdlib.h>
#include <string.h>

#include "../common/model_program.h"
#include "device.h"

#define GUIDS_OF_A_HOST 0x10

static struct mlx5_options model = {.guid = 0x0200000000000100ull};

static bool set_option(int option, const char *value)
{
	char *end;

	if (option == 'o') {
		model.transport_faults = !strcmp(value, "transport");
		if (model.transport_faults || !strcmp(value, "memory"))
			return true;
		fprintf(stderr, "nic-mlx5: --odp-scheme is memory or transport\n");
		return false;
	}
	model.guid = strtoull(value, &end, 16);
	if (*value && !*end)
		return true;
	fprintf(stderr, "nic-mlx5: --guid %s is no hexadecimal number\n", value);
	return false;
}

static void *new_device(const struct model_host *host)
{
	struct mlx5_options options = model;

	options.guid += (u64)GUIDS_OF_A_HOST * host->number;
	options.lid = host->number + 1;
	options.fabric = host->fabric;
	options.log = host->log;
	return mlx5_device_new(&options, host->counters, host->knobs, host->loop);
}

static struct pci_device *pci(void *device)
{
	return ((struct mlx5_device *)device)->pci;
}

static void add_control(void *device, struct control *control)
{
	mlx5_device_control(device, control);
}

static void free_device(void *device)
{
	mlx5_device_free(device);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"odp-scheme", required_argument, NULL, 'o'},
		{"guid", required_argument, NULL, 'g'},
		{},
	};
	static const struct model_program program = {
		.name = "nic-mlx5",
		.synopsis = "[--odp-scheme memory|transport] [--guid HEX]",
		.help = "  --odp-scheme NAME  how page faults are reported; memory is the default\n"
			"  --guid HEX         the first host's node GUID; its port's is one more\n",
		.options = options,
		.set_option = set_option,
		.new_device = new_device,
		.pci = pci,
		.add_control = add_control,
		.free_device = free_device,
	};

	return model_program_run(&program, argc, argv);
}
