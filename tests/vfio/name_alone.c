/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A dma-buf whose file is closed and freed, and whose name an O_PATH descriptor holds: the exporter still
 * has it in its list. The calls that revoke pass it by; a kernel with KASAN tells if they follow its file.
 */
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"
#include "guarded_access.h"
#include "trigger.h"

#define ROUNDS 4

/* Returns the descriptor that holds the name. The file's memory is free: it waits for RCU, and so did this. */
static int leave_the_name(struct fixture *fixture)
{
	char path[64];
	int name;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fixture->dmabuf);
	name = must_sys(open(path, O_PATH | O_CLOEXEC));
	close(fixture->dmabuf);
	fixture->dmabuf = -1;
	for (int i = 0; i < ROUNDS; i++)
		must_sys((int)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	return name;
}

static void must_be_mapped(volatile uint64_t *words, int errnum)
{
	must_fail(guarded_write(words, 1), errnum);
}

/* What is exported beside it is revoked as ever, and given back. */
static void revoked_and_given_back(void **state)
{
	struct fixture *fixture = *state;
	int name = leave_the_name(fixture);
	volatile uint64_t *words;

	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
	words = fixture_map_dmabuf(fixture->dmabuf, fixture->size);
	for (int i = 0; i < ROUNDS; i++) {
		must_be_mapped(words, 0);
		fixture_revoke(fixture);
		must_be_mapped(words, EFAULT);
		fixture_unrevoke(fixture);
		must(trigger_pull(fixture, TRIGGER_REVOKE));
		must_be_mapped(words, EFAULT);
		must(vfio_exporter_unmap_bar((void *)words, fixture->size));
		must(trigger_undo(fixture, TRIGGER_REVOKE));
		words = fixture_map_dmabuf(fixture->dmabuf, fixture->size);
	}
	must_be_mapped(words, 0);
	must(vfio_exporter_unmap_bar((void *)words, fixture->size));
	close(name);
}

static void closed(void **state)
{
	struct fixture *fixture = *state;
	int name = leave_the_name(fixture);

	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	close(name);
	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
}

static const struct CMUnitTest tests[] = {
	test_with_exporter(revoked_and_given_back),
	test_with_exporter(closed),
};

TEST_MAIN("a dma-buf that has a name and no file any more is passed by", TEST_NEEDS_EXPORTER, tests)
