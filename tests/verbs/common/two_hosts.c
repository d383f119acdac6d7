/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "two_hosts.h"

int two_hosts_set_up(struct two_hosts *hosts)
{
	int ret;

	hosts->remote.socket = -1;
	ret = fixture_setup((void **)&hosts->fixture);
	if (!ret)
		ret = remote_start(&hosts->remote, &hosts->fixture->peer, &test_error);
	if (ret)
		print_error("# setup: %s\n", test_error.text);
	return ret;
}

void two_hosts_tear_down(struct two_hosts *hosts)
{
	if (!hosts->fixture)
		return;
	lab_mend_link(hosts->fixture->lab);
	remote_stop(&hosts->remote);
	fixture_teardown((void **)&hosts->fixture);
}

void must_set_link(struct lab_control *lab, json_t *how)
{
	int ret = lab_set_link(lab, how, &test_error);

	if (ret && test_error.missing)
		test_skip("%s", test_error.text);
	must(ret);
}
