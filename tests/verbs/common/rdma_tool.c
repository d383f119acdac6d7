/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "rdma_tool.h"

#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"

json_t *rdma_tool_ask(const char *command)
{
	json_error_t error;
	json_t *list;
	FILE *pipe;

	if (system("command -v rdma > /dev/null"))
		test_skip("the program rdma is not there (package iproute2)");
	pipe = popen(command, "re");
	assert_non_null(pipe);
	list = json_loadf(pipe, 0, &error);
	if (pclose(pipe) || !list)
		fail_msg("\"%s\" failed: %s", command, error.text);
	return list;
}

json_t *rdma_tool_mr(const struct ibv_mr *mr)
{
	json_t *list = rdma_tool_ask("rdma -j -dd resource show mr"), *entry, *found = NULL;
	size_t i;

	json_array_foreach(list, i, entry) {
		const char *rkey = json_string_value(json_object_get(entry, "rkey"));

		if (rkey && strtoul(rkey, NULL, 16) == mr->rkey)
			found = json_incref(entry);
	}
	json_decref(list);
	if (!found)
		fail_msg("\"rdma resource show mr\" does not list rkey %#x", mr->rkey);
	return found;
}
