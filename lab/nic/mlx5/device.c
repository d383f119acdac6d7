/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The function as a whole: its making, its resets, and what a test may ask of it. */
#include "device.h"
#include "hca.h"
#include "memory_key.h"

#define LAST_EQ 63u
#define LAST_UAR (MLX5_DEVICE_MEMORY / MLX5_PAGE_SIZE - 1)
#define FIRST_QP 0x40u
#define LAST(log) ((1u << (log)) - 1)
#define MSIX_BAR 2
#define MSIX_BAR_BYTES 0x2000u
#define MSIX_PBA_OFFSET 0x1000u
#define DEFAULT_FATAL_SYNDROME 1
#define GUIDS_OF_A_HOST 0x10u
/* QEMU waits five seconds for an answer, and then gives the device up. */
#define STOP_MS_MAX 4000

static void make_counters(struct mlx5_device *dev)
{
#define COUNTER(name) dev->count.name = counter(dev->counters, #name)
	COUNTER(commands);
	COUNTER(commands_failed);
	COUNTER(doorbells);
	COUNTER(umrs);
	COUNTER(umrs_failed);
	COUNTER(cqes);
	COUNTER(eqes);
	COUNTER(interrupts);
	COUNTER(page_faults);
	COUNTER(page_faults_resumed);
	COUNTER(page_faults_failed);
	COUNTER(bytes_read);
	COUNTER(bytes_written);
	COUNTER(wqes);
	COUNTER(packets);
	COUNTER(rnr_naks);
	COUNTER(remote_access_errors);
	COUNTER(local_protection_errors);
	COUNTER(flushed);
	COUNTER(stale_keys);
#undef COUNTER
}

static void make_tables(struct mlx5_device *dev)
{
	dev->uars = id_table_new(MLX5_FIRST_UAR, LAST_UAR, NULL);
	dev->pds = id_table_new(1, LAST(23), NULL);
	dev->xrcds = id_table_new(1, LAST(16), NULL);
	dev->transport_domains = id_table_new(1, LAST(16), NULL);
	dev->counter_sets = id_table_new(1, LAST(8), NULL);
	dev->others = id_table_new(1, LAST(16), NULL);
	dev->eqs = id_table_new(1, LAST_EQ, event_queue_destroy);
	dev->cqs = id_table_new(1, LAST(MLX5_LOG_MAX_CQ), completion_queue_destroy);
	dev->mkeys = id_table_new(MLX5_FIRST_MKEY_INDEX, LAST(MLX5_LOG_MAX_MKEY),
				  memory_key_destroy);
	dev->srqs = id_table_new(1, LAST(MLX5_LOG_MAX_SRQ), srq_destroy);
	dev->qps = id_table_new(FIRST_QP, LAST(MLX5_LOG_MAX_QP), qp_destroy);
	dev->multicast = id_table_new(1, LAST(16), multicast_destroy);
}

void mlx5_device_teardown(struct mlx5_device *dev)
{
	dev->generation++;
	page_faults_clear(dev->faults);
	scheduler_clear(dev->scheduler);
	/* Users before what they use. */
	id_table_clear(dev->multicast);
	id_table_clear(dev->qps);
	id_table_clear(dev->srqs);
	id_table_clear(dev->cqs);
	id_table_clear(dev->eqs);
	id_table_clear(dev->mkeys);
	id_table_clear(dev->others);
	id_table_clear(dev->counter_sets);
	id_table_clear(dev->transport_domains);
	id_table_clear(dev->xrcds);
	id_table_clear(dev->pds);
	id_table_clear(dev->uars);
	device_memory_clear(dev->memory);
	memory_key_add_reserved(dev);
	dev->hca->initialised = false;
}

void mlx5_device_reset(struct mlx5_device *dev)
{
	u64 guid = dev->hca->guid;
	bool transport = dev->hca->transport_faults;

	mlx5_log(dev, "reset");
	command_interface_reset(dev->commands);
	mlx5_device_teardown(dev);
	memset(dev->hca, 0, sizeof(*dev->hca));
	dev->hca->guid = guid;
	dev->hca->transport_faults = transport;
	capabilities_reset(dev);
	port_reset(dev);
}

static void on_mmio_read(void *opaque, unsigned int bar, uint64_t offset, void *data,
			 unsigned int size)
{
	if (bar)
		memset(data, 0, size);
	else
		mlx5_mmio_read(opaque, offset, data, size);
}

static void on_mmio_write(void *opaque, unsigned int bar, uint64_t offset, const void *data,
			  unsigned int size)
{
	if (!bar)
		mlx5_mmio_write(opaque, offset, data, size);
}

static bool on_work(void *opaque)
{
	struct mlx5_device *dev = opaque;

	return scheduler_run_slice(dev->scheduler);
}

static void on_reset(void *opaque)
{
	mlx5_device_reset(opaque);
}

static void on_dma_unmapped(void *opaque, uint64_t iova, uint64_t size)
{
	memory_key_oracle(opaque, iova, size);
}

static const struct pci_device_ops device_ops = {
	.mmio_read = on_mmio_read,
	.mmio_write = on_mmio_write,
	.work = on_work,
	.reset = on_reset,
	.dma_unmapped = on_dma_unmapped,
};

static const struct pci_device_config device_config = {
	.vendor_id = MLX5_VENDOR_ID,
	.device_id = MLX5_DEVICE_ID,
	.subsystem_vendor_id = MLX5_VENDOR_ID,
	.subsystem_id = 1,
	.class_code = 0x020700, /* InfiniBand controller */
	.bar = {
		[0] = {
			.size = MLX5_BAR_SIZE,
			.is_64bit = true,
			.prefetchable = true,
			.mmap_offset = MLX5_DEVICE_MEMORY,
			.mmap_size = MLX5_DEVICE_MEMORY_BYTES,
		},
		[MSIX_BAR] = {.size = MSIX_BAR_BYTES},
	},
	.msix_vectors = MLX5_VECTORS,
	.msix_bar = MSIX_BAR,
	.msix_table_offset = 0,
	.msix_pba_offset = MSIX_PBA_OFFSET,
};

const struct pci_device_ops *mlx5_device_ops(void)
{
	return &device_ops;
}

static void on_release(void *opaque, const char *operation, uint64_t ticket)
{
	struct mlx5_device *dev = opaque;

	if (!strcmp(operation, "page_fault") || !strcmp(operation, "page_fault_resume"))
		page_fault_release(dev, ticket);
	else if (!command_interface_release(dev->commands, ticket))
		data_path_release(dev, operation, ticket);
}

static json_t *control_state(void *opaque, const json_t *request)
{
	struct mlx5_device *dev = opaque;

	(void)request;
	return json_pack("{s:b, s:b, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}",
			 "initialised", dev->hca->initialised, "fatal",
			 dev->hca->fatal_syndrome != 0, "odp_scheme",
			 dev->transport_faults ? "transport" : "memory", "eqs",
			 id_table_count(dev->eqs), "cqs", id_table_count(dev->cqs), "qps",
			 id_table_count(dev->qps), "srqs", id_table_count(dev->srqs), "mkeys",
			 /* without the null key, which the host did not make */
			 id_table_count(dev->mkeys) - 1, "pds", id_table_count(dev->pds), "uars",
			 id_table_count(dev->uars), "xrcds", id_table_count(dev->xrcds), "device_memory",
			 (int)device_memory_allocations(dev->memory),
			 "page_faults_outstanding", page_faults_outstanding(dev->faults));
}

static json_t *control_mkey(void *opaque, const json_t *request)
{
	json_t *number = json_object_get(request, "key");
	struct mlx5_device *dev = opaque;
	struct mlx5_mkey *key;

	if (!json_is_integer(number))
		return control_error("\"mkey\" needs \"key\": the lkey or rkey as a number");
	key = memory_key_find(dev, (u32)json_integer_value(number) >> 8);
	if (!key)
		return control_error("there is no memory key 0x%llx",
				     (unsigned long long)json_integer_value(number));
	return json_pack("{s:I, s:i, s:b, s:i, s:i, s:I, s:I, s:i, s:I, s:I}", "key",
			 (json_int_t)memory_key_number(key), "mode", (int)key->mode, "free",
			 key->free, "pd", (int)key->pd, "qpn", (int)key->qpn, "start",
			 (json_int_t)key->start, "length", (json_int_t)key->length,
			 "log_page_size", (int)key->log_page_size, "entries",
			 (json_int_t)key->octowords * 2, "present",
			 (json_int_t)key->present);
}

static json_t *control_fatal(void *opaque, const json_t *request)
{
	json_t *syndrome = json_object_get(request, "syndrome");
	struct mlx5_device *dev = opaque;

	dev->hca->fatal_syndrome = json_is_integer(syndrome) ? (u8)json_integer_value(syndrome)
							     : DEFAULT_FATAL_SYNDROME;
	dev->hca->fatal_for_good = json_is_true(json_object_get(request, "for_good"));
	mlx5_log(dev, "fatal by request: health syndrome 0x%x", dev->hca->fatal_syndrome);
	return json_object();
}

static json_t *control_stop(void *opaque, const json_t *request)
{
	json_t *ms = json_object_get(request, "ms");

	(void)opaque;
	if (!json_is_integer(ms) || json_integer_value(ms) < 0 || json_integer_value(ms) > STOP_MS_MAX)
		return control_error("\"stop\" needs \"ms\": up to %d milliseconds", STOP_MS_MAX);
	g_usleep((gulong)json_integer_value(ms) * 1000);
	return json_object();
}

static json_t *control_present(void *opaque, const json_t *request)
{
	json_t *present = json_object_get(request, "present");
	struct mlx5_device *dev = opaque;

	if (!json_is_boolean(present))
		return control_error("\"plug\" needs \"present\": true or false");
	pci_device_set_present(dev->pci, json_is_true(present));
	return json_object();
}

static void add_commands(struct mlx5_device *dev, struct control *control)
{
	fabric_control(dev->port, control);
	control_add_command(control, "state", "how many objects of each kind live", control_state,
			    dev);
	control_add_command(control, "mkey", "{\"key\": N}: one memory key", control_mkey, dev);
	control_add_command(control, "fatal",
			    "{\"syndrome\": N, \"for_good\": B}: the firmware dies and asks for a reset, "
			    "and does it itself or not; queues go on",
			    control_fatal, dev);
	control_add_command(control, "stop",
			    "{\"ms\": N}: all of the model stands still for so long", control_stop,
			    NULL);
	control_add_command(control, "plug",
			    "{\"present\": B}: the function is pulled out, or put back",
			    control_present, dev);
}

struct mlx5_device *mlx5_device_new(const struct mlx5_options *options,
				    const struct model_host *host)
{
	struct mlx5_device *dev = g_new0(struct mlx5_device, 1);

	dev->counters = host->counters;
	dev->knobs = host->knobs;
	dev->log = host->log;
	dev->lid = host->number + 1;
	dev->port = port_attach(dev, host->fabric);
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
	dev->hca = g_new0(struct hca, 1);
	dev->hca->guid = options->guid + (u64)GUIDS_OF_A_HOST * host->number;
	dev->hca->transport_faults = options->transport_faults;
	dev->commands = command_interface_new(dev);
	dev->faults = page_faults_new(dev);
	dev->memory = device_memory_new(dev);
	dev->scheduler = scheduler_new(dev);
	knobs_set_release(dev->knobs, on_release, dev);
	mlx5_device_reset(dev);
	if (host->control)
		add_commands(dev, host->control);
	return dev;
}

void mlx5_device_free(struct mlx5_device *dev)
{
	if (!dev)
		return;
	mlx5_device_reset(dev);
	fabric_detach(dev->port);
	knobs_set_release(dev->knobs, NULL, NULL);
	scheduler_free(dev->scheduler);
	page_faults_free(dev->faults);
	device_memory_free(dev->memory);
	command_interface_free(dev->commands);
	id_table_free(dev->multicast);
	id_table_free(dev->qps);
	id_table_free(dev->srqs);
	id_table_free(dev->cqs);
	id_table_free(dev->eqs);
	id_table_free(dev->mkeys);
	id_table_free(dev->others);
	id_table_free(dev->counter_sets);
	id_table_free(dev->transport_domains);
	id_table_free(dev->xrcds);
	id_table_free(dev->pds);
	id_table_free(dev->uars);
	pci_device_free(dev->pci);
	g_free(dev->hca);
	g_free(dev);
}
