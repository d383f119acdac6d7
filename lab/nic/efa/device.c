/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The function as a whole: its making, its resets, and what a test may ask of it. */
#include "qp.h"

#define REGISTER_BAR_BYTES 0x1000u
#define MSIX_BAR_BYTES 0x2000u
#define MSIX_PBA_OFFSET 0x1000u
#define LLQ_BAR_BYTES (EFA_MAX_QPS * (u64)EFA_LLQ_BYTES)
#define DOORBELL_BAR_BYTES 0x800000u
#define GUIDS_OF_A_HOST 0x10u

_Static_assert((EFA_MAX_QPS + EFA_MAX_CQS) * EFA_DOORBELL_PAGE <= DOORBELL_BAR_BYTES, "room");

int efa_publish(struct efa_device *dev, u64 address, const void *entry, u32 size, u32 head)
{
	int error = 0;

	if (size > head)
		error = dma_write(dev->dma, address + head, (const u8 *)entry + head, size - head);
	return error ? error : dma_write_publish(dev->dma, address, entry, head, head);
}

static void make_counters(struct efa_device *dev)
{
#define COUNTER(name) dev->count.name = counter(dev->counters, #name)
	COUNTER(commands);
	COUNTER(commands_failed);
	COUNTER(doorbells);
	COUNTER(wqes);
	COUNTER(cqes);
	COUNTER(eqes);
	COUNTER(cq_overflows);
	COUNTER(bytes_read);
	COUNTER(bytes_written);
	COUNTER(rnr);
	COUNTER(remote_access_errors);
	COUNTER(local_protection_errors);
	COUNTER(flushed);
	COUNTER(lost);
	COUNTER(stale_keys);
#undef COUNTER
}

static void make_tables(struct efa_device *dev)
{
	dev->uars = id_table_new(1, EFA_MAX_UARS, g_free);
	dev->pds = id_table_new(1, EFA_MAX_PDS, g_free);
	dev->ahs = id_table_new(1, EFA_MAX_AHS, g_free);
	dev->mrs = id_table_new(1, GENMASK(23, 0), mr_destroy);
	dev->eqs = id_table_new(1, EFA_MAX_EQS, eq_destroy);
	dev->cqs = id_table_new(1, EFA_MAX_CQS, cq_destroy);
	dev->qps = id_table_new(1, EFA_MAX_QPS, qp_destroy);
}

void efa_device_reset(struct efa_device *dev)
{
	efa_log(dev, "reset");
	admin_queue_reset(dev->admin);
	turns_clear(dev->turns);
	/* Users before what they use. */
	id_table_clear(dev->qps);
	id_table_clear(dev->cqs);
	id_table_clear(dev->eqs);
	id_table_clear(dev->mrs);
	id_table_clear(dev->ahs);
	id_table_clear(dev->pds);
	id_table_clear(dev->uars);
	registers_reset(dev->registers);
	memset(&dev->statistics, 0, sizeof(dev->statistics));
	dev->aenq_groups = 0;
	dev->host[0] = '\0';
}

static void on_mmio_read(void *opaque, unsigned int bar, uint64_t offset, void *data,
			 unsigned int size)
{
	struct efa_device *dev = opaque;
	u32 value = 0;

	memset(data, 0, size);
	if (bar == EFA_REGISTER_BAR)
		value = registers_read(dev->registers, offset);
	memcpy(data, &value, MIN(size, sizeof(value)));
}

static void doorbell(struct efa_device *dev, u32 page, u32 offset, u32 value)
{
	if (page >= EFA_MAX_QPS + EFA_MAX_CQS)
		return;
	if (page >= EFA_MAX_QPS) {
		if (!offset)
			cq_doorbell(dev, page - EFA_MAX_QPS + 1, value);
	} else if (offset == EFA_SQ_DOORBELL) {
		qp_send_doorbell(dev, page, value);
	} else if (offset == EFA_RQ_DOORBELL) {
		qp_receive_doorbell(dev, page, value);
	}
}

/* All registers and doorbells have 32 bits. */
static void on_mmio_write(void *opaque, unsigned int bar, uint64_t offset, const void *data,
			  unsigned int size)
{
	struct efa_device *dev = opaque;
	u32 value;

	if (size != sizeof(value))
		return;
	memcpy(&value, data, sizeof(value));
	if (bar == EFA_REGISTER_BAR)
		registers_write(dev->registers, offset, value);
	else if (bar == EFA_DOORBELL_BAR)
		doorbell(dev, offset / EFA_DOORBELL_PAGE, offset % EFA_DOORBELL_PAGE, value);
}

static bool on_work(void *opaque)
{
	struct efa_device *dev = opaque;

	return turns_run_slice(dev->turns);
}

static void on_reset(void *opaque)
{
	efa_device_reset(opaque);
}

static void on_dma_unmapped(void *opaque, uint64_t iova, uint64_t size)
{
	mr_oracle(opaque, iova, size);
}

static const struct pci_device_ops device_ops = {
	.mmio_read = on_mmio_read,
	.mmio_write = on_mmio_write,
	.work = on_work,
	.reset = on_reset,
	.dma_unmapped = on_dma_unmapped,
};

static const struct pci_device_config device_config = {
	.vendor_id = EFA_VENDOR_ID,
	.device_id = EFA_DEVICE_ID,
	.subsystem_vendor_id = EFA_VENDOR_ID,
	.subsystem_id = EFA_DEVICE_ID,
	.class_code = 0x020000, /* Ethernet controller */
	.bar = {
		[EFA_REGISTER_BAR] = {.size = REGISTER_BAR_BYTES},
		[EFA_MSIX_BAR] = {.size = MSIX_BAR_BYTES},
		[EFA_LLQ_BAR] = {.size = LLQ_BAR_BYTES, .is_64bit = true, .prefetchable = true,
				 .mmap_size = LLQ_BAR_BYTES},
		[EFA_DOORBELL_BAR] = {.size = DOORBELL_BAR_BYTES, .is_64bit = true,
				      .prefetchable = true},
	},
	.msix_vectors = EFA_VECTORS,
	.msix_bar = EFA_MSIX_BAR,
	.msix_table_offset = 0,
	.msix_pba_offset = MSIX_PBA_OFFSET,
};

const struct pci_device_ops *efa_device_ops(void)
{
	return &device_ops;
}

static void on_release(void *opaque, const char *operation, uint64_t ticket)
{
	struct efa_device *dev = opaque;

	(void)operation;
	if (!admin_queue_release(dev->admin, ticket))
		data_path_release(dev, ticket);
}

/* Link-local, the interface's half made of the GUID. */
static void make_address(struct efa_device *dev)
{
	u64 guid = GUINT64_TO_BE(dev->guid);

	dev->gid[0] = 0xfe;
	dev->gid[1] = 0x80;
	memcpy(dev->gid + 8, &guid, sizeof(guid));
}

static json_t *control_state(void *opaque, const json_t *request)
{
	struct efa_device *dev = opaque;

	(void)request;
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "host", dev->host, "eqs",
			 id_table_count(dev->eqs), "cqs", id_table_count(dev->cqs), "qps",
			 id_table_count(dev->qps), "mrs", id_table_count(dev->mrs), "ahs",
			 id_table_count(dev->ahs), "pds", id_table_count(dev->pds), "uars",
			 id_table_count(dev->uars));
}

static json_t *control_mr(void *opaque, const json_t *request)
{
	json_t *number = json_object_get(request, "key"), *mr;

	if (!json_is_integer(number))
		return control_error("\"mr\" needs \"key\": the lkey or rkey as a number");
	mr = mr_json(opaque, (u32)json_integer_value(number));
	return mr ? mr : control_error("there is no memory region 0x%llx",
				       (unsigned long long)json_integer_value(number));
}

static json_t *control_event(void *opaque, const json_t *request)
{
	json_t *group = json_object_get(request, "group");
	json_t *syndrome = json_object_get(request, "syndrome");
	struct efa_device *dev = opaque;

	if (!json_is_integer(group))
		return control_error("\"event\" needs \"group\": the number of an AENQ group");
	if (!admin_post_event(dev->admin, json_integer_value(group), json_integer_value(syndrome)))
		return control_error("no event: the queue is full, or group %llu is not enabled",
				     (unsigned long long)json_integer_value(group));
	return json_object();
}

static void add_commands(struct efa_device *dev, struct control *control)
{
	fabric_control(dev->port, control);
	control_add_command(control, "state", "how many objects of each kind live", control_state,
			    dev);
	control_add_command(control, "mr", "{\"key\": N}: one memory region", control_mr, dev);
	control_add_command(control, "event",
			    "{\"group\": N, \"syndrome\": N}: an asynchronous event", control_event,
			    dev);
}

struct efa_device *efa_device_new(const struct efa_options *options,
				  const struct model_host *host)
{
	struct efa_device *dev = g_new0(struct efa_device, 1);

	dev->counters = host->counters;
	dev->knobs = host->knobs;
	dev->log = host->log;
	dev->guid = options->guid + (u64)GUIDS_OF_A_HOST * host->number;
	dev->api_version = options->api_version;
	make_address(dev);
	dev->port = fabric_attach(host->fabric, dev->gid, sizeof(dev->gid), dev, dev->counters);
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
	dev->admin = admin_queue_new(dev);
	knobs_set_release(dev->knobs, on_release, dev);
	if (host->control)
		add_commands(dev, host->control);
	return dev;
}

void efa_device_free(struct efa_device *dev)
{
	if (!dev)
		return;
	efa_device_reset(dev);
	fabric_detach(dev->port);
	knobs_set_release(dev->knobs, NULL, NULL);
	id_table_free(dev->qps);
	id_table_free(dev->cqs);
	id_table_free(dev->eqs);
	id_table_free(dev->mrs);
	id_table_free(dev->ahs);
	id_table_free(dev->pds);
	id_table_free(dev->uars);
	admin_queue_free(dev->admin);
	registers_free(dev->registers);
	turns_free(dev->turns);
	pci_device_free(dev->pci);
	g_free(dev);
}
