/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The kernel describes all MRs over netlink, again and again, while they are registered anew with other
 * memory, as any user may do. What it reads for that must not be what a registration frees: KASAN sees it,
 * or the kernel oopses. -n gives the rounds, in each of which every MR is registered anew once.
 */
#include <linux/netlink.h>
#include <pthread.h>
#include <rdma/rdma_netlink.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "rdma_tool.h"

#define MRS 32
#define LENGTH ((size_t)16384)
#define ANSWER_BYTES 32768

struct shower {
	pthread_t thread;
	int socket;
	uint32_t device;
	atomic_bool stop;
	atomic_uint dumps;
	int result;
};

struct request {
	struct nlmsghdr header;
	struct nlattr device_attr;
	uint32_t device;
	struct nlattr object_attr;
	uint32_t object;
};

/* The statistics are asked for by the kind of object. */
static int send_request(struct shower *shower, uint16_t command)
{
	struct request request = {
		.header = {
			.nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command),
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.device_attr = { .nla_len = 8, .nla_type = RDMA_NLDEV_ATTR_DEV_INDEX },
		.device = shower->device,
		.object_attr = { .nla_len = 8, .nla_type = RDMA_NLDEV_ATTR_STAT_RES },
		.object = RDMA_NLDEV_ATTR_RES_MR,
	};

	request.header.nlmsg_len = sizeof(request);
	if (command == RDMA_NLDEV_CMD_RES_MR_GET)
		request.header.nlmsg_len = offsetof(struct request, object_attr);
	return send(shower->socket, &request, request.header.nlmsg_len, 0) < 0 ? -errno : 0;
}

static int dump(struct shower *shower, uint16_t command)
{
	static _Thread_local char answer[ANSWER_BYTES] __attribute__((aligned(8)));
	int ret = send_request(shower, command);

	while (!ret) {
		ssize_t left = recv(shower->socket, answer, sizeof(answer), 0);
		struct nlmsghdr *header = (struct nlmsghdr *)answer;

		if (left < 0)
			return -errno;
		for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
			if (header->nlmsg_type == NLMSG_DONE)
				return 0;
			if (header->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(header))->error;
		}
	}
	return ret;
}

static void *show(void *argument)
{
	struct shower *shower = argument;

	while (!atomic_load(&shower->stop) && !shower->result) {
		shower->result = dump(shower, RDMA_NLDEV_CMD_RES_MR_GET);
		if (!shower->result)
			shower->result = dump(shower, RDMA_NLDEV_CMD_STAT_GET);
		atomic_fetch_add(&shower->dumps, 1);
	}
	return NULL;
}

static uint32_t index_of(struct ibv_context *context)
{
	char command[96];
	json_t *devices;
	json_int_t index;

	snprintf(command, sizeof(command), "rdma -j dev show %s", ibv_get_device_name(context->device));
	devices = rdma_tool_ask(command);
	index = json_integer_value(json_object_get(json_array_get(devices, 0), "ifindex"));
	json_decref(devices);
	return (uint32_t)index;
}

static void registered_anew(void **state)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct fixture *fixture = *state;
	struct shower shower = { .device = index_of(fixture->peer.context) };
	struct verbs_buffer buffers[MRS], spare;
	unsigned int failed = 0;

	for (int i = 0; i < MRS; i++)
		must(verbs_buffer_init(&fixture->peer, LENGTH, IBV_ACCESS_LOCAL_WRITE, &buffers[i],
				       &test_error));
	must(verbs_buffer_init(&fixture->peer, LENGTH, IBV_ACCESS_LOCAL_WRITE, &spare, &test_error));
	shower.socket = must_sys(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA));
	must_sys(connect(shower.socket, (const struct sockaddr *)&kernel, sizeof(kernel)));
	assert_int_equal(pthread_create(&shower.thread, NULL, show, &shower), 0);
	for_each_round(i)
		for (int j = 0; j < MRS; j++)
			failed += !!ibv_rereg_mr(buffers[j].mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL,
						 i % 2 ? buffers[j].address : spare.address, LENGTH, 0);
	atomic_store(&shower.stop, true);
	pthread_join(shower.thread, NULL);
	close(shower.socket);
	print_message("# %u rounds of %d MRs, described %u times\n", test_rounds.done, MRS,
		      atomic_load(&shower.dumps));
	assert_int_equal(failed, 0);
	must(shower.result);
	assert_int_not_equal(atomic_load(&shower.dumps), 0);
	for (int i = 0; i < MRS; i++)
		verbs_buffer_free(&buffers[i]);
	verbs_buffer_free(&spare);
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(registered_anew),
};

TEST_MAIN("MRs are described while they are registered anew; -n gives the rounds",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
