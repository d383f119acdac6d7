# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What perftest says of the BAR beside host memory."""

from benchfile import BANDWIDTH
from tables import SAMPLES_FOR, microseconds, ratio, size_text

NAMES = ("traffic_bandwidth", "traffic_latency")
HOST, BAR = "host", "BAR"
TITLE = "perftest: the server's buffer in a BAR beside host memory"


def is_traffic(figure):
    return figure["name"] in NAMES


def without_traffic(figures):
    return [figure for figure in figures if not is_traffic(figure)]


def values(figure):
    """(what, number, text) of each value that stands beside the other memory's."""
    if figure["unit"] == BANDWIDTH:
        return [("average [MiB/s]", figure["average"], f"{figure['average']:,.1f}")]
    result = [("median [us]", figure["p50"], microseconds(figure["p50"]))]
    if figure["samples"] >= SAMPLES_FOR["p99"]:
        result.append(("99% [us]", figure["p99"], microseconds(figure["p99"])))
    return result


def pairs(figures):
    """(host, BAR) of each program and size that was measured with both."""
    by_row = {}
    for figure in filter(is_traffic, figures):
        params = figure["params"]
        row = by_row.setdefault((params.get("program"), params.get("size")), {})
        row[params.get("memory")] = figure
    return [(row[HOST], row[BAR]) for row in by_row.values() if HOST in row and BAR in row]


def ratios(figures):
    """(program, BAR over host memory) by the average or the median."""
    return [(bar["params"]["program"], values(bar)[0][1] / values(host)[0][1])
            for host, bar in pairs(figures) if values(host)[0][1] > 0]


def sections(figures):
    rows = []
    for host, bar in pairs(figures):
        for (what, base, base_text), (_, value, text) in zip(values(host), values(bar)):
            rows.append([bar["params"]["program"], size_text(bar["params"]["size"]), what,
                         f"{min(host['samples'], bar['samples']):,}", base_text, text,
                         ratio(value, base)])
    header = ["program", "size", "figure", "iterations", "host memory", "BAR", "BAR / host"]
    return [(TITLE, header, rows)] if rows else []
