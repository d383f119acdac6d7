/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What faulting a mapping in costs: the first RDMA operation on an MR that is
 * not present, less the median of the same operation on a present one.
 *
 * Registration leaves the MR mapped (mlx5 maps in ibv_reg_dmabuf_mr()), so
 * before each sample the exporter revokes and un-revokes it by PCI_COMMAND.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "clock.h"

#define PROGRAM "dmabuf_fault_lat"
#define DEFAULT_OPERATION_SIZE 4096

enum key {
	KEY_OP = 0x300,
	KEY_OP_SIZE,
	KEY_SIDE,
};

enum operation { OPERATION_WRITE, OPERATION_READ, OPERATION_SEND };

static const char *const operation_names[] = { "write", "read", "send" };

struct fault {
	struct bench bench;
	enum operation operation;
	uint64_t operation_size;	/* 0: as large as the MR, at most DEFAULT_OPERATION_SIZE */
	bool local;			/* the initiator's buffer is the MR */
	struct verbs_pair pair;
	struct verbs_buffer buffer;
	struct samples first;
	struct samples warm;
};

static const char doc[] =
	"Latency of the RDMA page fault that brings a VFIO dma-buf MR back after it was taken away."
	"\vWrite and read address the MR by its rkey, send is received into it; with --side=local it is "
	"the initiator's own buffer.\n\n"
	"Exit status: 0 measured, 1 failed, 2 wrong usage, 4 cannot run on this machine.";

static const struct argp_option option_list[] = {
	{ "op", KEY_OP, "write|read|send", 0, "the operation (default write)", 5 },
	{ "op-size", KEY_OP_SIZE, "BYTES", 0, "its length (default 4K, or the MR's if that is less)", 5 },
	{ "side", KEY_SIDE, "remote|local", 0,
	  "whose buffer the MR is: the responder's (default) or the initiator's", 5 },
	{ 0 },
};

static int post(struct fault *fault, struct ibv_mr *mr, uint32_t length, struct error *err)
{
	struct verbs_qp *initiator = &fault->pair.initiator;
	struct ibv_mr *local_mr = fault->local ? mr : fault->buffer.mr;
	struct ibv_mr *remote_mr = fault->local ? fault->buffer.mr : mr;
	/* MRs of dma-bufs are addressed from 0, ordinary ones by the virtual address. */
	struct verbs_local local = { (uintptr_t)local_mr->addr, length, local_mr->lkey };
	struct verbs_remote remote = { (uintptr_t)remote_mr->addr, remote_mr->rkey };
	struct verbs_local receive = { remote.address, length, remote_mr->lkey };
	int ret;

	switch (fault->operation) {
	case OPERATION_READ:
		return verbs_post_read(initiator, 1, local, remote, err);
	case OPERATION_SEND:
		ret = verbs_post_recv(&fault->pair.responder, 2, receive, err);
		return ret ?: verbs_post_send(initiator, 1, local, err);
	default:
		return verbs_post_write(initiator, 1, local, remote, err);
	}
}

static int operate(struct fault *fault, struct ibv_mr *mr, uint32_t length, int64_t *latency,
		   struct error *err)
{
	int64_t begin = clock_now_ns();
	int ret = post(fault, mr, length, err);

	if (!ret)
		ret = verbs_wait_success(&fault->pair.initiator, OPERATION_TIMEOUT_NS, err);
	*latency = clock_now_ns() - begin;
	if (!ret && fault->operation == OPERATION_SEND)
		ret = verbs_wait_success(&fault->pair.responder, OPERATION_TIMEOUT_NS, err);
	return ret;
}

static json_t *params(const struct fault *fault, uint64_t size, uint64_t length)
{
	return json_pack("{s:I, s:s, s:I, s:s, s:s}", "size", (json_int_t)size,
			 "op", operation_names[fault->operation], "op_size", (json_int_t)length,
			 "side", fault->local ? "local" : "remote",
			 "interface", bench_interface(&fault->bench));
}

static int count_once(struct fault *fault, struct lent *lent, uint32_t length, struct error *err)
{
	struct bench *bench = &fault->bench;
	json_t *before, *after;
	int64_t latency;
	int ret;

	if (!bench->counters_command)
		return 0;
	ret = bench_make_not_present(bench, err);
	if (!ret)
		ret = counters_read(bench, &before, err);
	if (ret)
		return ret;
	ret = operate(fault, lent->mrs[0], length, &latency, err);
	if (!ret)
		ret = counters_read(bench, &after, err);
	if (ret) {
		json_decref(before);
		return ret;
	}
	report_counts(&bench->report, "fault", params(fault, lent->size, length),
		      counters_difference(before, after));
	return 0;
}

static int print_row(struct fault *fault, const char *name, const char *figure, uint64_t size,
		     uint64_t length, struct samples *samples, struct error *err)
{
	struct quantiles quantiles;
	int ret;

	ret = report_figure(&fault->bench.report, figure, params(fault, size, length), samples, err);
	if (ret)
		return ret;
	samples_quantiles(samples, &quantiles);
	table_row(stdout, &name, 1, size, &quantiles);
	return 0;
}

static int report_size(struct fault *fault, uint64_t size, uint64_t length, struct error *err)
{
	int64_t warm;
	int ret;

	ret = print_row(fault, "warm", "warm_operation", size, length, &fault->warm, err);
	if (!ret)
		ret = print_row(fault, "first", "first_operation", size, length, &fault->first, err);
	if (ret)
		return ret;
	samples_median(&fault->warm, &warm);
	for (size_t i = 0; i < fault->first.count; i++)
		fault->first.values[i] -= warm;
	return print_row(fault, "fault", "fault", size, length, &fault->first, err);
}

static int measure_size(struct fault *fault, uint64_t size, struct error *err)
{
	struct bench *bench = &fault->bench;
	uint64_t length = fault->operation_size ?:
			  size < DEFAULT_OPERATION_SIZE ? size : DEFAULT_OPERATION_SIZE;
	int64_t started, first, warm;
	struct lent lent;
	int ret;

	if (length > size)
		return error_set(err, EINVAL, "--op-size %llu does not fit an MR of %llu bytes",
				 (unsigned long long)length, (unsigned long long)size);
	samples_clear(&fault->first);
	samples_clear(&fault->warm);
	ret = lent_init(bench, size, 1, &lent, err);
	if (ret)
		return ret;
	ret = operate(fault, lent.mrs[0], (uint32_t)length, &warm, err);
	started = clock_now_ns();
	while (!ret && !bench_row_done(bench, fault->first.count, started)) {
		ret = bench_make_not_present(bench, err);
		if (!ret)
			ret = operate(fault, lent.mrs[0], (uint32_t)length, &first, err);
		if (!ret)
			ret = operate(fault, lent.mrs[0], (uint32_t)length, &warm, err);
		if (ret)
			break;
		samples_add(&fault->first, first);
		samples_add(&fault->warm, warm);
	}
	if (!ret)
		ret = count_once(fault, &lent, (uint32_t)length, err);
	lent_free(&lent);
	return ret ?: report_size(fault, size, length, err);
}

static int measure(struct fault *fault, struct error *err)
{
	static const char *const label = "operation";
	struct bench *bench = &fault->bench;
	const struct verbs_qp_options qp = { .rnr_retry = 7 };
	uint64_t length = fault->operation_size ?: DEFAULT_OPERATION_SIZE;
	int ret;

	if (!(bench->peer.attr.odp_caps.general_caps & IBV_ODP_SUPPORT))
		return error_missing(err, EOPNOTSUPP, "RDMA device %s has no on-demand paging: an MR "
				     "that was revoked stays dead, there is no fault to measure",
				     ibv_get_device_name(bench->peer.context->device));
	ret = verbs_buffer_init(&bench->peer, length, VERBS_ACCESS_ALL & ~IBV_ACCESS_REMOTE_ATOMIC,
				&fault->buffer, err);
	if (!ret)
		ret = verbs_pair_create(&bench->peer, &qp, &fault->pair, err);
	if (!ret && (samples_init(&fault->first, bench->options.iterations) ||
		     samples_init(&fault->warm, bench->options.iterations)))
		ret = error_set(err, ENOMEM, "no memory for the samples");
	if (!ret)
		table_header(stdout, &label, 1);
	for (unsigned int i = 0; !ret && i < bench->size_count; i++)
		ret = measure_size(fault, bench->sizes[i], err);
	samples_free(&fault->first);
	samples_free(&fault->warm);
	verbs_pair_destroy(&fault->pair);
	verbs_buffer_free(&fault->buffer);
	return ret;
}

static enum operation parse_operation(const struct argp_state *state, const char *text)
{
	for (unsigned int i = 0; i < sizeof(operation_names) / sizeof(operation_names[0]); i++) {
		if (!strcmp(text, operation_names[i]))
			return (enum operation)i;
	}
	argp_error(state, "--op takes write, read or send, not \"%s\"", text);
	return OPERATION_WRITE;
}

static error_t parse_program(int key, char *arg, struct argp_state *state)
{
	struct fault *fault = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &fault->bench;
		return 0;
	case KEY_OP:
		fault->operation = parse_operation(state, arg);
		return 0;
	case KEY_OP_SIZE:
		if (parse_size(arg, &fault->operation_size) || !fault->operation_size ||
		    fault->operation_size > 1ULL << 30)
			argp_error(state, "--op-size takes a size from 1 to 1G, not \"%s\"", arg);
		return 0;
	case KEY_SIDE:
		fault->local = !strcmp(arg, "local");
		if (!fault->local && strcmp(arg, "remote"))
			argp_error(state, "--side takes remote or local, not \"%s\"", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	const struct argp_child children[] = { { &bench_argp, 0, NULL, 0 }, { 0 } };
	const struct argp program = { option_list, parse_program, NULL, doc, children, NULL, NULL };
	struct fault fault = { 0 };
	struct error err = { 0 };
	int ret;

	options_default(&fault.bench.options);
	options_argp_parse(&program, argc, argv, &fault);
	ret = bench_open(&fault.bench, &err);
	if (ret)
		return bench_exit(PROGRAM, ret, &err);
	ret = measure(&fault, &err);
	if (!ret)
		ret = bench_write(&fault.bench, &err);
	bench_close(&fault.bench);
	return bench_exit(PROGRAM, ret, &err);
}
