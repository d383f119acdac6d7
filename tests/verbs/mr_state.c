/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * "rdma -dd resource show mr" says of a dma-buf MR how it takes a revoke, whether its memory is
 * mapped, and how often its exporter took it away: on an importer that faults, on one that can be
 * revoked, and on one that can do neither.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "plain_dmabuf.h"
#include "rdma_tool.h"
#include "trigger.h"

#define LENGTH 65536

/* What the drivers here state; another driver's MRs are not tested. */
static const struct level {
	const char *driver, *name;
	/* The MR's state after a revoke, and after the un-revoke before anything else. */
	const char *revoked, *unrevoked;
} levels[] = {
	{ "mlx5_core", "faulting", "unmapped", "unmapped" },
	{ "ice", "revoking", "revoked", "revoked" },
	{ "efa", "unsupported", NULL, NULL },
};

static const struct level *level_of(const char *device)
{
	char path[160], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/device/driver", device);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strstr(target, levels[i].driver))
			return &levels[i];
	test_skip("%s has none of the drivers that this test knows", device);
	return NULL;
}

static void must_show(const struct ibv_mr *mr, const char *level, const char *state,
		      json_int_t invalidations)
{
	json_t *shown = rdma_tool_mr(mr);
	const char *its_level = json_string_value(json_object_get(shown, "drv_dmabuf_level"));
	const char *its_state = json_string_value(json_object_get(shown, "drv_dmabuf_state"));
	json_t *its_count = json_object_get(shown, "drv_dmabuf_invalidations");

	if (!its_level || !its_state || !json_is_integer(its_count))
		fail_msg("this kernel shows nothing of the dma-buf of an MR: %s",
			 json_dumps(shown, 0));
	assert_string_equal(its_level, level);
	assert_string_equal(its_state, state);
	assert_int_equal(json_integer_value(its_count), invalidations);
	json_decref(shown);
}

/* The list of dma-bufs in debugfs has a line for each attachment: a tab, the device, a tab, the level. */
static void must_be_listed(const char *level)
{
	FILE *file = fopen("/sys/kernel/debug/dma_buf/bufinfo", "re");
	char line[512];
	bool found = false;

	if (!file)
		test_skip("no dma_buf/bufinfo in debugfs: %s", strerrorname_np(errno));
	while (!found && fgets(line, sizeof(line), file)) {
		const char *last = strrchr(line, '\t');

		line[strcspn(line, "\n")] = '\0';
		found = line[0] == '\t' && last > line && !strcmp(last + 1, level);
	}
	fclose(file);
	if (!found)
		fail_msg("no attachment is listed in debugfs with the level %s", level);
}

static void revocable(void **state)
{
	struct fixture *fixture = *state;
	struct verbs_peer *peer = &fixture->peer;
	const struct verbs_peer_options options = {
		.device = test_options.device, .port = test_options.port, .gid_index = -1,
	};
	const struct level *level;
	struct ibv_mr *mr;

	must(verbs_peer_open(peer, &options, &test_error));
	level = level_of(ibv_get_device_name(peer->context->device));
	if (!level->revoked) {
		must_fail_errno(ibv_reg_dmabuf_mr(peer->pd, 0, fixture->size, 0, fixture->dmabuf,
						  IBV_ACCESS_LOCAL_WRITE), EOPNOTSUPP);
		goto close;
	}
	must(verbs_reg_dmabuf(peer, fixture->dmabuf, 0, fixture->size, 0, VERBS_ACCESS_ALL, &mr,
			      &test_error));
	must_show(mr, level->name, "mapped", 0);
	must_be_listed(level->name);
	must(trigger_pull(fixture, TRIGGER_COMMAND));
	must_show(mr, level->name, level->revoked, 1);
	must(trigger_undo(fixture, TRIGGER_COMMAND));
	must_show(mr, level->name, level->unrevoked, 1);
	/* What has nothing to lose is not counted again. */
	must(trigger_pull(fixture, TRIGGER_REVOKE));
	must_show(mr, level->name, level->revoked, 1);
	must_sys(ibv_dereg_mr(mr));
close:
	verbs_peer_close(peer);
	peer->context = NULL;
}

/* Memory that nobody takes back, which all three can register. */
static void plain(void **state)
{
	struct fixture *fixture = *state;
	struct verbs_peer *peer = &fixture->peer;
	const struct verbs_peer_options options = {
		.device = test_options.device, .port = test_options.port, .gid_index = -1,
	};
	int udmabuf = plain_udmabuf(LENGTH, 0);
	const struct level *level;
	struct verbs_buffer buffer;
	struct ibv_mr *mr;
	json_t *shown;

	must(verbs_peer_open(peer, &options, &test_error));
	level = level_of(ibv_get_device_name(peer->context->device));
	must(verbs_reg_dmabuf(peer, udmabuf, 0, LENGTH, 0, IBV_ACCESS_LOCAL_WRITE, &mr, &test_error));
	must_show(mr, level->name, "mapped", 0);
	must_be_listed(level->name);
	must_sys(ibv_dereg_mr(mr));

	must(verbs_buffer_init(peer, LENGTH, IBV_ACCESS_LOCAL_WRITE, &buffer, &test_error));
	shown = rdma_tool_mr(buffer.mr);
	assert_null(json_object_get(shown, "drv_dmabuf_level"));
	json_decref(shown);
	verbs_buffer_free(&buffer);
	verbs_peer_close(peer);
	peer->context = NULL;
	close(udmabuf);
}

static const struct CMUnitTest tests[] = {
	test_with_exporter(revocable),
	test_with_exporter(plain),
};

TEST_MAIN("rdma shows of a dma-buf MR its level, its state and how often it was invalidated",
	  TEST_NEEDS_EXPORTER, tests)
