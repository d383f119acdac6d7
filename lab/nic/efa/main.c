/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* nic-efa: an emulated Elastic Fabric Adapter behind a vfio-user socket. */
#include <string.h>

#include "../common/model_program.h"
#include "efa.h"

static struct efa_options model = {.guid = 0x0200000000000200ull, .api_version = 0x0003};

static bool set_api(const char *value)
{
	static const char *const versions[] = {"0.1", "0.2", "0.3"};

	for (u32 i = 0; i < G_N_ELEMENTS(versions); i++) {
		if (!strcmp(value, versions[i])) {
			model.api_version = i + 1;
			return true;
		}
	}
	fprintf(stderr, "nic-efa: --api is 0.1, 0.2 or 0.3\n");
	return false;
}

static bool set_option(int option, const char *value)
{
	if (option == 'a')
		return set_api(value);
	return model_parse_hex("nic-efa", "--guid", value, &model.guid);
}

static void *new_device(const struct model_host *host)
{
	return efa_device_new(&model, host);
}

static struct pci_device *pci(void *device)
{
	return ((struct efa_device *)device)->pci;
}

static void free_device(void *device)
{
	efa_device_free(device);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"api", required_argument, NULL, 'a'},
		{"guid", required_argument, NULL, 'g'},
		{},
	};
	static const struct model_program program = {
		.name = "nic-efa",
		.synopsis = "[--api VERSION] [--guid HEX]",
		.help = "  --api VERSION      of the admin commands: 0.1, 0.2 (completions have a checksum) or\n"
			"                     0.3 (commands as well, and they are longer; the default)\n"
			"  --guid HEX         the first host's device's GUID; its address is made of it\n",
		.options = options,
		.set_option = set_option,
		.new_device = new_device,
		.pci = pci,
		.free_device = free_device,
	};

	return model_program_run(&program, argc, argv);
}
