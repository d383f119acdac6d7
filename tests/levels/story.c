/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "story.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moving.h"
#include "patience.h"
#include "plain_dmabuf.h"

/* Of a device that has gone already. */
#define NEWS_MS patience(20000)

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
	case EXPORTER_MOVING:
		story->dmabuf = moving_dmabuf(story->size);
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

void story_begin(struct story *story, enum exporter_kind kind, enum level level, const char *nic)
{
	*story = (struct story){ .kind = kind, .level = level, .dmabuf = -1 };
	assert_int_equal(fixture_setup_exporter((void **)&story->vfio), 0);
	story->size = story->vfio->size;
	must(importer_open(&story->importer, story->size, level == LEVEL_UNSUPPORTED, &test_error));
	must(rdma_driver_find(&story->driver, story->importer.peer.context, nic, &test_error));
	lend(story);
	story->has_begun = true;
}

/* The importer, and a driver that waits for it. */
static int close_importer(struct story *story)
{
	int ret = story->mr ? -ibv_dereg_mr(story->mr) : 0;

	story->mr = NULL;
	importer_close(&story->importer);
	if (story->driver.unbinder && !ret)
		ret = rdma_driver_unbound(&story->driver, &test_error);
	return ret;
}

void story_end(struct story *story)
{
	close_importer(story);
	take_away(story);
	if (story->vfio)
		fixture_teardown((void **)&story->vfio);
	*story = (struct story){ .dmabuf = -1 };
}

/* ---- what the events are made of; 0 or -errno ---- */

static int try_registration_of(struct story *story, int dmabuf, struct ibv_mr **mr)
{
	return verbs_reg_dmabuf(&story->importer.peer, dmabuf, 0, story->size, 0, IMPORTER_ACCESS, mr,
				&test_error);
}

static int try_registration(struct story *story, struct ibv_mr **mr)
{
	return try_registration_of(story, story->dmabuf, mr);
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

static const uint8_t *memory(const struct story *story)
{
	return story->kind == EXPORTER_VFIO ? story->vfio->window : story->view;
}

/* A buffer that moves is given back before it goes: for a last look. */
static void look_at_what_was_revoked(struct story *story)
{
	if (story->kind != EXPORTER_MOVING || !story->memory_is_off)
		return;
	must(moving_restore(story->dmabuf, &test_error));
	story->memory_is_off = false;
	if (story->seed)
		must_hold_pattern(memory(story), story->size, story->seed);
}

static int lend_anew(struct story *story)
{
	int ret = story->mr ? deregister(&story->mr) : 0;

	if (ret)
		return ret;
	look_at_what_was_revoked(story);
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

/* The exporter is as free as one whose memory nobody ever had. */
static int revoke_reset_and_give_back(struct story *story)
{
	int ret = vfio_exporter_set_memory(story->vfio->exporter, false, &test_error);

	if (!ret)
		ret = vfio_exporter_set_memory(story->vfio->exporter, true, &test_error);
	if (!ret && vfio_exporter_can_reset(story->vfio->exporter))
		ret = vfio_exporter_reset(story->vfio->exporter, &test_error);
	/* A reset clears it on some devices. */
	return ret ? ret : vfio_exporter_set_memory(story->vfio->exporter, true, &test_error);
}

static int reopen_exporter(struct story *story)
{
	take_away(story);
	fixture_teardown((void **)&story->vfio);
	story->vfio = NULL;
	if (fixture_setup_exporter((void **)&story->vfio))
		return -EIO;
	lend(story);
	return 0;
}

static int bind_driver(struct story *story)
{
	int ret = rdma_driver_bind(&story->driver, &test_error);

	return ret ? ret : importer_open_new(&story->importer, story->size,
					     story->level == LEVEL_UNSUPPORTED, &test_error);
}

static int close_exporter(struct story *story)
{
	fixture_unmap_window(story->vfio);
	close(story->dmabuf);
	story->dmabuf = -1;
	return vfio_exporter_close_device(story->vfio->exporter);
}

/* ---- events with an outcome of their own ---- */

/* Nobody has written to the place where the memory was before it moved. */
static void must_have_let_go(struct story *story, char outcome[OUTCOME_LENGTH])
{
	struct dmabuf_moving_state state;

	if (story->kind != EXPORTER_MOVING || story->dmabuf < 0)
		return;
	must(moving_state(story->dmabuf, &state, &test_error));
	if (!state.spoiled)
		return;
	/* The exporter keeps one old place; the one before it has other owners by now. */
	story->is_unsafe = true;
	snprintf(outcome, OUTCOME_LENGTH, "the old place is written to");
	fail_msg("%u pages of the place before move %llu were written to after it", state.spoiled,
		 (unsigned long long)state.moves);
}

/* Where the CPU can look: an outcome that is left behind says what it saw. */
static void must_be_as_it_was(struct story *story, char outcome[OUTCOME_LENGTH])
{
	must_have_let_go(story, outcome);
	if (!story->seed || story->memory_is_off || !memory(story))
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

static void write_while_moving(struct story *story, char outcome[OUTCOME_LENGTH])
{
	char written[OUTCOME_LENGTH] = "no write", moved[OUTCOME_LENGTH];
	struct mover *mover;

	if (!story->mr) {
		say(outcome, register_beside(story));
		return;
	}
	/* An importer that faults has to get something done in between. */
	mover = mover_start(story->dmabuf, 64, false);
	for (int i = 0; i < 8; i++) {
		write_memory(story, written);
		if (strcmp(written, "arrives"))
			break;
	}
	say(moved, mover_stop(mover, &test_error));
	snprintf(outcome, OUTCOME_LENGTH, "%.30s, %.30s", written, moved);
}

/* Of a buffer that nobody else has pinned, so that it moves before every registration, and in one. */
static void register_while_moving(struct story *story, char outcome[OUTCOME_LENGTH])
{
	const bool moves = story->kind == EXPORTER_MOVING;
	const int dmabuf = moves ? moving_dmabuf(story->size) : story->dmabuf;
	char registered[OUTCOME_LENGTH], moved[OUTCOME_LENGTH];
	struct mover *mover = mover_start(dmabuf, 10000, true);
	struct ibv_mr *mr;
	int ret = 0;

	for (int i = 0; i < 100 && !ret; i++) {
		ret = try_registration_of(story, dmabuf, &mr);
		if (!ret)
			ret = deregister(&mr);
	}
	say(registered, ret);
	say(moved, mover_stop(mover, &test_error));
	snprintf(outcome, OUTCOME_LENGTH, "%.30s, %.30s", registered, moved);
	if (moves)
		close(dmabuf);
}

/* Counted by the exporter too: what is refused has not happened. */
static int move(struct story *story, char outcome[OUTCOME_LENGTH])
{
	struct dmabuf_moving_state before, after;
	int ret;

	if (story->kind != EXPORTER_MOVING)
		return moving_move(story->dmabuf, &test_error);
	must(moving_state(story->dmabuf, &before, &test_error));
	ret = moving_move(story->dmabuf, &test_error);
	must(moving_state(story->dmabuf, &after, &test_error));
	snprintf(outcome, OUTCOME_LENGTH, "%llu moves", (unsigned long long)(after.moves - before.moves));
	assert_int_equal(after.moves - before.moves, !ret);
	if (!ret && after.mapped)
		fail_msg("%u mappings are left after the move", after.mapped);
	return ret;
}

static void unbind(struct story *story, char outcome[OUTCOME_LENGTH])
{
	bool waits;
	int ret;

	ret = rdma_driver_unbind(&story->driver, story->level == LEVEL_UNSUPPORTED, &waits,
				 &test_error);
	if (!ret && waits)
		snprintf(outcome, OUTCOME_LENGTH, "waits for its users");
	else
		say(outcome, ret);
}

static void write_after_unbind(struct story *story, char outcome[OUTCOME_LENGTH])
{
	/* Whoever has to wait for completions of a device that is gone waits for ever. */
	if (story->driver.unbinder || !story->mr)
		write_memory(story, outcome);
	else
		snprintf(outcome, OUTCOME_LENGTH, "%s",
			 importer_post_to_nobody(&story->importer, story->mr->rkey) ?
			 "a completion" : "no completion");
}

static void close_context(struct story *story, char outcome[OUTCOME_LENGTH])
{
	const bool waited = rdma_driver_waits(&story->driver);
	const int ret = close_importer(story);

	if (!ret && waited)
		snprintf(outcome, OUTCOME_LENGTH, "done, and the unbind ends");
	else
		say(outcome, ret);
}

/* By the exporter whose memory it is, if it can; else by the VFIO device, which has no say in it. */
static int revoke_for_a_while(struct story *story)
{
	int ret = story->kind == EXPORTER_MOVING ? moving_revoke(story->dmabuf, &test_error) :
		  vfio_exporter_set_memory(story->vfio->exporter, false, &test_error);

	if (!ret)
		story->memory_is_off = story->kind == EXPORTER_MOVING || story->kind == EXPORTER_VFIO;
	return ret;
}

static int unrevoke(struct story *story)
{
	int ret = story->kind == EXPORTER_MOVING ? moving_restore(story->dmabuf, &test_error) :
		  vfio_exporter_set_memory(story->vfio->exporter, true, &test_error);

	if (!ret)
		story->memory_is_off = false;
	return ret;
}

static int revoke_for_good(struct story *story)
{
	/* It has no other revoke than that which it never takes back. */
	if (story->kind == EXPORTER_MOVING)
		return revoke_for_a_while(story);
	return vfio_exporter_revoke(story->vfio->exporter, story->dmabuf, &test_error);
}

static int do_event(struct story *story, enum event event)
{
	switch (event) {
	case EVENT_REGISTER:
		return register_first(story);
	case EVENT_REVOKE_FOR_A_WHILE:
		return revoke_for_a_while(story);
	case EVENT_UNREVOKE:
		return unrevoke(story);
	case EVENT_REGISTER_AFTER_UNREVOKE:
	case EVENT_REGISTER_AFTER_BIND:
		return register_instead(story);
	case EVENT_REVOKE_FOR_GOOD:
		return revoke_for_good(story);
	case EVENT_REGISTER_WHILE_REVOKED:
	case EVENT_REGISTER_AFTER_REVOKE:
	case EVENT_REGISTER_AFTER_UNBIND:
		return register_beside(story);
	case EVENT_REVOKE_AFTER_UNBIND:
		return revoke_reset_and_give_back(story);
	case EVENT_REOPEN_EXPORTER:
		return reopen_exporter(story);
	case EVENT_BIND:
		return bind_driver(story);
	case EVENT_LEND_ANEW:
		return lend_anew(story);
	case EVENT_KILL:
		return kill_importer(story);
	case EVENT_CLOSE:
		return close_exporter(story);
	default:
		fail_msg("nobody has said how %s is made to happen", event_name(event));
		return -ENOSYS;
	}
}

/* True for those with an outcome in words of their own, which is there then. */
static bool tell_event(struct story *story, enum event event, char outcome[OUTCOME_LENGTH])
{
	switch (event) {
	case EVENT_WRITE:
	case EVENT_WRITE_AFTER_MOVE:
	case EVENT_WRITE_WHILE_REVOKED:
	case EVENT_WRITE_AFTER_UNREVOKE:
	case EVENT_WRITE_BY_NEW_KEY:
	case EVENT_WRITE_AFTER_REVOKE:
	case EVENT_WRITE_LENT_ANEW:
	case EVENT_WRITE_AFTER_KILL:
	case EVENT_WRITE_AFTER_BIND:
		write_memory(story, outcome);
		return true;
	case EVENT_WRITE_WHILE_MOVING:
		write_while_moving(story, outcome);
		return true;
	case EVENT_REGISTER_WHILE_MOVING:
		register_while_moving(story, outcome);
		return true;
	case EVENT_UNBIND:
		unbind(story, outcome);
		return true;
	case EVENT_NEWS_OF_UNBIND:
		snprintf(outcome, OUTCOME_LENGTH, "%s", importer_device_is_fatal(
			 &story->importer, story->driver.unbinder ? 0 : NEWS_MS) ?
			 "device fatal" : "none");
		return true;
	case EVENT_WRITE_AFTER_UNBIND:
		write_after_unbind(story, outcome);
		return true;
	case EVENT_CLOSE_CONTEXT:
		close_context(story, outcome);
		return true;
	case EVENT_WRITE_AFTER_CLOSE:
	case EVENT_DEREGISTER:
		/* There is no fd any more by which what was refused could be tried again. */
		if (!story->mr)
			snprintf(outcome, OUTCOME_LENGTH, "nothing is registered");
		else if (event == EVENT_WRITE_AFTER_CLOSE)
			write_memory(story, outcome);
		else
			say(outcome, deregister(&story->mr));
		return true;
	default:
		return false;
	}
}

void story_event(struct story *story, enum event event, char outcome[OUTCOME_LENGTH])
{
	char told[OUTCOME_LENGTH];

	if (!tell_event(story, event, outcome)) {
		if (event == EVENT_MOVE || event == EVENT_MOVE_AFTER_UNBIND)
			say(outcome, move(story, outcome));
		else
			say(outcome, do_event(story, event));
	}
	memcpy(told, outcome, sizeof(told));
	must_be_as_it_was(story, outcome);
	memcpy(outcome, told, sizeof(told));
}
