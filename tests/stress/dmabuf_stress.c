/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Everything at once, for a while: threads that export, register and write,
 * import, map, touch, revoke, reset, switch memory decoding, interrupt each
 * other, close the device and open it again, and start processes that are
 * killed. What is asked of it: every call gives an errno that it may give, what
 * was revoked for good stays so, and nothing is left at the end.
 *
 * Splats and hangs are for whoever watches the kernel's log.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "guarded_access.h"
#include "ioas.h"
#include "leftovers.h"

#define WORDS (PAGE / sizeof(uint64_t))
#define SLOTS 8
#define SLOT_PAGES 32u
#define MAX_THREADS 32
#define IOVA 0x10000000ull

enum action {
	EXPORT, REGISTER, IMPORT, MAP, TOUCH, REVOKE, RESET, MEMORY, SIGNAL, CLOSE, KILL, ACTIONS,
};

static const struct {
	const char *name;
	unsigned int weight;	/* how often it is drawn, against the others */
} actions[ACTIONS] = {
	[EXPORT] = { "export", 24 }, [REGISTER] = { "register", 20 }, [IMPORT] = { "import", 10 },
	[MAP] = { "map", 16 }, [TOUCH] = { "touch", 16 }, [REVOKE] = { "revoke", 14 },
	[RESET] = { "reset", 2 }, [MEMORY] = { "memory", 6 }, [SIGNAL] = { "signal", 4 },
	[CLOSE] = { "close", 1 }, [KILL] = { "kill", 1 },
};

/* A dma-buf that all threads can get hold of, dead or alive. */
struct slot {
	pthread_mutex_t lock;
	int dmabuf;
	size_t length;
	uint64_t generation;
	bool revoked;		/* for good, by a call that has returned */
};

/* What a thread got out of a slot: an fd of its own. */
struct loan {
	struct slot *slot;
	int fd;
	size_t length;
	uint64_t generation;
	bool revoked;
};

struct worker {
	pthread_t thread;
	uint64_t random;
	struct verbs_pair pair;
	struct verbs_buffer source;
	struct ioas ioas;
	volatile uint64_t *map;
	size_t map_length;
};

static struct {
	struct fixture *fixture;
	struct slot slots[SLOTS];
	struct worker workers[MAX_THREADS];
	/* Held for reading by who uses the device, for writing by who closes and opens it. */
	pthread_rwlock_t device;
	/* Who is interrupted by others has been started, and has not been joined. */
	pthread_barrier_t together;
	atomic_ullong done[ACTIONS], refused[ACTIONS];
	int64_t until, at_latest;
} stress;

static unsigned int thread_count = 6;
static unsigned int seed = 1;

static uint64_t draw(struct worker *worker, uint64_t below)
{
	uint64_t x = worker->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	worker->random = x;
	return (x >> 11) % below;
}

static void __attribute__((noreturn, format(printf, 2, 3)))
give_up(enum action action, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "# %s: ", actions[action].name);
	vfprintf(stderr, format, arguments);
	fprintf(stderr, " (--seed=%u)\n", seed);
	va_end(arguments);
	abort();
}

static void expect(enum action action, int ret, const int *allowed, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ret != -allowed[i])
			continue;
		atomic_fetch_add(ret ? &stress.refused[action] : &stress.done[action], 1);
		return;
	}
	give_up(action, "%d (%s), which it must not give: %s", ret, strerror(-ret), test_error.text);
}

/* The call returns 0 or the negative of one of these. */
#define EXPECT(action, call, ...)							\
	do {										\
		const int allowed[] = { 0, __VA_ARGS__ };				\
		expect(action, call, allowed, sizeof(allowed) / sizeof(allowed[0]));	\
	} while (0)

/* ---- slots ---- */

static bool borrow(struct worker *worker, struct loan *loan)
{
	struct slot *slot = &stress.slots[draw(worker, SLOTS)];

	pthread_mutex_lock(&slot->lock);
	*loan = (struct loan){
		.slot = slot,
		.fd = slot->dmabuf < 0 ? -1 : fcntl(slot->dmabuf, F_DUPFD_CLOEXEC, 3),
		.length = slot->length,
		.generation = slot->generation,
		.revoked = slot->revoked,
	};
	pthread_mutex_unlock(&slot->lock);
	return loan->fd >= 0;
}

static void note_revoked(const struct loan *loan)
{
	pthread_mutex_lock(&loan->slot->lock);
	if (loan->slot->generation == loan->generation)
		loan->slot->revoked = true;
	pthread_mutex_unlock(&loan->slot->lock);
}

/* What had been revoked for good before the call began cannot have served it. */
static void must_not_serve(enum action action, const struct loan *loan, int ret)
{
	if (loan->revoked && !ret)
		give_up(action, "served by a dma-buf that was revoked for good");
}

static void put(struct slot *slot, int fd, size_t length, bool revoked)
{
	int old;

	pthread_mutex_lock(&slot->lock);
	old = slot->dmabuf;
	slot->dmabuf = fd;
	slot->length = length;
	slot->revoked = revoked;
	slot->generation++;
	pthread_mutex_unlock(&slot->lock);
	if (old >= 0)
		close(old);
}

/* ---- actions ---- */

static void do_export(struct worker *worker)
{
	const struct vfio_range range = {
		test_options.offset + draw(worker, SLOT_PAGES) * PAGE,
		(1 + draw(worker, SLOT_PAGES)) * PAGE,
	};
	int fd;

	pthread_rwlock_rdlock(&stress.device);
	fd = vfio_exporter_export(stress.fixture->exporter, test_options.bar, &range, 1, &test_error);
	EXPECT(EXPORT, fd < 0 ? fd : 0);
	put(&stress.slots[draw(worker, SLOTS)], fd, range.length, false);
	pthread_rwlock_unlock(&stress.device);
}

/* One that goes wrong is as good as one that does not, if it goes wrong as it should. */
static void write_to(struct worker *worker, const struct ibv_mr *mr)
{
	const struct verbs_local local = {
		.address = (uintptr_t)worker->source.address, .length = PAGE,
		.lkey = worker->source.mr->lkey,
	};
	const struct verbs_remote remote = { .address = 0, .rkey = mr->rkey };
	struct ibv_wc wc;

	EXPECT(REGISTER, verbs_post_write(&worker->pair.initiator, 1, local, remote, &test_error));
	EXPECT(REGISTER, verbs_wait(&worker->pair.initiator, &wc, TEST_TIMEOUT_NS, &test_error));
	if (wc.status == IBV_WC_SUCCESS)
		return;
	if (wc.status != IBV_WC_REM_ACCESS_ERR)
		give_up(REGISTER, "a write ended with \"%s\"", ibv_wc_status_str(wc.status));
	EXPECT(REGISTER, verbs_pair_recycle(&worker->pair, &test_error));
}

static void do_register(struct worker *worker)
{
	struct ibv_mr *mr;
	struct loan loan;
	int ret;

	if (!borrow(worker, &loan))
		return;
	ret = verbs_reg_dmabuf(&stress.fixture->peer, loan.fd, 0, loan.length, 0, VERBS_ACCESS_ALL, &mr,
			       &test_error);
	must_not_serve(REGISTER, &loan, ret);
	EXPECT(REGISTER, ret, ENODEV);
	close(loan.fd);
	if (ret)
		return;
	for (uint64_t i = draw(worker, 4); i > 0; i--)
		write_to(worker, mr);
	EXPECT(REGISTER, -ibv_dereg_mr(mr));
}

static void do_import(struct worker *worker)
{
	struct loan loan;
	int ret;

	if (!borrow(worker, &loan))
		return;
	ret = ioas_map_file(&worker->ioas, loan.fd, 0, loan.length, IOVA);
	must_not_serve(IMPORT, &loan, ret);
	EXPECT(IMPORT, ret, ENODEV);
	close(loan.fd);
	if (!ret && ioas_unmap(&worker->ioas, IOVA, loan.length) != (int64_t)loan.length)
		give_up(IMPORT, "unmapping failed");
}

static void unmap(struct worker *worker)
{
	if (worker->map)
		munmap((void *)worker->map, worker->map_length);
	worker->map = NULL;
}

static void do_map(struct worker *worker)
{
	struct loan loan;
	void *address;
	int ret;

	if (!borrow(worker, &loan))
		return;
	ret = vfio_dmabuf_map(loan.fd, loan.length, &address, &test_error);
	must_not_serve(MAP, &loan, ret);
	EXPECT(MAP, ret, ENODEV);
	close(loan.fd);
	if (ret)
		return;
	unmap(worker);
	worker->map = address;
	worker->map_length = loan.length;
}

static void do_touch(struct worker *worker)
{
	size_t pages = worker->map_length / PAGE, before;
	void *moved;

	if (!worker->map)
		return;
	for (size_t i = draw(worker, pages); i < pages; i++)
		EXPECT(TOUCH, guarded_write(worker->map + i * WORDS, worker->random), EFAULT);
	switch (draw(worker, 8)) {
	case 0:
		unmap(worker);
		break;
	case 1:
		/* A hole in it, and the rest a little later. What is in the hole by then is another's. */
		before = pages / 2 * PAGE;
		munmap((char *)worker->map + before, PAGE);
		if (before) {
			EXPECT(TOUCH, guarded_write(worker->map, 1), EFAULT);
			munmap((void *)worker->map, before);
		}
		if (before + PAGE < worker->map_length)
			munmap((char *)worker->map + before + PAGE,
			       worker->map_length - before - PAGE);
		worker->map = NULL;
		break;
	case 2:
		moved = mmap(NULL, worker->map_length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (moved == MAP_FAILED)
			break;
		moved = mremap((void *)worker->map, worker->map_length, worker->map_length,
			       MREMAP_MAYMOVE | MREMAP_FIXED, moved);
		EXPECT(TOUCH, moved == MAP_FAILED ? -errno : 0);
		worker->map = moved;
		break;
	default:
		break;
	}
}

/* However many ask for it at once: when one returns it is gone, also for those who came too late. */
static void revoke_one(struct worker *worker)
{
	volatile uint64_t *words = NULL;
	struct loan loan;
	void *address;
	int ret;

	if (!borrow(worker, &loan))
		return;
	if (!vfio_dmabuf_map(loan.fd, loan.length, &address, NULL)) {
		words = address;
		guarded_write(words, 1);
	}
	ret = vfio_exporter_revoke(stress.fixture->exporter, loan.fd, &test_error);
	must_not_serve(REVOKE, &loan, ret);
	/* -ENODEV: its device was closed before. */
	EXPECT(REVOKE, ret, EBADFD, ENODEV);
	note_revoked(&loan);
	if (words && guarded_write(words, 1) != -EFAULT)
		give_up(REVOKE, "a mapping can be touched after it");
	if (words)
		munmap(address, loan.length);
	if (vfio_dmabuf_map(loan.fd, loan.length, &address, NULL) != -ENODEV)
		give_up(REVOKE, "the dma-buf can be mapped after it");
	close(loan.fd);
}

static void do_revoke(struct worker *worker)
{
	pthread_rwlock_rdlock(&stress.device);
	revoke_one(worker);
	pthread_rwlock_unlock(&stress.device);
}

static void do_reset(struct worker *worker)
{
	(void)worker;
	pthread_rwlock_rdlock(&stress.device);
	EXPECT(RESET, vfio_exporter_reset(stress.fixture->exporter, &test_error), EAGAIN);
	pthread_rwlock_unlock(&stress.device);
}

/* Off is never left behind for long: whoever turns it off turns it on. */
static void do_memory(struct worker *worker)
{
	pthread_rwlock_rdlock(&stress.device);
	EXPECT(MEMORY, vfio_exporter_set_memory(stress.fixture->exporter, false, &test_error));
	do_touch(worker);
	EXPECT(MEMORY, vfio_exporter_set_memory(stress.fixture->exporter, true, &test_error));
	pthread_rwlock_unlock(&stress.device);
}

static void do_signal(struct worker *worker)
{
	pthread_kill(stress.workers[draw(worker, thread_count)].thread, SIGUSR1);
	atomic_fetch_add(&stress.done[SIGNAL], 1);
}

static void do_close(struct worker *worker)
{
	(void)worker;
	pthread_rwlock_wrlock(&stress.device);
	EXPECT(CLOSE, vfio_exporter_close_device(stress.fixture->exporter));
	for (int i = 0; i < SLOTS; i++) {
		pthread_mutex_lock(&stress.slots[i].lock);
		stress.slots[i].revoked = true;
		pthread_mutex_unlock(&stress.slots[i].lock);
	}
	EXPECT(CLOSE, vfio_exporter_reopen(stress.fixture->exporter, &test_error));
	pthread_rwlock_unlock(&stress.device);
}

/* A process that touches the memory until it is killed. What it inherits it closes, all but the dma-buf. */
static void __attribute__((noreturn)) be_killed(int fd, size_t length)
{
	volatile uint64_t *words;

	dup2(fd, 3);
	close_range(4, ~0u, 0);
	words = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
	while (words == MAP_FAILED)
		pause();
	for (size_t i = 0;; i = (i + 1) % (length / PAGE))
		guarded_write(words + i * WORDS, i);
}

static void do_kill(struct worker *worker)
{
	struct loan loan;
	pid_t child;

	if (!borrow(worker, &loan))
		return;
	/* Until it has closed what it inherits, it has the device's file too. */
	pthread_rwlock_rdlock(&stress.device);
	child = fork();
	if (!child)
		be_killed(loan.fd, loan.length);
	EXPECT(KILL, child < 0 ? -errno : 0);
	revoke_one(worker);
	kill(child, SIGKILL);
	/* Interrupted it would leave behind a child that still has the device's file. */
	while (waitpid(child, NULL, 0) < 0)
		if (errno != EINTR)
			give_up(KILL, "waiting for %d: %s", child, strerror(errno));
	pthread_rwlock_unlock(&stress.device);
	close(loan.fd);
}

static void (*const functions[ACTIONS])(struct worker *worker) = {
	[EXPORT] = do_export, [REGISTER] = do_register, [IMPORT] = do_import, [MAP] = do_map,
	[TOUCH] = do_touch, [REVOKE] = do_revoke, [RESET] = do_reset, [MEMORY] = do_memory,
	[SIGNAL] = do_signal, [CLOSE] = do_close, [KILL] = do_kill,
};

/* ---- the run ---- */

/* A slow machine does not come to every action in that time: it has some more. */
static bool goes_on(void)
{
	const int64_t now = clock_now_ns();

	if (now < stress.until)
		return true;
	if (now > stress.at_latest)
		return false;
	for (int i = 0; i < ACTIONS; i++)
		if (!atomic_load(&stress.done[i]))
			return true;
	return false;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	unsigned int sum = 0;

	for (int i = 0; i < ACTIONS; i++)
		sum += actions[i].weight;
	pthread_barrier_wait(&stress.together);
	while (goes_on()) {
		uint64_t ticket = draw(worker, sum);
		int action = 0;

		while (ticket >= actions[action].weight)
			ticket -= actions[action++].weight;
		functions[action](worker);
	}
	unmap(worker);
	pthread_barrier_wait(&stress.together);
	return NULL;
}

static void be_interrupted(int signum)
{
	(void)signum;
}

static void start_worker(struct worker *worker, unsigned int id)
{
	/* Never 0, which would stay 0. */
	worker->random = ((uint64_t)seed << 32 | id) * 0x9e3779b97f4a7c15ull | 1;
	must(verbs_pair_create(&stress.fixture->peer, NULL, &worker->pair, &test_error));
	must(verbs_buffer_init(&stress.fixture->peer, PAGE, VERBS_ACCESS_ALL, &worker->source,
			       &test_error));
	must(ioas_open(&worker->ioas));
}

static void print_counts(void)
{
	for (int i = 0; i < ACTIONS; i++)
		print_message("# %-8s %8llu done, %8llu refused\n", actions[i].name,
			      atomic_load(&stress.done[i]), atomic_load(&stress.refused[i]));
}

/* lab/guest/boot says so. */
static bool kernel_checks_itself(void)
{
	return getenv("LAB_DEBUG");
}

/* -D, else a minute on a kernel that checks itself. */
static int64_t duration(void)
{
	if (test_options.duration_ns)
		return test_options.duration_ns;
	return (kernel_checks_itself() ? 60 : 15) * NS_PER_S;
}

static void all_at_once(void **state)
{
	const struct sigaction interrupting = { .sa_handler = be_interrupted };

	stress.fixture = *state;
	print_message("# %u threads for %lld s, seed %u\n", thread_count,
		      (long long)(duration() / NS_PER_S), seed);
	must(guarded_access_init());
	must_sys(sigaction(SIGUSR1, &interrupting, NULL));
	/* It would keep the device open. */
	fixture_unmap_window(stress.fixture);
	for (unsigned int i = 0; i < thread_count; i++)
		start_worker(&stress.workers[i], i);
	assert_int_equal(pthread_barrier_init(&stress.together, NULL, thread_count), 0);
	stress.until = clock_now_ns() + duration();
	stress.at_latest = stress.until + TEST_TIMEOUT_NS;
	for (unsigned int i = 0; i < thread_count; i++)
		assert_int_equal(pthread_create(&stress.workers[i].thread, NULL, work,
						&stress.workers[i]), 0);
	for (unsigned int i = 0; i < thread_count; i++)
		pthread_join(stress.workers[i].thread, NULL);
	pthread_barrier_destroy(&stress.together);
	for (unsigned int i = 0; i < thread_count; i++) {
		verbs_pair_destroy(&stress.workers[i].pair);
		verbs_buffer_free(&stress.workers[i].source);
		ioas_close(&stress.workers[i].ioas);
	}
	for (int i = 0; i < SLOTS; i++)
		put(&stress.slots[i], -1, 0, true);
	print_counts();
	for (int i = 0; i < ACTIONS; i++)
		assert_true(atomic_load(&stress.done[i]));
}

/* After the fixture has gone. */
static void nothing_is_left(void **state)
{
	int ret;

	(void)state;
	/* The lab's kernels can tell, elsewhere one may not. */
	ret = leftovers_dmabufs(&test_error);
	if (ret != -ENOENT || test_in_lab())
		must(ret);
	ret = leftovers_leaks(&test_error);
	if (ret != -ENOENT || kernel_checks_itself())
		must(ret);
}

static int set_up(void **state)
{
	pthread_rwlockattr_t attr;

	/* Or the one who closes never gets his turn. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&stress.device, &attr);
	pthread_rwlockattr_destroy(&attr);
	for (int i = 0; i < SLOTS; i++) {
		pthread_mutex_init(&stress.slots[i].lock, NULL);
		stress.slots[i].dmabuf = -1;
	}
	leftovers_forget_leaks();
	return fixture_setup(state);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 't':
		if (parse_unsigned(arg, 1, MAX_THREADS, &thread_count))
			argp_error(state, "-t (--threads) takes 1 to %d", MAX_THREADS);
		return 0;
	case 'r':
		if (parse_unsigned(arg, 0, UINT32_MAX, &seed))
			argp_error(state, "-r (--seed) takes a number");
		return 0;
	default:
		return options_pass_on(key, state);
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option option_list[] = {
		{ "threads", 't', "N", 0, "how many (default 6)", 0 },
		{ "seed", 'r', "N", 0, "what the threads draw from (default 1)", 0 },
		{ 0 },
	};
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_at_once, set_up, fixture_teardown),
		cmocka_unit_test(nothing_is_left),
	};
	const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	const struct argp program = {
		option_list, parse_option, NULL,
		"export, register, map, touch, revoke, reset and close at once; -D gives the seconds",
		children, NULL, NULL,
	};

	test_parse_program(&program, argc, argv);
	test_require(TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC);
	return cmocka_run_group_tests_name("dmabuf_stress", tests, NULL, NULL) ? EXIT_STATUS_FAILED : 0;
}
