/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The fixture of tests whose peer is another machine. */
#ifndef TESTS_VERBS_COMMON_TWO_HOSTS_H
#define TESTS_VERBS_COMMON_TWO_HOSTS_H

#include "fixture.h"
#include "remote.h"

struct two_hosts {
	struct fixture *fixture;
	struct remote remote;
};

/* Of zeroed hosts, as cmocka's: 0, or what failed has been printed. */
int two_hosts_set_up(struct two_hosts *hosts);
void two_hosts_tear_down(struct two_hosts *hosts);

/*
 * The lab's cable between them: an object with up, loss (per cent), seed or delay_us, which is taken
 * over. Skips the test where there is none.
 */
void must_set_link(struct lab_control *lab, json_t *how);

#endif
