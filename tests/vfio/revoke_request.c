/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE: every errno it can give, and what holds
 * when it returns 0, seen from the CPU and from an iommufd that imports.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/udmabuf.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "guarded_access.h"
#include "ioas.h"
#include "trigger.h"

#define IOVA 0x10000000ull
#define FEATURE VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE

static int request_revoke(struct fixture *fixture, int dmabuf)
{
	return vfio_exporter_revoke(fixture->exporter, dmabuf, &test_error);
}

static void *map(struct fixture *fixture, int dmabuf)
{
	return fixture_map_dmabuf(dmabuf, fixture->size);
}

/* Neither the CPU nor an importer gets at it, by whatever file of it. */
static void must_be_dead(struct fixture *fixture, int dmabuf)
{
	struct ioas ioas = { .fd = -1 };
	void *address;

	must_fail(vfio_dmabuf_map(dmabuf, fixture->size, &address, &test_error), ENODEV);
	must(ioas_open(&ioas));
	must_fail(ioas_map_file(&ioas, dmabuf, 0, fixture->size, IOVA), ENODEV);
	ioas_close(&ioas);
}

static void must_live(struct fixture *fixture, int dmabuf, uint32_t seed)
{
	struct ioas ioas = { .fd = -1 };
	void *address = map(fixture, dmabuf);

	fill_pattern(address, fixture->size, seed);
	must_hold_pattern(fixture->window, fixture->size, seed);
	munmap(address, fixture->size);
	must(ioas_open(&ioas));
	must(ioas_map_file(&ioas, dmabuf, 0, fixture->size, IOVA));
	ioas_close(&ioas);
}

/* ---- errnos: each leaves the dma-buf as it was ---- */

static int request(struct fixture *fixture, uint32_t flags, size_t size)
{
	struct { struct vfio_device_feature_dma_buf_revoke revoke; uint32_t more; } payload = {
		.revoke.dmabuf_fd = fixture->dmabuf,
	};

	return vfio_exporter_feature(fixture->exporter, flags, FEATURE, &payload, size, &test_error);
}

static void set_and_probe_alone(void **state)
{
	const size_t size = sizeof(struct vfio_device_feature_dma_buf_revoke);
	struct fixture *fixture = *state;

	must(request(fixture, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET, 0));
	must(request(fixture, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET, size));
	must_fail(request(fixture, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET, size), EINVAL);
	must_fail(request(fixture, VFIO_DEVICE_FEATURE_GET, size), EINVAL);
	must_fail(request(fixture, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET, size), EINVAL);
	must_fail(request(fixture, 0, size), EINVAL);
	must_live(fixture, fixture->dmabuf, 1);
}

static void unknown_flags(void **state)
{
	const size_t size = sizeof(struct vfio_device_feature_dma_buf_revoke);
	struct fixture *fixture = *state;

	for (unsigned int bit = 19; bit < 32; bit++)
		must_fail(request(fixture, VFIO_DEVICE_FEATURE_SET | 1u << bit, size), EINVAL);
	must_live(fixture, fixture->dmabuf, 1);
}

static void argsz(void **state)
{
	struct fixture *fixture = *state;

	for (size_t size = 0; size < sizeof(struct vfio_device_feature_dma_buf_revoke); size++)
		must_fail(request(fixture, VFIO_DEVICE_FEATURE_SET, size), EINVAL);
	must_live(fixture, fixture->dmabuf, 1);
	/* A later kernel's longer structure begins with this one. */
	must(request(fixture, VFIO_DEVICE_FEATURE_SET, 8));
	must_be_dead(fixture, fixture->dmabuf);
}

/* The payload lies where nothing is mapped. */
static void unreadable_payload(void **state)
{
	struct fixture *fixture = *state;
	struct vfio_device_feature *header;
	uint8_t *pages;

	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	must_sys(mprotect(pages + PAGE, PAGE, PROT_NONE));
	header = (void *)(pages + PAGE - sizeof(*header));
	header->argsz = sizeof(*header) + sizeof(struct vfio_device_feature_dma_buf_revoke);
	header->flags = VFIO_DEVICE_FEATURE_SET | FEATURE;
	assert_int_equal(ioctl(vfio_exporter_device_fd(fixture->exporter), VFIO_DEVICE_FEATURE, header),
			 -1);
	assert_int_equal(errno, EFAULT);
	munmap(pages, 2 * PAGE);
	must_live(fixture, fixture->dmabuf, 1);
}

static void no_open_fd(void **state)
{
	struct fixture *fixture = *state;
	int closed = must_sys(dup(fixture->dmabuf));
	int path_only;
	char path[64];

	must_fail(request_revoke(fixture, -1), EBADF);
	must_fail(request_revoke(fixture, INT_MIN), EBADF);
	must_fail(request_revoke(fixture, INT_MAX), EBADF);
	close(closed);
	must_fail(request_revoke(fixture, closed), EBADF);
	/* Such an fd names a file and gives no right to use it. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fixture->dmabuf);
	path_only = must_sys(open(path, O_PATH | O_CLOEXEC));
	must_fail(request_revoke(fixture, path_only), EBADF);
	close(path_only);
	must_live(fixture, fixture->dmabuf, 1);
}

static void no_dmabuf(void **state)
{
	struct fixture *fixture = *state;
	int others[] = {
		must_sys(memfd_create("other", MFD_CLOEXEC)),
		must_sys(open("/dev/null", O_RDWR | O_CLOEXEC)),
		must_sys(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		must_fail(request_revoke(fixture, others[i]), EINVAL);
		close(others[i]);
	}
	must_fail(request_revoke(fixture, vfio_exporter_device_fd(fixture->exporter)), EINVAL);
	must_live(fixture, fixture->dmabuf, 1);
}

static int from_udmabuf(void)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = PAGE };
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int fd;

	if (device < 0)
		test_skip("there is no /dev/udmabuf, which makes a dma-buf of another driver");
	create.memfd = (uint32_t)must_sys(memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	must_sys(ftruncate((int)create.memfd, PAGE));
	must_sys(fcntl((int)create.memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	fd = must_sys(ioctl(device, UDMABUF_CREATE, &create));
	close((int)create.memfd);
	close(device);
	return fd;
}

static void of_another_driver(void **state)
{
	struct fixture *fixture = *state;
	int fd = from_udmabuf();

	must_fail(request_revoke(fixture, fd), ENODEV);
	close(fd);
	must_live(fixture, fixture->dmabuf, 1);
}

static struct vfio_exporter *second_exporter(void)
{
	const char *bdf = getenv("EXPORTER2");
	struct vfio_exporter *exporter;

	if (!bdf)
		test_skip("EXPORTER2 names no second PCI function that is bound to vfio-pci");
	must(vfio_exporter_open(&exporter, bdf, test_options.interface, &test_error));
	return exporter;
}

static unsigned int first_bar(struct vfio_exporter *exporter)
{
	struct vfio_bar info;

	for (unsigned int bar = 0; bar < 6; bar++) {
		must(vfio_exporter_bar(exporter, bar, &info, &test_error));
		if (info.mappable && info.size >= PAGE)
			return bar;
	}
	fail_msg("exporter %s has no BAR of a page or more", vfio_exporter_bdf(exporter));
	return 0;
}

static void of_another_device(void **state)
{
	const struct vfio_range page = { 0, PAGE };
	struct fixture *fixture = *state;
	struct vfio_exporter *other = second_exporter();
	int fd = must(vfio_exporter_export(other, first_bar(other), &page, 1, &test_error));

	must_fail(request_revoke(fixture, fd), ENODEV);
	must_fail(vfio_exporter_revoke(other, fixture->dmabuf, &test_error), ENODEV);
	must_live(fixture, fixture->dmabuf, 1);
	/* Its own device may. */
	must(vfio_exporter_revoke(other, fd, &test_error));
	close(fd);
	vfio_exporter_close(other);
}

static void closed_device(void **state)
{
	struct fixture *fixture = *state;

	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must_fail(request_revoke(fixture, fixture->dmabuf), EBADF);
}

static void twice(void **state)
{
	struct fixture *fixture = *state;
	int copy = must_sys(dup(fixture->dmabuf));

	must(request_revoke(fixture, fixture->dmabuf));
	must_fail(request_revoke(fixture, fixture->dmabuf), EBADFD);
	must_fail(request_revoke(fixture, copy), EBADFD);
	close(copy);
}

/* ---- what holds at the return ---- */

static void nothing_is_left(void **state)
{
	struct fixture *fixture = *state;
	struct ioas ioas = { .fd = -1 };
	volatile uint64_t *words = map(fixture, fixture->dmabuf);
	uint64_t value;

	must(ioas_open(&ioas));
	must(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size, IOVA));
	must(guarded_write(words, 1));
	must(request_revoke(fixture, fixture->dmabuf));
	must_fail(guarded_read(words, &value), EFAULT);
	must_fail(guarded_write(words + 1, 2), EFAULT);
	must_be_dead(fixture, fixture->dmabuf);
	/* The importer's own bookkeeping is still its own. */
	assert_int_equal(ioas_unmap(&ioas, IOVA, fixture->size), fixture->size);
	must_fail(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size, IOVA), ENODEV);
	ioas_close(&ioas);
	munmap((void *)words, fixture->size);
	/* Nor has the file become another one. */
	assert_int_equal(lseek(fixture->dmabuf, 0, SEEK_END), fixture->size);
}

/* The owner's own window, and what else is lent of the same range, are not concerned. */
static void others_live_on(void **state)
{
	struct fixture *fixture = *state;
	int other = must(fixture_export(fixture, 0, fixture->size));
	volatile uint64_t *words = map(fixture, other);
	struct ioas ioas = { .fd = -1 };

	must(ioas_open(&ioas));
	must(ioas_map_file(&ioas, other, 0, fixture->size, IOVA));
	must(guarded_write(words, 1));
	must(request_revoke(fixture, fixture->dmabuf));
	must(guarded_write(words, 2));
	assert_int_equal(*(volatile uint64_t *)fixture->window, 2);
	must_fail(ioas_map_file(&ioas, other, 0, fixture->size, IOVA), EEXIST);
	must_live(fixture, other, 3);
	munmap((void *)words, fixture->size);
	ioas_close(&ioas);
	close(other);
}

static void lent_again(void **state)
{
	struct fixture *fixture = *state;
	volatile uint64_t *old = map(fixture, fixture->dmabuf);
	int again;

	for (uint32_t i = 0; i < 10; i++) {
		must(request_revoke(fixture, fixture->dmabuf));
		again = must(fixture_export(fixture, 0, fixture->size));
		must_live(fixture, again, i);
		must_be_dead(fixture, fixture->dmabuf);
		must_fail(guarded_write(old, 1), EFAULT);
		close(fixture->dmabuf);
		fixture->dmabuf = again;
	}
	munmap((void *)old, fixture->size);
}

/* ---- PERM and the other states ---- */

static void out_of_temporarily_revoked(void **state)
{
	struct fixture *fixture = *state;
	volatile uint64_t *words = map(fixture, fixture->dmabuf);

	must(guarded_write(words, 1));
	fixture_revoke(fixture);
	must(request_revoke(fixture, fixture->dmabuf));
	must_fail(request_revoke(fixture, fixture->dmabuf), EBADFD);
	must_be_dead(fixture, fixture->dmabuf);
	fixture_unrevoke(fixture);
	must_be_dead(fixture, fixture->dmabuf);
	must_fail(guarded_write(words, 2), EFAULT);
	must_fail(request_revoke(fixture, fixture->dmabuf), EBADFD);
	munmap((void *)words, fixture->size);
}

static void born_revoked(void **state)
{
	struct fixture *fixture = *state;
	int dmabuf;

	fixture_revoke(fixture);
	dmabuf = must(fixture_export(fixture, 0, fixture->size));
	must(request_revoke(fixture, dmabuf));
	fixture_unrevoke(fixture);
	must_be_dead(fixture, dmabuf);
	must_live(fixture, fixture->dmabuf, 1);
	close(dmabuf);
}

static void no_trigger_brings_it_back(void **state)
{
	static const enum trigger all[] = {
		TRIGGER_COMMAND, TRIGGER_RESET, TRIGGER_HOT_RESET, TRIGGER_SYSFS_RESET, TRIGGER_LOW_POWER,
		TRIGGER_D3, TRIGGER_FLR, TRIGGER_AF_FLR,
	};
	struct fixture *fixture = *state;

	must(request_revoke(fixture, fixture->dmabuf));
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int ret = trigger_pull(fixture, all[i]);

		if (ret == -EOPNOTSUPP && test_error.missing)
			continue;
		must(ret);
		must(trigger_undo(fixture, all[i]));
		must_be_dead(fixture, fixture->dmabuf);
		must_fail(request_revoke(fixture, fixture->dmabuf), EBADFD);
	}
}

static void close_after_it(void **state)
{
	struct fixture *fixture = *state;

	must(request_revoke(fixture, fixture->dmabuf));
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	must_be_dead(fixture, fixture->dmabuf);
	/* It had parted from the device when that was closed. */
	must_fail(request_revoke(fixture, fixture->dmabuf), ENODEV);
}

/* ---- which file of it asks, and who else holds it ---- */

static int through_a_socket(int fd)
{
	union {
		struct cmsghdr align;
		char buffer[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.buffer, .msg_controllen = sizeof(control.buffer),
	};
	int sockets[2], received;

	must_sys(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets));
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	must_sys((int)sendmsg(sockets[0], &message, 0));
	/* Now only the message holds it. */
	close(fd);
	must_sys((int)recvmsg(sockets[1], &message, MSG_CMSG_CLOEXEC));
	memcpy(&received, CMSG_DATA(&control.align), sizeof(received));
	close(sockets[0]);
	close(sockets[1]);
	return received;
}

static void by_another_fd(void **state)
{
	struct fixture *fixture = *state;
	int copy = must_sys(dup(fixture->dmabuf)), received;

	close(fixture->dmabuf);
	must_live(fixture, copy, 1);
	received = through_a_socket(copy);
	must_live(fixture, received, 2);
	must(request_revoke(fixture, received));
	must_be_dead(fixture, received);
	fixture->dmabuf = received;
}

/* O_PATH keeps a file's name and no reference of the dma-buf: nothing waits for it. */
static void path_fd_delays_nothing(void **state)
{
	struct fixture *fixture = *state;
	char path[64];
	int path_only;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fixture->dmabuf);
	path_only = must_sys(open(path, O_PATH | O_CLOEXEC));
	must(request_revoke(fixture, fixture->dmabuf));
	close(fixture->dmabuf);
	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
	must_live(fixture, fixture->dmabuf, 1);
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	close(path_only);
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
}

/* Its fd is closed everywhere; a mapping, or an attachment, keeps it alive: the owner's calls still reach it. */
static void held_by_a_mapping_alone(void **state)
{
	struct fixture *fixture = *state;
	volatile uint64_t *words = map(fixture, fixture->dmabuf);

	close(fixture->dmabuf);
	fixture->dmabuf = -1;
	must(guarded_write(words, 1));
	fixture_revoke(fixture);
	must_fail(guarded_write(words, 2), EFAULT);
	fixture_unrevoke(fixture);
	must(guarded_write(words, 3));
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must_fail(guarded_write(words, 4), EFAULT);
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	must_fail(guarded_write(words, 5), EFAULT);
	munmap((void *)words, fixture->size);
}

static void held_by_an_attachment_too(void **state)
{
	struct fixture *fixture = *state;
	struct ioas ioas = { .fd = -1 };

	must(ioas_open(&ioas));
	must(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size, IOVA));
	must(request_revoke(fixture, fixture->dmabuf));
	close(fixture->dmabuf);
	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
	must_live(fixture, fixture->dmabuf, 1);
	assert_int_equal(ioas_unmap(&ioas, IOVA, fixture->size), fixture->size);
	must(ioas_map_file(&ioas, fixture->dmabuf, 0, fixture->size, IOVA));
	ioas_close(&ioas);
}

/* ---- several at once ---- */

struct racer {
	pthread_t thread;
	pthread_barrier_t *start;
	struct fixture *fixture;
	volatile uint64_t *words;
	int result, after;
};

/* Whoever is told that it was revoked before may rely on that as much as who did it. */
static void *race(void *argument)
{
	struct racer *racer = argument;

	pthread_barrier_wait(racer->start);
	racer->result = vfio_exporter_revoke(racer->fixture->exporter, racer->fixture->dmabuf, NULL);
	racer->after = guarded_write(racer->words, 1);
	return NULL;
}

static void one_of_many_wins(void **state)
{
	enum { RACERS = 4, ROUNDS = 50 };
	struct fixture *fixture = *state;
	struct racer racers[RACERS];
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, RACERS);
	for (int round = 0; round < ROUNDS; round++) {
		volatile uint64_t *words = map(fixture, fixture->dmabuf);
		int winners = 0;

		must(guarded_write(words, 1));
		for (int i = 0; i < RACERS; i++) {
			racers[i] = (struct racer){ .start = &start, .fixture = fixture, .words = words };
			assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
		}
		for (int i = 0; i < RACERS; i++) {
			pthread_join(racers[i].thread, NULL);
			winners += !racers[i].result;
			if (racers[i].result)
				must_fail(racers[i].result, EBADFD);
			must_fail(racers[i].after, EFAULT);
		}
		assert_int_equal(winners, 1);
		munmap((void *)words, fixture->size);
		must(trigger_undo(fixture, TRIGGER_REVOKE));
	}
	pthread_barrier_destroy(&start);
}

static int set_up(void **state)
{
	struct fixture *fixture;

	if (fixture_setup_exporter(state))
		return -1;
	fixture = *state;
	if (vfio_exporter_can_revoke(fixture->exporter))
		return 0;
	print_error("# setup: this kernel has no VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE\n");
	return -1;
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)

static const struct CMUnitTest tests[] = {
	test(set_and_probe_alone),
	test(unknown_flags),
	test(argsz),
	test(unreadable_payload),
	test(no_open_fd),
	test(no_dmabuf),
	test(of_another_driver),
	test(of_another_device),
	test(closed_device),
	test(twice),
	test(nothing_is_left),
	test(others_live_on),
	test(lent_again),
	test(out_of_temporarily_revoked),
	test(born_revoked),
	test(no_trigger_brings_it_back),
	test(close_after_it),
	test(by_another_fd),
	test(path_fd_delays_nothing),
	test(held_by_a_mapping_alone),
	test(held_by_an_attachment_too),
	test(one_of_many_wins),
};

TEST_MAIN("the request to revoke a dma-buf for good: its errnos and what holds at its return",
	  TEST_NEEDS_EXPORTER, tests)
