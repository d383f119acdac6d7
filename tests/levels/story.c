/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "story.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plain_dmabuf.h"

static void view_dmabuf(struct story *story)
{
	story->view = mmap(NULL, story->size, PROT_READ | PROT_WRITE, MAP_SHARED, story->dmabuf, 0);
	if (story->view == MAP_FAILED) {
		story->view = NULL;
		fail_msg("mmap of the dma-buf failed: %s", strerrorname_np(errno));
	}
}

/* The first dma-buf, and every one that is lent after it. */
static void lend(struct story *story)
{
	switch (story->kind) {
	case EXPORTER_VFIO:
		story->dmabuf = must(fixture_export(story->vfio, 0, story->size));
		return;
	case EXPORTER_UDMABUF:
		story->dmabuf = plain_udmabuf(story->size, false);
		break;
	default:
		story->dmabuf = plain_heap_dmabuf(story->size);
		break;
	}
	view_dmabuf(story);
}

static void take_away(struct story *story)
{
	if (story->view)
		munmap(story->view, story->size);
	story->view = NULL;
	if (story->dmabuf >= 0)
		close(story->dmabuf);
	story->dmabuf = -1;
	story->seed = 0;
}

void story_begin(struct story *story, enum exporter_kind kind, bool by_srd)
{
	*story = (struct story){ .kind = kind, .dmabuf = -1 };
	assert_int_equal(fixture_setup_exporter((void **)&story->vfio), 0);
	story->size = story->vfio->size;
	must(importer_open(&story->importer, story->size, by_srd, &test_error));
	lend(story);
}

void story_end(struct story *story)
{
	if (story->mr)
		ibv_dereg_mr(story->mr);
	importer_close(&story->importer);
	take_away(story);
	if (story->vfio)
		fixture_teardown((void **)&story->vfio);
	*story = (struct story){ .dmabuf = -1 };
}

/* ---- what the events are made of; 0 or -errno ---- */

static int try_registration(struct story *story, struct ibv_mr **mr)
{
	return verbs_reg_dmabuf(&story->importer.peer, story->dmabuf, 0, story->size, 0,
				IMPORTER_ACCESS, mr, &test_error);
}

static int deregister(struct ibv_mr **mr)
{
	int ret = ibv_dereg_mr(*mr);

	*mr = NULL;
	return -ret;
}

static int register_first(struct story *story)
{
	return try_registration(story, &story->mr);
}

/* Takes the old one's place. */
static int register_instead(struct story *story)
{
	struct ibv_mr *mr;
	int ret = try_registration(story, &mr);

	if (ret)
		return ret;
	if (story->mr)
		ret = deregister(&story->mr);
	story->mr = mr;
	return ret;
}

static int register_beside(struct story *story)
{
	struct ibv_mr *mr;
	int ret = try_registration(story, &mr);

	return ret ? ret : deregister(&mr);
}

static int lend_anew(struct story *story)
{
	int ret = story->mr ? deregister(&story->mr) : 0;

	if (ret)
		return ret;
	take_away(story);
	lend(story);
	return register_first(story);
}

/* Another process with an MR over the same dma-buf. */
static void be_importer(const struct story *story, int result)
{
	const struct verbs_peer_options options = {
		.device = test_options.device,
		.port = test_options.port,
		.gid_index = story->importer.by_srd ? 0 : test_options.gid_index,
	};
	struct verbs_peer peer;
	struct ibv_mr *mr;
	int ret;

	ret = verbs_peer_open(&peer, &options, &test_error);
	if (!ret)
		ret = verbs_reg_dmabuf(&peer, story->dmabuf, 0, story->size, 0, IMPORTER_ACCESS,
				       &mr, &test_error);
	if (write(result, &ret, sizeof(ret)) == sizeof(ret))
		for (;;)
			pause();
	_exit(1);
}

static int kill_importer(struct story *story)
{
	int pipe_ends[2], ret = -EPIPE, status;
	pid_t child;

	must_sys(pipe(pipe_ends));
	child = must_sys(fork());
	if (!child)
		be_importer(story, pipe_ends[1]);
	close(pipe_ends[1]);
	if (read(pipe_ends[0], &ret, sizeof(ret)) != sizeof(ret))
		ret = -EPIPE;
	close(pipe_ends[0]);
	kill(child, SIGKILL);
	must_sys(waitpid(child, &status, 0));
	return ret;
}

static int close_exporter(struct story *story)
{
	fixture_unmap_window(story->vfio);
	close(story->dmabuf);
	story->dmabuf = -1;
	return vfio_exporter_close_device(story->vfio->exporter);
}

/* ---- events with an outcome of their own ---- */

static const uint8_t *memory(const struct story *story)
{
	return story->kind == EXPORTER_VFIO ? story->vfio->window : story->view;
}

/* Where the CPU can look: an outcome that is left behind says what it saw. */
static void must_be_as_it_was(const struct story *story, char outcome[OUTCOME_LENGTH])
{
	const bool is_hidden = story->kind == EXPORTER_VFIO && story->memory_is_off;

	if (!story->seed || is_hidden || !memory(story))
		return;
	snprintf(outcome, OUTCOME_LENGTH, "memory differs");
	must_hold_pattern(memory(story), story->size, story->seed);
}

static void say(char outcome[OUTCOME_LENGTH], int ret)
{
	const char *name = ret < 0 ? strerrorname_np(-ret) : "done";

	snprintf(outcome, OUTCOME_LENGTH, "%s", name ? name : "an errno without name");
}

static void write_memory(struct story *story, char outcome[OUTCOME_LENGTH])
{
	const uint32_t before = story->seed;
	enum ibv_wc_status status;

	if (!story->mr) {
		say(outcome, register_beside(story));
		return;
	}
	fill_pattern(story->importer.source.address, story->size, before + 1);
	must(importer_post(&story->importer, story->mr->rkey, &status, &test_error));
	if (status == IBV_WC_SUCCESS)
		story->seed = before + 1;
	must_be_as_it_was(story, outcome);
	snprintf(outcome, OUTCOME_LENGTH, "%s",
		 status == IBV_WC_SUCCESS ? "arrives" : ibv_wc_status_str(status));
}

static int set_memory(struct story *story, bool on)
{
	int ret = vfio_exporter_set_memory(story->vfio->exporter, on, &test_error);

	if (!ret)
		story->memory_is_off = !on;
	return ret;
}

static int do_event(struct story *story, enum event event)
{
	switch (event) {
	case EVENT_REGISTER:
		return register_first(story);
	case EVENT_REVOKE_FOR_A_WHILE:
		return set_memory(story, false);
	case EVENT_UNREVOKE:
		return set_memory(story, true);
	case EVENT_REGISTER_AFTER_UNREVOKE:
		return register_instead(story);
	case EVENT_REVOKE_FOR_GOOD:
		return vfio_exporter_revoke(story->vfio->exporter, story->dmabuf, &test_error);
	case EVENT_REGISTER_WHILE_REVOKED:
	case EVENT_REGISTER_AFTER_REVOKE:
		return register_beside(story);
	case EVENT_LEND_ANEW:
		return lend_anew(story);
	case EVENT_KILL:
		return kill_importer(story);
	case EVENT_CLOSE:
		return close_exporter(story);
	default:
		return deregister(&story->mr);
	}
}

void story_event(struct story *story, enum event event, char outcome[OUTCOME_LENGTH])
{
	int ret;

	switch (event) {
	case EVENT_WRITE:
	case EVENT_WRITE_WHILE_REVOKED:
	case EVENT_WRITE_AFTER_UNREVOKE:
	case EVENT_WRITE_BY_NEW_KEY:
	case EVENT_WRITE_AFTER_REVOKE:
	case EVENT_WRITE_LENT_ANEW:
	case EVENT_WRITE_AFTER_KILL:
		write_memory(story, outcome);
		return;
	case EVENT_WRITE_AFTER_CLOSE:
		/* There is no fd any more by which what was refused could be tried again. */
		if (story->mr)
			write_memory(story, outcome);
		else
			snprintf(outcome, OUTCOME_LENGTH, "nothing is registered");
		return;
	case EVENT_DEREGISTER:
		if (!story->mr) {
			snprintf(outcome, OUTCOME_LENGTH, "nothing is registered");
			return;
		}
		break;
	default:
		break;
	}
	ret = do_event(story, event);
	must_be_as_it_was(story, outcome);
	say(outcome, ret);
}
