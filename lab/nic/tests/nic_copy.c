// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The copy device as a program, for a real QEMU: nic_copy [--keep] SOCKET [CONTROL_SOCKET] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../control/control.h"
#include "copy_device.h"

int main(int argc, char **argv)
{
	bool keep = argc > 1 && !strcmp(argv[1], "--keep");
	struct ev_loop *loop = EV_DEFAULT;
	struct counters *counters = counters_new();
	struct knobs *knobs = knobs_new();
	struct control *control = control_new(loop, counters, knobs);
	struct copy_device *copy = copy_device_new(counters, loop);
	int ret = 0, first = 1 + keep;
	char *dump;
	json_t *all;

	if (argc <= first || argc > first + 2) {
		fprintf(stderr, "usage: nic_copy [--keep] SOCKET [CONTROL_SOCKET]\n");
		return 2;
	}
	pci_device_set_log(copy_device_pci(copy), stderr);
	ret = pci_device_listen(copy_device_pci(copy), argv[first]);
	if (!ret && argc > first + 1)
		ret = control_listen(control, argv[first + 1]);
	if (ret) {
		fprintf(stderr, "nic_copy: cannot listen at %s: %s\n", argv[first],
			strerror(-ret));
	} else {
		puts("listening");
		fflush(stdout);
		pci_device_run(copy_device_pci(copy), keep);
	}
	all = counters_json(counters);
	dump = json_dumps(all, JSON_INDENT(1));
	puts(dump);
	free(dump);
	json_decref(all);
	copy_device_free(copy);
	control_free(control);
	knobs_free(knobs);
	counters_free(counters);
	return ret ? 1 : 0;
}
