/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What taking lent memory back costs its owner: entry to return of the call
 * that revokes, by trigger, number of MRs, MR size, number of processes that have
 * it mapped, and with RDMA writes in flight, where it also tells when the writer
 * learns of it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "clock.h"
#include "mappers.h"
#include "revoke.h"
#include "traffic.h"

#define PROGRAM "dmabuf_revoke_lat"
#define MAX_COUNTS 16
#define MAX_DEPTH 1024
#define MAX_PROCESSES 1024
#define WRITE_SIZE 4096
/* How long writes may go on succeeding before a revoke counts as unnoticed. */
#define PATIENCE_NS (2 * NS_PER_S)
/* A reset gives the memory back before it returns: there may be no error to wait for. */
#define PATIENCE_RESET_NS (20 * NS_PER_MS)

enum key {
	KEY_TRIGGER = 0x300,
	KEY_MRS,
	KEY_IN_FLIGHT,
	KEY_PROCESSES,
};

struct revoke_bench {
	struct bench bench;
	bool triggers[TRIGGER_COUNT];
	unsigned int mr_counts[MAX_COUNTS];
	unsigned int mr_count_count;
	unsigned int in_flight;
	/* One row for each; without --processes a single one of none. */
	unsigned int process_counts[MAX_COUNTS];
	unsigned int process_count_count;
	struct mappers mappers;
	struct verbs_pair pair;
	struct verbs_buffer buffer;
	struct samples latency;
	struct samples first_error;
	struct samples last_success;
};

struct row {
	enum trigger trigger;
	unsigned int mrs;
	uint64_t size;
	unsigned int processes;
	unsigned int without_error;
};

static const char doc[] =
	"Latency of revoking VFIO dma-buf MRs: entry to return of the call that revokes, which is "
	"a write of PCI_COMMAND that turns memory decoding off (pci_command), VFIO_DEVICE_RESET "
	"(reset), close() of the device (close), or VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE (revoke)."
	"\vAll MRs cover the same dma-buf and are mapped when the call is made. After each sample "
	"everything is set up again, untimed. With --in-flight, rows \"error\" and \"success\" give "
	"the time from entry to the first failed and to the last successful completion.\n\n"
	"Exit status: 0 measured, 1 failed, 2 wrong usage, 4 cannot run on this machine.";

static const struct argp_option option_list[] = {
	{ "trigger", KEY_TRIGGER, "LIST", 0,
	  "what revokes: pci_command, reset, close, revoke, or several with commas (default: all)", 5 },
	{ "mrs", KEY_MRS, "LIST", 0, "numbers of MRs (default 1,4,16,64,256,1000)", 5 },
	{ "in-flight", KEY_IN_FLIGHT, "DEPTH", 0,
	  "keep DEPTH RDMA writes into the first MR in flight (default 0)", 5 },
	{ "processes", KEY_PROCESSES, "LIST", 0,
	  "numbers of processes that have mapped the memory and touched every page (default: none)", 5 },
	{ 0 },
};

static json_t *params(const struct revoke_bench *rb, const struct row *row)
{
	json_t *params = json_pack("{s:s, s:I, s:I, s:I, s:s}", "trigger", trigger_names[row->trigger],
				   "mrs", (json_int_t)row->mrs, "size", (json_int_t)row->size,
				   "in_flight", (json_int_t)rb->in_flight,
				   "interface", bench_interface(&rb->bench));

	if (row->processes)
		json_object_set_new(params, "processes", json_integer(row->processes));
	return params;
}

/* As lent_unrevoke(), and what the processes had mapped is mapped again. */
static int undo(struct revoke_bench *rb, struct lent *lent, const struct row *row, struct error *err)
{
	int ret = lent_unrevoke(lent, row->trigger, err);

	if (ret)
		return ret;
	return mappers_touch(&rb->mappers, row->processes,
			     trigger_is_final(row->trigger) ? lent->dmabuf_fd : -1, row->size, err);
}

static int sample_idle(struct revoke_bench *rb, struct lent *lent, struct row *row,
		       struct error *err)
{
	struct revoke_time time;
	int ret = lent_revoke(lent, row->trigger, &time, err);

	if (ret)
		return ret;
	samples_add(&rb->latency, time.end - time.entry);
	return undo(rb, lent, row, err);
}

static int note_traffic(struct revoke_bench *rb, struct row *row, const struct traffic *traffic,
			const struct revoke_time *time, struct error *err)
{
	if (traffic->first_error != IBV_WC_SUCCESS) {
		if (traffic->first_error != IBV_WC_REM_ACCESS_ERR)
			return error_set(err, EIO, "the first write to fail after a revoke by %s ended "
					 "with \"%s\", not with \"%s\"", trigger_names[row->trigger],
					 ibv_wc_status_str(traffic->first_error),
					 ibv_wc_status_str(IBV_WC_REM_ACCESS_ERR));
		samples_add(&rb->first_error, traffic->first_error_ns - time->entry);
		samples_add(&rb->last_success, traffic->last_success_ns - time->entry);
		return 0;
	}
	row->without_error++;
	if (row->trigger == TRIGGER_RESET)
		return 0;
	return error_set(err, EIO, "RDMA writes into an MR went on succeeding for %lld ms after a "
			 "revoke by %s", (long long)(PATIENCE_NS / NS_PER_MS),
			 trigger_names[row->trigger]);
}

static int sample_in_flight(struct revoke_bench *rb, struct lent *lent, struct row *row,
			    struct error *err)
{
	uint32_t length = lent->size < WRITE_SIZE ? (uint32_t)lent->size : WRITE_SIZE;
	struct verbs_local local = { (uintptr_t)rb->buffer.address, length, rb->buffer.mr->lkey };
	struct verbs_remote remote = { 0, lent->mrs[0]->rkey };
	int64_t patience = row->trigger == TRIGGER_RESET ? PATIENCE_RESET_NS : PATIENCE_NS;
	struct revoke_time time;
	struct traffic traffic;
	int ret, finished;

	ret = traffic_start(&traffic, &rb->pair.initiator, local, remote, rb->in_flight, err);
	if (ret)
		return ret;
	ret = lent_revoke(lent, row->trigger, &time, err);
	finished = traffic_finish(&traffic, patience, ret ? NULL : err);
	if (ret || finished)
		return ret ?: finished;
	samples_add(&rb->latency, time.end - time.entry);
	ret = note_traffic(rb, row, &traffic, &time, err);
	if (!ret)
		ret = verbs_pair_recycle(&rb->pair, err);
	return ret ?: undo(rb, lent, row, err);
}

/* One more revoke between two readings of the NIC's counters; idle, or they count the writes. */
static int count_once(struct revoke_bench *rb, struct lent *lent, struct row *row,
		      struct error *err)
{
	struct bench *bench = &rb->bench;
	json_t *before, *after;
	struct revoke_time time;
	int ret;

	if (!bench->counters_command || rb->in_flight || row->processes)
		return 0;
	ret = counters_read(bench, &before, err);
	if (ret)
		return ret;
	ret = lent_revoke(lent, row->trigger, &time, err);
	if (!ret)
		ret = counters_read(bench, &after, err);
	if (ret) {
		json_decref(before);
		return ret;
	}
	report_counts(&bench->report, "revoke", params(rb, row), counters_difference(before, after));
	return undo(rb, lent, row, err);
}

static int print_row(struct revoke_bench *rb, const struct row *row, const char *what,
		     const char *figure, struct samples *samples, struct error *err)
{
	char mrs[16], depth[16], processes[16];
	const char *labels[] = { what, trigger_names[row->trigger], mrs, depth, processes };
	struct quantiles quantiles;
	int ret;

	ret = report_figure(&rb->bench.report, figure, params(rb, row), samples, err);
	if (ret)
		return ret;
	snprintf(mrs, sizeof(mrs), "%u", row->mrs);
	snprintf(depth, sizeof(depth), "%u", rb->in_flight);
	snprintf(processes, sizeof(processes), "%u", row->processes);
	samples_quantiles(samples, &quantiles);
	table_row(stdout, labels, 5, row->size, &quantiles);
	return 0;
}

static int report_row(struct revoke_bench *rb, const struct row *row, struct error *err)
{
	int ret = print_row(rb, row, "revoke", row->processes ? "revoke_mapped" : "revoke",
			    &rb->latency, err);

	if (ret || !rb->in_flight)
		return ret;
	if (row->without_error) {
		printf(" # %u of %zu rounds ended without an error: the reset gave the memory back "
		       "before a write could fail\n", row->without_error, rb->latency.count);
		report_counts(&rb->bench.report, "rounds_without_error", params(rb, row),
			      json_pack("{s:i}", "rounds", (int)row->without_error));
	}
	if (!rb->first_error.count)
		return 0;
	ret = print_row(rb, row, "error", "revoke_to_error", &rb->first_error, err);
	return ret ?: print_row(rb, row, "success", "revoke_to_last_success", &rb->last_success, err);
}

static int measure_row(struct revoke_bench *rb, struct row *row, struct error *err)
{
	struct bench *bench = &rb->bench;
	int64_t started;
	struct lent lent;
	int ret;

	samples_clear(&rb->latency);
	samples_clear(&rb->first_error);
	samples_clear(&rb->last_success);
	ret = lent_init(bench, row->size, row->mrs, &lent, err);
	if (ret)
		return ret;
	ret = mappers_touch(&rb->mappers, row->processes, lent.dmabuf_fd, row->size, err);
	started = clock_now_ns();
	while (!ret && !bench_row_done(bench, rb->latency.count, started))
		ret = rb->in_flight ? sample_in_flight(rb, &lent, row, err) :
				      sample_idle(rb, &lent, row, err);
	if (!ret)
		ret = count_once(rb, &lent, row, err);
	lent_free(&lent);
	return ret ?: report_row(rb, row, err);
}

/* What the device or the kernel has not is left out, if anything else was asked for. */
static void leave_out(struct revoke_bench *rb, enum trigger trigger, const char *why)
{
	bool others = false;

	if (!rb->triggers[trigger])
		return;
	for (unsigned int t = 0; t < TRIGGER_COUNT; t++)
		others |= t != trigger && rb->triggers[t];
	if (!others)
		return;
	printf(" # no rows for %s: %s\n", trigger_names[trigger], why);
	rb->triggers[trigger] = false;
}

static void leave_out_what_is_missing(struct revoke_bench *rb)
{
	if (!vfio_exporter_can_reset(rb->bench.exporter))
		leave_out(rb, TRIGGER_RESET, "the exporter offers none");
	if (!vfio_exporter_can_revoke(rb->bench.exporter))
		leave_out(rb, TRIGGER_REVOKE, "this kernel has no request to revoke a dma-buf");
}

static int measure_trigger(struct revoke_bench *rb, enum trigger trigger, struct error *err)
{
	struct row row = { .trigger = trigger };
	int ret = 0;

	for (unsigned int s = 0; s < rb->bench.size_count; s++) {
		for (unsigned int m = 0; m < rb->mr_count_count; m++) {
			for (unsigned int p = 0; !ret && p < rb->process_count_count; p++) {
				row.size = rb->bench.sizes[s];
				row.mrs = rb->mr_counts[m];
				row.processes = rb->process_counts[p];
				row.without_error = 0;
				ret = measure_row(rb, &row, err);
			}
		}
	}
	return ret;
}

static int measure_all(struct revoke_bench *rb, struct error *err)
{
	static const char *const labels[] = { "what", "trigger", "#mrs", "in_flight", "processes" };
	int ret = 0;

	leave_out_what_is_missing(rb);
	table_header(stdout, labels, 5);
	for (unsigned int t = 0; !ret && t < TRIGGER_COUNT; t++)
		if (rb->triggers[t])
			ret = measure_trigger(rb, (enum trigger)t, err);
	return ret;
}

static int start_mappers(struct revoke_bench *rb, struct error *err)
{
	unsigned int most = 0;

	for (unsigned int p = 0; p < rb->process_count_count; p++)
		if (rb->process_counts[p] > most)
			most = rb->process_counts[p];
	return mappers_start(&rb->mappers, most, err);
}

static int prepare(struct revoke_bench *rb, struct error *err)
{
	const struct verbs_qp_options qp = { .depth = rb->in_flight, .rnr_retry = 7 };
	unsigned int n = rb->bench.options.iterations;
	int ret;

	if (samples_init(&rb->latency, n) || samples_init(&rb->first_error, n) ||
	    samples_init(&rb->last_success, n))
		return error_set(err, ENOMEM, "no memory for the samples");
	if (!rb->in_flight)
		return 0;
	ret = verbs_buffer_init(&rb->bench.peer, WRITE_SIZE, IBV_ACCESS_LOCAL_WRITE, &rb->buffer, err);
	return ret ?: verbs_pair_create(&rb->bench.peer, &qp, &rb->pair, err);
}

static void clean_up(struct revoke_bench *rb)
{
	verbs_pair_destroy(&rb->pair);
	verbs_buffer_free(&rb->buffer);
	samples_free(&rb->latency);
	samples_free(&rb->first_error);
	samples_free(&rb->last_success);
}

static error_t parse_program(int key, char *arg, struct argp_state *state)
{
	struct revoke_bench *rb = state->input;
	int count;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &rb->bench;
		return 0;
	case KEY_TRIGGER:
		if (parse_triggers(arg, rb->triggers))
			argp_error(state, "--trigger takes pci_command, reset, close, revoke or several "
				   "of them with commas, not \"%s\"", arg);
		return 0;
	case KEY_MRS:
		count = parse_list(arg, rb->mr_counts, MAX_COUNTS);
		if (count < 0)
			argp_error(state, "--mrs takes up to %d numbers above 0 with commas, not \"%s\"",
				   MAX_COUNTS, arg);
		rb->mr_count_count = (unsigned int)count;
		return 0;
	case KEY_IN_FLIGHT:
		if (parse_unsigned(arg, 0, MAX_DEPTH, &rb->in_flight))
			argp_error(state, "--in-flight takes a number from 0 to %d, not \"%s\"",
				   MAX_DEPTH, arg);
		return 0;
	case KEY_PROCESSES:
		count = parse_list(arg, rb->process_counts, MAX_COUNTS);
		for (int i = 0; i < count; i++)
			if (rb->process_counts[i] > MAX_PROCESSES)
				count = -EINVAL;
		if (count < 0)
			argp_error(state, "--processes takes up to %d numbers from 1 to %d with commas, "
				   "not \"%s\"", MAX_COUNTS, MAX_PROCESSES, arg);
		rb->process_count_count = (unsigned int)count;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	const struct argp_child children[] = { { &bench_argp, 0, NULL, 0 }, { 0 } };
	const struct argp program = { option_list, parse_program, NULL, doc, children, NULL, NULL };
	struct revoke_bench rb = {
		.triggers = { true, true, true, true },
		.mr_counts = { 1, 4, 16, 64, 256, 1000 },
		.mr_count_count = 6,
		.process_count_count = 1,
	};
	struct error err = { 0 };
	int ret;

	options_default(&rb.bench.options);
	options_argp_parse(&program, argc, argv, &rb);
	ret = start_mappers(&rb, &err);
	if (!ret)
		ret = bench_open(&rb.bench, &err);
	if (ret) {
		mappers_stop(&rb.mappers);
		return bench_exit(PROGRAM, ret, &err);
	}
	ret = prepare(&rb, &err);
	if (!ret)
		ret = measure_all(&rb, &err);
	if (!ret)
		ret = bench_write(&rb.bench, &err);
	clean_up(&rb);
	mappers_stop(&rb.mappers);
	bench_close(&rb.bench);
	return bench_exit(PROGRAM, ret, &err);
}
