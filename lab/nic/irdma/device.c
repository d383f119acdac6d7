/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The function as a whole: its making, its resets, and what a test may ask of it. */
#include "irdma.h"

#define REGISTER_BAR 0u
#define MSIX_BAR 3u
#define MSIX_BAR_BYTES 0x2000u
#define MSIX_PBA_OFFSET 0x1000u

static void make_counters(struct irdma_device *dev)
{
#define COUNTER(name) dev->count.name = counter(dev->counters, #name)
	COUNTER(commands);
	COUNTER(commands_failed);
	COUNTER(doorbells);
	COUNTER(wqes);
	COUNTER(packets);
	COUNTER(cqes);
	COUNTER(ceqes);
	COUNTER(aeqes);
	COUNTER(bytes_read);
	COUNTER(bytes_written);
	COUNTER(rnr_naks);
	COUNTER(remote_access_errors);
	COUNTER(local_protection_errors);
	COUNTER(flushed);
	COUNTER(cq_overflows);
	COUNTER(lost);
	COUNTER(stale_keys);
#undef COUNTER
}

/* Numbers are the host's, plus one where it begins with zero. */
static void make_tables(struct irdma_device *dev)
{
	dev->stags = id_table_new(1, MAX_STAG_INDEX + 1, stag_destroy);
	dev->cqs = id_table_new(1, IRDMA_MAX_CQID + 1, cq_destroy);
	dev->qps = id_table_new(1, IRDMA_MAX_IW_QP_ID, qp_destroy);
	dev->ahs = id_table_new(1, UINT32_MAX, g_free);
	dev->neighbours = id_table_new(1, UINT16_MAX + 1, g_free);
	dev->groups = id_table_new(1, UINT16_MAX + 1, g_free);
}

void irdma_device_teardown(struct irdma_device *dev)
{
	turns_clear(dev->turns);
	/* Users before what they use. */
	id_table_clear(dev->qps);
	id_table_clear(dev->cqs);
	id_table_clear(dev->stags);
	id_table_clear(dev->ahs);
	id_table_clear(dev->neighbours);
	id_table_clear(dev->groups);
	event_queues_reset(dev->events, false);
	hmc_reset(dev->hmc);
}

void irdma_device_reset(struct irdma_device *dev)
{
	irdma_log(dev, "reset");
	admin_queue_reset(dev->admin);
	control_queue_reset(dev->control);
	irdma_device_teardown(dev);
	event_queues_reset(dev->events, true);
	registers_reset(dev->registers);
	memset(&dev->statistics, 0, sizeof(dev->statistics));
}

static void on_mmio_read(void *opaque, unsigned int bar, uint64_t offset, void *data,
			 unsigned int size)
{
	struct irdma_device *dev = opaque;
	u32 value = 0;

	memset(data, 0, size);
	if (bar == REGISTER_BAR)
		value = registers_read(dev->registers, offset);
	memcpy(data, &value, MIN(size, sizeof(value)));
}

static void on_mmio_write(void *opaque, unsigned int bar, uint64_t offset, const void *data,
			  unsigned int size)
{
	struct irdma_device *dev = opaque;
	u32 value;

	if (bar != REGISTER_BAR || size != sizeof(value))
		return;
	memcpy(&value, data, sizeof(value));
	registers_write(dev->registers, offset, value);
}

static bool on_work(void *opaque)
{
	struct irdma_device *dev = opaque;

	return turns_run_slice(dev->turns);
}

static void on_reset(void *opaque)
{
	irdma_device_reset(opaque);
}

static void on_dma_unmapped(void *opaque, uint64_t iova, uint64_t size)
{
	stag_oracle(opaque, iova, size);
}

static const struct pci_device_ops device_ops = {
	.mmio_read = on_mmio_read,
	.mmio_write = on_mmio_write,
	.work = on_work,
	.reset = on_reset,
	.dma_unmapped = on_dma_unmapped,
};

static const struct pci_device_config device_config = {
	.vendor_id = IRDMA_VENDOR_ID,
	.device_id = IRDMA_DEVICE_ID,
	.subsystem_vendor_id = IRDMA_VENDOR_ID,
	.subsystem_id = 1,
	.class_code = 0x020000, /* Ethernet controller */
	.revision = 2,
	.bar = {
		[REGISTER_BAR] = {.size = IRDMA_BAR_BYTES, .is_64bit = true, .prefetchable = true},
		[MSIX_BAR] = {.size = MSIX_BAR_BYTES},
	},
	.msix_vectors = IRDMA_VECTORS,
	.msix_bar = MSIX_BAR,
	.msix_table_offset = 0,
	.msix_pba_offset = MSIX_PBA_OFFSET,
};

const struct pci_device_ops *irdma_device_ops(void)
{
	return &device_ops;
}

static void on_release(void *opaque, const char *operation, uint64_t ticket)
{
	struct irdma_device *dev = opaque;

	(void)operation;
	if (!control_queue_release(dev->control, ticket) && !event_queues_release(dev->events, ticket))
		data_path_release(dev, ticket);
}

static json_t *control_state(void *opaque, const json_t *request)
{
	struct irdma_device *dev = opaque;

	(void)request;
	return json_pack("{s:i, s:i, s:i, s:i, s:b}", "qps", id_table_count(dev->qps), "cqs",
			 id_table_count(dev->cqs), "stags", id_table_count(dev->stags), "ahs",
			 id_table_count(dev->ahs), "running", control_queue_status(dev->control));
}

static json_t *control_stag(void *opaque, const json_t *request)
{
	json_t *number = json_object_get(request, "stag"), *stag;

	if (!json_is_integer(number))
		return control_error("\"stag\" needs \"stag\": the lkey or rkey as a number");
	stag = stag_json(opaque, (u32)json_integer_value(number));
	return stag ? stag : control_error("there is no stag 0x%llx",
					   (unsigned long long)json_integer_value(number));
}

static json_t *control_present(void *opaque, const json_t *request)
{
	json_t *present = json_object_get(request, "present");
	struct irdma_device *dev = opaque;

	if (!json_is_boolean(present))
		return control_error("\"plug\" needs \"present\": true or false");
	pci_device_set_present(dev->pci, json_is_true(present));
	return json_object();
}

static void add_commands(struct irdma_device *dev, struct control *control)
{
	fabric_control(dev->port, control);
	control_add_command(control, "state", "how many objects of each kind live", control_state,
			    dev);
	control_add_command(control, "stag", "{\"stag\": N}: one memory region or window",
			    control_stag, dev);
	control_add_command(control, "plug",
			    "{\"present\": B}: the function is pulled out, or put back",
			    control_present, dev);
}

struct irdma_device *irdma_device_new(const struct irdma_options *options,
				      const struct model_host *host)
{
	struct irdma_device *dev = g_new0(struct irdma_device, 1);

	dev->counters = host->counters;
	dev->knobs = host->knobs;
	dev->log = host->log;
	for (u32 i = 0; i < sizeof(dev->mac); i++)
		dev->mac[i] = (options->mac + host->number) >> (40 - 8 * i);
	dev->port = fabric_attach(host->fabric, dev->mac, sizeof(dev->mac), dev, dev->counters);
	if (dev->port)
		dev->pci = pci_device_new(&device_config, &device_ops, dev, dev->counters,
					  host->loop);
	if (!dev->pci) {
		fabric_detach(dev->port);
		g_free(dev);
		return NULL;
	}
	pci_device_set_log(dev->pci, dev->log);
	dev->dma = pci_device_dma(dev->pci);
	make_counters(dev);
	make_tables(dev);
	dev->turns = turns_new(dev->pci);
	dev->registers = registers_new(dev);
	dev->hmc = hmc_new(dev);
	dev->events = event_queues_new(dev);
	dev->control = control_queue_new(dev);
	dev->admin = admin_queue_new(dev);
	knobs_set_release(dev->knobs, on_release, dev);
	if (host->control)
		add_commands(dev, host->control);
	return dev;
}

void irdma_device_free(struct irdma_device *dev)
{
	if (!dev)
		return;
	irdma_device_reset(dev);
	fabric_detach(dev->port);
	knobs_set_release(dev->knobs, NULL, NULL);
	id_table_free(dev->qps);
	id_table_free(dev->cqs);
	id_table_free(dev->stags);
	id_table_free(dev->ahs);
	id_table_free(dev->neighbours);
	id_table_free(dev->groups);
	admin_queue_free(dev->admin);
	control_queue_free(dev->control);
	event_queues_free(dev->events);
	hmc_free(dev->hmc);
	registers_free(dev->registers);
	turns_free(dev->turns);
	pci_device_free(dev->pci);
	g_free(dev);
}
