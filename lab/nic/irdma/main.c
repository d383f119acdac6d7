/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* nic-irdma: an emulated E810 RDMA function behind a vfio-user socket. */
#include <stdlib.h>

#include "../common/model_program.h"
#include "irdma.h"

static struct irdma_options model = {.mac = 0x020000000300ull};

static bool set_option(int option, const char *value)
{
	char *end;

	(void)option;
	model.mac = strtoull(value, &end, 16);
	/* 48 bits, and not of a group. */
	if (*value && !*end && !(model.mac >> 48) && !(model.mac >> 40 & 1))
		return true;
	fprintf(stderr, "nic-irdma: --mac %s is no hexadecimal unicast address\n", value);
	return false;
}

static void *new_device(const struct model_host *host)
{
	return irdma_device_new(&model, host);
}

static struct pci_device *pci(void *device)
{
	return ((struct irdma_device *)device)->pci;
}

static void free_device(void *device)
{
	irdma_device_free(device);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"mac", required_argument, NULL, 'm'},
		{},
	};
	static const struct model_program program = {
		.name = "nic-irdma",
		.synopsis = "[--mac HEX]",
		.help = "  --mac HEX          the first host's MAC address, twelve digits\n",
		.options = options,
		.set_option = set_option,
		.new_device = new_device,
		.pci = pci,
		.free_device = free_device,
	};

	return model_program_run(&program, argc, argv);
}
