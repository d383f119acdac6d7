/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* nic-mlx5: an emulated ConnectX-5 InfiniBand function behind a vfio-user socket. */
#include <string.h>

#include "../common/model_program.h"
#include "device.h"

static struct mlx5_options model = {.guid = 0x0200000000000100ull};

static bool set_option(int option, const char *value)
{
	if (option == 'o') {
		model.transport_faults = !strcmp(value, "transport");
		if (model.transport_faults || !strcmp(value, "memory"))
			return true;
		fprintf(stderr, "nic-mlx5: --odp-scheme is memory or transport\n");
		return false;
	}
	return model_parse_hex("nic-mlx5", "--guid", value, &model.guid);
}

static void *new_device(const struct model_host *host)
{
	return mlx5_device_new(&model, host);
}

static struct pci_device *pci(void *device)
{
	return ((struct mlx5_device *)device)->pci;
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
		.free_device = free_device,
	};

	return model_program_run(&program, argc, argv);
}
