# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The plots: latency against MR size, against the number of MRs, as a distribution; device work."""

import os

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot, ticker  # noqa: E402 (the backend is chosen before)

import traffic  # noqa: E402
from tables import BACKGROUND, SAMPLES_FOR, TITLES, size_text  # noqa: E402

# Okabe and Ito's colours: told apart by every kind of eye.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv<>"
REFERENCE_SIZE = 65536


def select(data, name, **params):
    return [figure for figure in data["figures"] if figure["name"] == name
            and all(figure["params"].get(key) == value for key, value in params.items())]


def common_value(figures, key, wanted):
    """The wanted value if any figure has it, else the most frequent one."""
    values = [figure["params"].get(key) for figure in figures]
    return wanted if wanted in values else max(set(values), key=values.count)


def triggers(data):
    order = []
    for figure in select(data, "revoke"):
        if figure["params"].get("trigger") not in order:
            order.append(figure["params"].get("trigger"))
    return order


def by_param(figures, key):
    """(x, median, 99%) ascending; 99% is None where too few samples tell it."""
    points = {}
    for figure in figures:
        points.setdefault(figure["params"][key], figure)
    return [(x, max(points[x]["p50"], 1) / 1000,
             max(points[x]["p99"], 1) / 1000
             if points[x]["samples"] >= SAMPLES_FOR["p99"] else None)
            for x in sorted(points)]


def new_plot(title, note, lab, xlabel, ylabel):
    figure, axes = pyplot.subplots(figsize=(9, 5), constrained_layout=True)
    figure.suptitle(title + (" (lab: emulated NIC)" if lab else ""), fontsize=12)
    axes.set_title(note, fontsize=9, color="#555555")
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(True, which="major", color="#dddddd", linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def add_legend(axes):
    """Beside the plot: inside, there is always a line it would hide."""
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1.0))


def save(figure, folder, name):
    path = os.path.join(folder, name)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return name


def draw_series(axes, series, base_series):
    """A line through the medians, dotted at the 99%; or dashed the stock kernel's median."""
    for index, (label, points) in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        marker = MARKERS[index % len(MARKERS)]
        axes.plot([x for x, _, _ in points], [median for _, median, _ in points], color=colour,
                  marker=marker, markersize=5, label=label)
        if base_series:
            base = base_series.get(label, [])
            axes.plot([x for x, _, _ in base], [median for _, median, _ in base], color=colour,
                      linestyle="--", marker=marker, markersize=5, markerfacecolor="white")
        else:
            upper = [(x, p99) for x, _, p99 in points if p99 is not None]
            axes.plot([x for x, _ in upper], [p99 for _, p99 in upper], color=colour,
                      linestyle=":", linewidth=1.2)


def finish_lines(axes, xs, tick_text):
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted(xs)
    axes.set_xticks(ticks, [tick_text(x) for x in ticks])
    axes.xaxis.minorticks_off()
    label_decades(axes.yaxis)
    add_legend(axes)


def label_decades(axis):
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5), numticks=40))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:,g}")


def size_series(data):
    series = []
    for name, params in (("registration", {}), ("deregistration", {}),
                         ("fault", {"op": "write", "side": "remote"})):
        points = by_param(select(data, name, **params), "size")
        if len(points) > 1:
            series.append((TITLES[name], points))
    for trigger in triggers(data):
        points = by_param(select(data, "revoke", trigger=trigger, mrs=1, in_flight=0), "size")
        if len(points) > 1:
            series.append((f"revoke by {trigger}", points))
    return series


def mrs_series(data):
    series = []
    for trigger in triggers(data):
        figures = select(data, "revoke", trigger=trigger, in_flight=0)
        if not figures:
            continue
        size = common_value(figures, "size", REFERENCE_SIZE)
        points = by_param(select(data, "revoke", trigger=trigger, in_flight=0, size=size), "mrs")
        if len(points) > 1:
            series.append((f"{trigger}, MRs of {size_text(size)}", points))
    return series


def plot_lines(data, base, folder, name, make_series, title, xlabel, tick_text):
    series = make_series(data)
    if not series:
        return None
    note = ("solid: median; dashed: median of the stock kernel" if base
            else "solid: median; dotted: 99%")
    figure, axes = new_plot(title, note, data["environment"]["lab"], xlabel, "latency [us]")
    draw_series(axes, series, dict(make_series(base)) if base else {})
    finish_lines(axes, {x for _, points in series for x, _, _ in points}, tick_text)
    return save(figure, folder, name)


def distribution_series(data):
    series = []
    faults = select(data, "fault", op="write", side="remote")
    if faults:
        size = common_value(faults, "size", REFERENCE_SIZE)
        series.append((f"fault, {size_text(size)}",
                       select(data, "fault", op="write", side="remote", size=size)[0]))
    for name, title in (("revoke", "revoke by {}"), ("revoke_to_error", "{} to first error")):
        for trigger in triggers(data):
            figures = [figure for figure in select(data, name, trigger=trigger, mrs=1)
                       if bool(figure["params"].get("in_flight")) == (name != "revoke")]
            if figures:
                size = common_value(figures, "size", REFERENCE_SIZE)
                chosen = [figure for figure in figures if figure["params"]["size"] == size]
                series.append((title.format(trigger), chosen[0]))
    return [(label, figure) for label, figure in series if figure.get("histogram")]


def plot_distribution(data, folder):
    series = distribution_series(data)
    if not series:
        return None
    figure, axes = new_plot("Distribution of latencies, one MR",
                            "50% is the median, 1% the 99th percentile",
                            data["environment"]["lab"], "latency [us]", "samples that took longer")
    for index, (label, entry) in enumerate(series):
        left, xs, ys = entry["samples"], [max(entry["min"], 1) / 1000], [1.0]
        for upper, count in entry["histogram"]:
            left -= count
            xs.append(max(upper, 1) / 1000)
            ys.append(left / entry["samples"])
        # the last step would be to 0, which a logarithmic axis does not have
        axes.step(xs[:-1] + [xs[-1]], ys[:-1] + [ys[-2]], where="post",
                  color=COLOURS[index % len(COLOURS)],
                  linestyle="-" if index < len(COLOURS) else "--",
                  label=f"{label} (n={entry['samples']:,})")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_yticks([1, 0.5, 0.1, 0.01, 0.001], ["100%", "50%", "10%", "1%", "0.1%"])
    axes.set_ylim(top=1.1)
    axes.yaxis.minorticks_off()
    label_decades(axes.xaxis)
    axes.tick_params(axis="x", labelrotation=45)
    add_legend(axes)
    return save(figure, folder, "distribution.png")


def plot_work(data, folder):
    entries = [entry for entry in data["counters"].get("revoke", [])
               if entry["params"].get("trigger") == "pci_command"]
    if not entries:
        return None
    size = common_value(entries, "size", REFERENCE_SIZE)
    entries = sorted((entry for entry in entries if entry["params"]["size"] == size),
                     key=lambda entry: entry["params"]["mrs"])
    xs = [entry["params"]["mrs"] for entry in entries]
    # counters that agree everywhere share a line
    lines = {}
    for name in sorted({name for entry in entries for name in entry["counts"]} - BACKGROUND):
        lines.setdefault(tuple(entry["counts"].get(name, 0) for entry in entries), []).append(name)
    if len(xs) < 2 or not lines:
        return None
    figure, axes = new_plot("What one revoke makes the NIC do",
                            f"counters of the device around one revoke by pci_command, "
                            f"MRs of {size_text(size)}",
                            data["environment"]["lab"], "MRs on the dma-buf", "count")
    for index, counts in enumerate(sorted(lines, key=lambda counts: -counts[-1])):
        axes.plot(xs, counts, color=COLOURS[index % len(COLOURS)],
                  marker=MARKERS[index % len(MARKERS)], markersize=5,
                  linestyle="-" if index < len(COLOURS) else "--",
                  label="\n".join(name.replace("_", " ") for name in lines[counts]))
    axes.set_xscale("log", base=2)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_xticks(xs, [f"{x:,}" for x in xs])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    add_legend(axes)
    return save(figure, folder, "work.png")


def plot_traffic(data, folder):
    """One bar for each program: its figure with a BAR over that with host memory."""
    ratios = traffic.ratios(data["figures"])
    if not ratios:
        return None
    figure, axes = new_plot("perftest: a BAR beside host memory",
                            "bandwidth (_bw): more is better; latency (_lat): less is better",
                            data["environment"]["lab"], "", "BAR / host memory")
    colours = [COLOURS[0] if name.endswith("_bw") else COLOURS[1] for name, _ in ratios]
    bars = axes.bar([name for name, _ in ratios], [value for _, value in ratios], width=0.5,
                    color=colours)
    axes.bar_label(bars, fmt="%.2f")
    axes.axhline(1, color="#888888", linewidth=0.8)
    return save(figure, folder, "traffic.png")


def plot_all(data, base, folder):
    """Writes the plots that the figures allow; (file, caption) of each."""
    plots = (
        (plot_lines(data, base, folder, "size.png", size_series, "Latency against MR size",
                    "MR size", size_text),
         "Registration, fault and revoke of one MR against its size."),
        (plot_lines(data, base, folder, "mrs.png", mrs_series,
                    "Revoke latency against number of MRs", "MRs on the dma-buf", "{:,}".format),
         "Revoke against the number of MRs on the dma-buf."),
        (plot_distribution(data, folder), "How many samples took longer than a given time."),
        (plot_work(data, folder), "The NIC's own counters around one revoke."),
        (plot_traffic(data, folder), "Bandwidth and latency with a BAR, over host memory."),
    )
    return [(name, caption) for name, caption in plots if name]
