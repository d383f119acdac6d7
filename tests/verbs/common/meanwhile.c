/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "meanwhile.h"

#include <linux/pci_regs.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guarded_access.h"
#include "ioas.h"

#define IOVA 0x10000000ull

/* ---- what is asked meanwhile: 0 or -errno ---- */

static int write_command(struct fixture *fixture, uint8_t flip)
{
	uint8_t command[2];
	int ret;

	ret = vfio_exporter_read_config(fixture->exporter, PCI_COMMAND, command, sizeof(command),
					&test_error);
	if (ret)
		return ret;
	command[0] ^= flip;
	return vfio_exporter_write_config(fixture->exporter, PCI_COMMAND, command, sizeof(command),
					  &test_error);
}

static int write_what_it_holds(struct meanwhile *other)
{
	return write_command(other->race->fixture, 0);
}

static int switch_bus_mastering(struct meanwhile *other)
{
	struct fixture *fixture = other->race->fixture;
	int ret = write_command(fixture, PCI_COMMAND_MASTER);

	return ret ?: write_command(fixture, PCI_COMMAND_MASTER);
}

static int export_one(struct meanwhile *other)
{
	struct fixture *fixture = other->race->fixture;
	int dmabuf = fixture_export(fixture, 2 * fixture->size, PAGE);

	if (dmabuf < 0)
		return dmabuf;
	close(dmabuf);
	return 0;
}

static int request_another(struct meanwhile *other)
{
	struct fixture *fixture = other->race->fixture;
	int dmabuf = fixture_export(fixture, 2 * fixture->size, PAGE), ret;

	if (dmabuf < 0)
		return dmabuf;
	ret = vfio_exporter_revoke(fixture->exporter, dmabuf, &test_error);
	close(dmabuf);
	return ret;
}

/* An importer that asks nothing of the NIC. */
static int map_by_iommufd(struct meanwhile *other)
{
	struct fixture *fixture = other->race->fixture;
	struct ioas ioas = { .fd = -1 };
	int ret = ioas_open(&ioas);

	if (!ret)
		ret = ioas_map_file(&ioas, other->dmabuf, 0, fixture->size, IOVA);
	ioas_close(&ioas);
	return ret;
}

static int map_and_unmap(struct meanwhile *other)
{
	struct fixture *fixture = other->race->fixture;
	void *address;
	int ret = vfio_dmabuf_map(other->dmabuf, fixture->size, &address, &test_error);

	return ret ?: vfio_exporter_unmap_bar(address, fixture->size);
}

static int read_pages(const volatile uint64_t *words, size_t size)
{
	uint64_t value;
	int ret = 0;

	for (size_t offset = 0; !ret && offset < size; offset += PAGE)
		ret = guarded_read(words + offset / sizeof(*words), &value);
	return ret;
}

static int fault_by_cpu(struct meanwhile *other)
{
	struct fixture *fixture = other->race->fixture;

	return read_pages(other->words, fixture->size);
}

/*
 * In a process of its own: where the fault waits, it keeps all of the process from mapping and unmapping, the
 * test included.
 */
static int fault_in_the_bar(struct meanwhile *other)
{
	struct fixture *fixture = other->race->fixture;
	pid_t child = fork();
	int status;

	if (!child)
		_exit(read_pages(other->bar, fixture->size) ? EXIT_FAILURE : EXIT_SUCCESS);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return error_set(&test_error, errno, "a child could not be made, or waited for");
	return status ? error_set(&test_error, EFAULT, "the BAR could not be read: status %#x", status) : 0;
}

static int register_mr(struct meanwhile *other)
{
	struct fixture *fixture = other->race->fixture;
	struct ibv_mr *mr;
	int ret;

	ret = verbs_reg_dmabuf(&fixture->peer, other->dmabuf, 0, fixture->size, 0, VERBS_ACCESS_ALL, &mr,
			       &test_error);
	return ret ?: -ibv_dereg_mr(mr);
}

static int fault_by_nic(struct meanwhile *other)
{
	struct fixture *fixture = other->race->fixture;
	const struct verbs_remote remote = { .rkey = other->mr->rkey };
	struct ibv_wc wc;
	int ret;

	ret = verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, (uint32_t)fixture->size),
			       remote, &test_error);
	if (!ret)
		ret = verbs_wait(&fixture->pair.initiator, &wc, TEST_TIMEOUT_NS, &test_error);
	if (!ret && wc.status != IBV_WC_SUCCESS)
		ret = error_set(&test_error, EIO, "the write to another dma-buf ended with \"%s\"",
				ibv_wc_status_str(wc.status));
	return ret;
}

static const struct {
	const char *what;
	int (*call)(struct meanwhile *other);
} steps[MEANWHILE_COUNT] = {
	[MEANWHILE_SAME_COMMAND] = { "a write of PCI_COMMAND that changes nothing", write_what_it_holds },
	[MEANWHILE_EXPORT] = { "export", export_one },
	[MEANWHILE_REQUEST] = { "the request for another dma-buf", request_another },
	[MEANWHILE_IOMMUFD] = { "iommufd's attach and map of another dma-buf", map_by_iommufd },
	[MEANWHILE_MMAP] = { "mmap of another dma-buf", map_and_unmap },
	[MEANWHILE_CPU_FAULT] = { "the CPU's fault on another dma-buf", fault_by_cpu },
	[MEANWHILE_BAR_FAULT] = { "the CPU's fault on the BAR", fault_in_the_bar },
	[MEANWHILE_REGISTER] = { "registration of another dma-buf", register_mr },
	[MEANWHILE_NIC_FAULT] = { "the NIC's fault on another dma-buf", fault_by_nic },
	[MEANWHILE_BUS_MASTER] = { "a write of PCI_COMMAND that switches bus mastering",
				   switch_bus_mastering },
};

/* They outlive the test's function. */
static struct {
	struct race_call call;
	struct meanwhile *meanwhile;
	enum meanwhile_step step;
} calls[MEANWHILE_COUNT];

static int make_step(void *argument)
{
	const enum meanwhile_step *step = argument;

	return steps[*step].call(calls[*step].meanwhile);
}

unsigned int meanwhile_count_waiting(struct meanwhile *meanwhile, enum meanwhile_step first,
				     enum meanwhile_step last, time_t seconds)
{
	const int64_t deadline = clock_now_ns() + seconds * NS_PER_S;
	struct race *race = meanwhile->race;
	unsigned int waiting = 0;

	must(guarded_access_init());
	for (enum meanwhile_step i = first; i < last; i++) {
		calls[i].meanwhile = meanwhile;
		calls[i].step = i;
		race_call(race, &calls[i].call, make_step, &calls[i].step);
	}
	for (enum meanwhile_step i = first; i < last; i++) {
		const int64_t left = deadline - clock_now_ns();
		const time_t left_s = left > 0 ? (left + NS_PER_S - 1) / NS_PER_S : 0;

		if (race_call_ends_within(race, &calls[i].call, left_s))
			continue;
		print_error("# %s is kept waiting\n", steps[i].what);
		waiting++;
	}
	return waiting;
}

void meanwhile_must_have_succeeded(struct meanwhile *meanwhile, enum meanwhile_step first,
				   enum meanwhile_step last)
{
	(void)meanwhile;
	for (enum meanwhile_step i = first; i < last; i++) {
		if (calls[i].call.result)
			fail_msg("%s failed: %s", steps[i].what, calls[i].call.err.text);
	}
}

int meanwhile_setup(struct meanwhile *meanwhile, struct race *race)
{
	struct fixture *fixture = race->fixture;
	void *bar, *words;
	int ret;

	*meanwhile = (struct meanwhile){ .race = race };
	meanwhile->dmabuf = fixture_export(fixture, fixture->size, fixture->size);
	if (meanwhile->dmabuf < 0)
		return meanwhile->dmabuf;
	ret = vfio_dmabuf_map(meanwhile->dmabuf, fixture->size, &words, &test_error);
	if (ret)
		return ret;
	meanwhile->words = words;
	ret = vfio_exporter_map_bar(fixture->exporter, test_options.bar,
				    test_options.offset + 2 * fixture->size, fixture->size, &bar, &test_error);
	if (!ret)
		meanwhile->bar = bar;
	return ret;
}

void meanwhile_teardown(struct meanwhile *meanwhile)
{
	struct race *race = meanwhile->race;

	while (race->under_way)
		race_call_join(race, race->under_way, "what a failed test left under way");
	if (meanwhile->mr)
		ibv_dereg_mr(meanwhile->mr);
	if (meanwhile->words)
		vfio_exporter_unmap_bar((void *)meanwhile->words, race->fixture->size);
	if (meanwhile->bar)
		vfio_exporter_unmap_bar((void *)meanwhile->bar, race->fixture->size);
	if (meanwhile->dmabuf >= 0)
		close(meanwhile->dmabuf);
}
