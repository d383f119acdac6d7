/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What registering a VFIO dma-buf MR costs, and what deregistering it costs, by MR size. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "bench.h"
#include "clock.h"

#define PROGRAM "dmabuf_reg_lat"

static const char doc[] =
	"Latency of ibv_reg_dmabuf_mr() and ibv_dereg_mr() on memory of a PCI BAR lent out by VFIO."
	"\vExit status: 0 measured, 1 failed, 2 wrong usage, 4 cannot run on this machine.";

struct row {
	struct samples registration;
	struct samples deregistration;
};

static int measure_once(struct bench *bench, int dmabuf_fd, uint64_t size, int64_t *registration,
			int64_t *deregistration, struct error *err)
{
	int64_t begin, registered, end;
	struct ibv_mr *mr;
	int ret;

	begin = clock_now_ns();
	ret = verbs_reg_dmabuf(&bench->peer, dmabuf_fd, 0, size, 0, VERBS_ACCESS_ALL, &mr, err);
	registered = clock_now_ns();
	if (ret)
		return ret;
	*registration = registered - begin;
	begin = clock_now_ns();
	ret = ibv_dereg_mr(mr);
	end = clock_now_ns();
	if (ret)
		return error_set(err, ret, "deregistering an MR of %llu bytes failed",
				 (unsigned long long)size);
	*deregistration = end - begin;
	return 0;
}

static json_t *params(const struct bench *bench, uint64_t size)
{
	return json_pack("{s:I, s:s}", "size", (json_int_t)size, "interface",
			 bench_interface(bench));
}

static int count_once(struct bench *bench, int dmabuf_fd, uint64_t size, struct error *err)
{
	json_t *before, *between, *after;
	struct ibv_mr *mr;
	int ret;

	if (!bench->counters_command)
		return 0;
	ret = counters_read(bench, &before, err);
	if (ret)
		return ret;
	ret = verbs_reg_dmabuf(&bench->peer, dmabuf_fd, 0, size, 0, VERBS_ACCESS_ALL, &mr, err);
	if (ret)
		goto drop_before;
	ret = counters_read(bench, &between, err);
	ibv_dereg_mr(mr);
	if (ret)
		goto drop_before;
	ret = counters_read(bench, &after, err);
	if (ret) {
		json_decref(between);
		goto drop_before;
	}
	json_incref(between);
	report_counts(&bench->report, "registration", params(bench, size),
		      counters_difference(before, between));
	report_counts(&bench->report, "deregistration", params(bench, size),
		      counters_difference(between, after));
	return 0;

drop_before:
	json_decref(before);
	return ret;
}

static int print_row(struct bench *bench, const char *label, const char *figure, uint64_t size,
		     struct samples *samples, struct error *err)
{
	struct quantiles quantiles;
	int ret = report_figure(&bench->report, figure, params(bench, size), samples, err);

	if (ret)
		return ret;
	samples_quantiles(samples, &quantiles);
	table_row(stdout, &label, 1, size, &quantiles);
	return 0;
}

static int measure_size(struct bench *bench, uint64_t size, struct row *row, struct error *err)
{
	const struct vfio_range range = { bench->options.offset, size };
	int64_t registration, deregistration, started;
	int dmabuf_fd, ret;

	samples_clear(&row->registration);
	samples_clear(&row->deregistration);
	dmabuf_fd = vfio_exporter_export(bench->exporter, bench->options.bar, &range, 1, err);
	if (dmabuf_fd < 0)
		return dmabuf_fd;
	/* The first fills the driver's cache of keys: not a sample. */
	ret = measure_once(bench, dmabuf_fd, size, &registration, &deregistration, err);
	started = clock_now_ns();
	while (!ret && !bench_row_done(bench, row->registration.count, started)) {
		ret = measure_once(bench, dmabuf_fd, size, &registration, &deregistration, err);
		if (ret)
			break;
		samples_add(&row->registration, registration);
		samples_add(&row->deregistration, deregistration);
	}
	if (!ret)
		ret = count_once(bench, dmabuf_fd, size, err);
	close(dmabuf_fd);
	if (!ret)
		ret = print_row(bench, "register", "registration", size, &row->registration, err);
	if (!ret)
		ret = print_row(bench, "deregister", "deregistration", size,
				&row->deregistration, err);
	return ret;
}

static int measure(struct bench *bench, struct error *err)
{
	static const char *const label = "operation";
	struct row row = { 0 };
	int ret = 0;

	if (samples_init(&row.registration, bench->options.iterations) ||
	    samples_init(&row.deregistration, bench->options.iterations))
		ret = error_set(err, ENOMEM, "no memory for the samples");
	if (!ret)
		table_header(stdout, &label, 1);
	for (unsigned int i = 0; !ret && i < bench->size_count; i++)
		ret = measure_size(bench, bench->sizes[i], &row, err);
	samples_free(&row.registration);
	samples_free(&row.deregistration);
	return ret;
}

static error_t parse_program(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	return options_pass_on(key, state);
}

int main(int argc, char **argv)
{
	const struct argp_child children[] = { { &bench_argp, 0, NULL, 0 }, { 0 } };
	const struct argp program = { NULL, parse_program, NULL, doc, children, NULL, NULL };
	struct bench bench = { 0 };
	struct error err = { 0 };
	int ret;

	options_default(&bench.options);
	options_argp_parse(&program, argc, argv, &bench);
	ret = bench_open(&bench, &err);
	if (ret)
		return bench_exit(PROGRAM, ret, &err);
	ret = measure(&bench, &err);
	if (!ret)
		ret = bench_write(&bench, &err);
	bench_close(&bench);
	return bench_exit(PROGRAM, ret, &err);
}
