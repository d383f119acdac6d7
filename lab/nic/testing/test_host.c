/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "test_host.h"

#include <glib.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../vfio-user/pci_device_internal.h"

void test_host_open(struct test_host *host, struct test_host *first)
{
	*host = (struct test_host){
		.first = first,
		.model.number = !!first,
		.model.loop = first ? first->model.loop : ev_loop_new(EVFLAG_AUTO),
		.model.fabric = first ? first->model.fabric : fabric_new(),
		.model.counters = counters_new(),
		.model.knobs = knobs_new(),
		.fd = memfd_create("host", MFD_CLOEXEC),
	};
	assert_true(host->fd >= 0 && !ftruncate(host->fd, HOST_MEMORY));
	host->memory = mmap(NULL, HOST_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, host->fd, 0);
	assert_true(host->memory != MAP_FAILED);
}

void test_host_plug(struct test_host *host, void *device, const struct pci_device_ops *ops,
		    struct pci_device *pci)
{
	const uint8_t command[2] = {0x06, 0}; /* memory, bus mastering */

	host->device = device;
	host->ops = ops;
	host->dma = pci_device_dma(pci);
	assert_int_equal(pci_device_region_write(pci, VFIO_PCI_CONFIG_REGION_INDEX, 4, command,
						 sizeof(command)),
			 0);
	assert_int_equal(dma_space_map(host->dma, HOST_IOVA, HOST_MEMORY, host->fd, 0,
				       DMA_MAY_READ | DMA_MAY_WRITE),
			 0);
}

void test_host_enable_interrupts(struct test_host *host, struct pci_device *pci)
{
	for (uint32_t i = 0; i < HOST_VECTORS; i++) {
		/* The function's from here on: it closes them. */
		host->vectors[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		pci->vectors[i] = host->vectors[i];
	}
}

void test_host_close(struct test_host *host)
{
	knobs_free(host->model.knobs);
	counters_free(host->model.counters);
	if (!host->first) {
		fabric_free(host->model.fabric);
		ev_loop_destroy(host->model.loop);
	}
	munmap(host->memory, HOST_MEMORY);
	close(host->fd);
}

uint8_t *test_host_alloc(struct test_host *host, size_t len)
{
	uint8_t *address = host->memory + host->used;

	host->used += (len + HOST_PAGE - 1) & ~(uint64_t)(HOST_PAGE - 1);
	assert_true(host->used <= HOST_MEMORY);
	return address;
}

uint64_t test_host_iova(const struct test_host *host, const void *address)
{
	return HOST_IOVA + (uint64_t)((const uint8_t *)address - host->memory);
}

void test_host_turn(struct test_host *host)
{
	while (host->ops->work(host->device))
		;
	ev_run(host->model.loop, EVRUN_NOWAIT);
}

uint64_t test_host_interrupts(struct test_host *host, uint32_t vector)
{
	uint64_t count;

	return read(host->vectors[vector], &count, sizeof(count)) == sizeof(count) ? count : 0;
}

uint64_t test_host_counter(const struct test_host *host, const char *name)
{
	const uint64_t *value = counters_find(host->model.counters, name);

	assert_non_null(value);
	return *value;
}

void test_host_rule(struct test_host *host, const char *operation, const char *action,
		    const char *more)
{
	g_autofree char *text = g_strdup_printf("{\"operation\": \"%s\", \"action\": \"%s\"%s%s}",
						operation, action, *more ? ", " : "", more);
	json_t *rule = json_loads(text, 0, NULL);

	assert_non_null(rule);
	assert_null(knobs_add_rule(host->model.knobs, rule));
	json_decref(rule);
}

void fill_pattern(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = i * 7 + (i >> 8);
}
