/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "remote.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "patience.h"
#include "tcp.h"

#define START_TIMEOUT_NS patience_ns(60 * NS_PER_S)
#define ANSWER_TIMEOUT_NS patience_ns(60 * NS_PER_S)

/* ---- queue pairs ---- */

bool remote_is_srd(struct verbs_peer *peer)
{
	return peer->context->device->transport_type == IBV_TRANSPORT_UNSPECIFIED;
}

int remote_qp_create(struct verbs_peer *peer, union remote_qp *qp, bool srd, struct error *err)
{
	return srd ? srd_qp_create(peer, &qp->srd, err) : verbs_qp_create(peer, NULL, &qp->rc, err);
}

void remote_qp_destroy(union remote_qp *qp, bool srd)
{
	if (srd)
		srd_qp_destroy(&qp->srd);
	else
		verbs_qp_destroy(&qp->rc);
}

int remote_qp_connect(union remote_qp *qp, bool srd, int socket, struct error *err)
{
	return srd ? srd_qp_connect_over(&qp->srd, socket, err) :
		     verbs_qp_connect_over(&qp->rc, socket, err);
}

/* ---- the writer's process ---- */

/* Beside this program, on the other host as on this. */
static int writer_path(char *path, size_t length, struct error *err)
{
	ssize_t n = readlink("/proc/self/exe", path, length - 1);
	char *slash;

	if (n < 0)
		return error_set(err, errno, "cannot find this program's folder");
	path[n] = '\0';
	slash = strrchr(path, '/');
	snprintf(slash + 1, length - (size_t)(slash + 1 - path), "remote_writer");
	return 0;
}

static void exec_peer(const char *path, const char *address, uint16_t port)
{
	char number[8];

	snprintf(number, sizeof(number), "%u", port);
	/* PEER is a command with arguments, as a shell takes it. */
	execl("/bin/sh", "sh", "-c", "exec $PEER \"$@\"", "sh", path, address, number, NULL);
	_exit(127);
}

static int start_writer(struct remote *remote, const char *address, struct error *err)
{
	char path[PATH_MAX];
	uint16_t port = 0;
	int listener, ret = writer_path(path, sizeof(path), err);

	if (ret)
		return ret;
	listener = tcp_listen(address, &port, err);
	if (listener < 0)
		return listener;
	remote->pid = fork();
	if (!remote->pid)
		exec_peer(path, address, port);
	if (remote->pid < 0)
		ret = error_set(err, errno, "cannot start a process");
	else
		remote->socket = tcp_accept(listener, START_TIMEOUT_NS, err);
	close(listener);
	if (!ret && remote->socket < 0)
		ret = remote->socket;
	return ret ?: tcp_set_timeout(remote->socket, ANSWER_TIMEOUT_NS, err);
}

int remote_is_there(struct error *err)
{
	if (getenv("PEER") && getenv("OWN_ADDRESS"))
		return 0;
	return error_missing(err, ENODEV, "there is no other host: say with PEER how to run a program "
			     "there (ssh HOST), and with OWN_ADDRESS where it reaches this one");
}

int remote_start(struct remote *remote, struct verbs_peer *peer, struct error *err)
{
	int ret = remote_is_there(err);

	*remote = (struct remote){ .peer = peer, .socket = -1, .is_srd = remote_is_srd(peer) };
	if (!ret)
		ret = start_writer(remote, getenv("OWN_ADDRESS"), err);
	if (!ret)
		ret = remote_connect(remote, err);
	if (ret)
		remote_stop(remote);
	return ret;
}

static void disconnect(struct remote *remote)
{
	for (unsigned int i = 0; i < REMOTE_QPS; i++)
		remote_qp_destroy(&remote->qp[i], remote->is_srd);
	memset(remote->qp, 0, sizeof(remote->qp));
}

void remote_stop(struct remote *remote)
{
	const struct remote_order quit = { .what = REMOTE_QUIT };
	struct error ignored;

	if (remote->socket >= 0) {
		tcp_send(remote->socket, &quit, sizeof(quit), &ignored);
		close(remote->socket);
	}
	remote->socket = -1;
	/* One that is busy would not look: the end of PEER ends it. */
	if (remote->pid > 0) {
		kill(remote->pid, SIGTERM);
		waitpid(remote->pid, NULL, 0);
	}
	remote->pid = 0;
	disconnect(remote);
}

/* ---- orders ---- */

int remote_wait(struct remote *remote, struct remote_answer *answer, struct error *err)
{
	int ret = tcp_receive(remote->socket, answer, sizeof(*answer), err);

	if (ret)
		return ret;
	answer->text[sizeof(answer->text) - 1] = '\0';
	return answer->error ? error_set(err, 0, "on the other host: %s", answer->text),
	       answer->error : 0;
}

static int ask(struct remote *remote, const struct remote_order *order,
	       struct remote_answer *answer, struct error *err)
{
	int ret = tcp_send(remote->socket, order, sizeof(*order), err);

	return ret ?: remote_wait(remote, answer, err);
}

int remote_connect(struct remote *remote, struct error *err)
{
	const struct remote_order order = { .what = REMOTE_CONNECT };
	struct remote_answer answer;
	int ret = 0;

	disconnect(remote);
	for (unsigned int i = 0; i < REMOTE_QPS && !ret; i++)
		ret = remote_qp_create(remote->peer, &remote->qp[i], remote->is_srd, err);
	if (!ret)
		ret = ask(remote, &order, &answer, err);
	if (ret)
		return ret;
	remote->lent = (struct verbs_remote){ .address = answer.address, .rkey = answer.rkey };
	for (unsigned int i = 0; i < REMOTE_QPS && !ret; i++)
		ret = remote_qp_connect(&remote->qp[i], remote->is_srd, remote->socket, err);
	return ret;
}

int remote_write(struct remote *remote, struct verbs_remote to, uint32_t length, uint32_t seed,
		 enum ibv_wc_status *status, struct error *err)
{
	const struct remote_order order = {
		.what = REMOTE_WRITE, .seed = seed, .rkey = to.rkey, .length = length,
		.address = to.address,
	};
	struct remote_answer answer;
	int ret = ask(remote, &order, &answer, err);

	if (!ret)
		*status = (enum ibv_wc_status)answer.status[0];
	return ret;
}

int remote_read(struct remote *remote, struct verbs_remote from, uint32_t length, uint32_t seed,
		enum ibv_wc_status *status, struct error *err)
{
	const struct remote_order order = {
		.what = REMOTE_READ, .seed = seed, .rkey = from.rkey, .length = length,
		.address = from.address,
	};
	struct remote_answer answer;
	int ret = ask(remote, &order, &answer, err);

	if (ret)
		return ret;
	*status = (enum ibv_wc_status)answer.status[0];
	if (*status == IBV_WC_SUCCESS && !answer.same)
		return error_set(err, EBADMSG, "the other host has read other bytes than there are");
	return 0;
}

int remote_run(struct remote *remote, struct verbs_remote to, uint32_t length, struct error *err)
{
	const struct remote_order order = {
		.what = REMOTE_RUN, .rkey = to.rkey, .length = length, .address = to.address,
	};

	return tcp_send(remote->socket, &order, sizeof(order), err);
}
