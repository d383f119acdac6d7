#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Turns bench.json into tables on the terminal, index.html and PNG plots beside it."""

import argparse
import os
import sys

sys.dont_write_bytecode = True  # the source folder may belong to somebody else

import benchfile  # noqa: E402
import nics  # noqa: E402
import tables  # noqa: E402
import traffic  # noqa: E402

LAB_NOTE = ("Lab figures: the NIC is emulated. Ratios and counts carry over to silicon, "
            "microseconds do not.")
TRAFFIC_NOTE = ("perftest's ratios are the exception: the emulated NIC copies between two pieces of the "
                "same RAM, whichever is called BAR. They show that it works, not what a BAR costs.")
QUANTILE_NOTE = ("99% is given from 100 samples on, 99.9% from 1,000 on: with fewer they are the "
                 "maximum.")
TITLE = "VFIO dma-buf MRs: registration, fault and revoke"


def counter_lists(data):
    return {event: entries for event, entries in data["counters"].items()
            if isinstance(entries, list) and entries}


def counter_title(event):
    if event == "rounds_without_error":
        return "Rounds that ended without an error: the memory was given back first"
    return f"Device work: counters around one {event.replace('_', ' ')}"


def counter_sections(data):
    return [(counter_title(event), *tables.counter_table(entries))
            for event, entries in counter_lists(data).items()]


def compare_sections(data, stock):
    result = []
    for title, figures in tables.sections(traffic.without_traffic(data["figures"])):
        header, rows = tables.compare_table(figures, stock["figures"])
        result.append((f"{title[0].lower()}{title[1:]}", header, rows))
    stock_counts = counter_lists(stock)
    for event, entries in counter_lists(data).items():
        header, rows = tables.compare_counts(entries, stock_counts.get(event, []))
        result.append((f"device work of one {event.replace('_', ' ')}", header, rows))
    return [(f"Patched against stock kernel: {title}", header, rows)
            for title, header, rows in result if rows]


def device_sections(environment):
    devices = environment.get("devices", [])
    if not devices:
        return []
    return [("RDMA devices: move notify level, and what it means for the memory of a VFIO device",
             ["device", "driver", "level", "ODP", "memory of a VFIO device"],
             [[device["device"], device["driver"], device["level"] or "not told",
               "yes" if device["odp"] else "no", device["vfio_memory"]] for device in devices])]


def all_tables(data, stock, beside):
    result = device_sections(data["environment"]) + nics.sections([data] + beside)
    for title, figures in tables.sections(traffic.without_traffic(data["figures"])):
        result.append((title, *tables.figure_table(figures)))
    result += traffic.sections(data["figures"])
    result += counter_sections(data)
    if stock:
        result += compare_sections(data, stock)
    return result


def write_text(path, text):
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def write_page(data, stock, folder, all_of_them, notes):
    # matplotlib takes its time: only who wants plots pays for it
    import page
    import plots

    os.makedirs(folder, exist_ok=True)
    drawn = plots.plot_all(data, stock, folder)
    environment = {key: value for key, value in data["environment"].items()
                   if key != "devices"}
    if stock:
        environment["stock kernel"] = stock["environment"].get("kernel", "unknown")
    path = os.path.join(folder, "index.html")
    write_text(path, page.page(TITLE, notes, environment, drawn, all_of_them))
    return path


def kernel_note(environment):
    """What was measured, in one line; on metal only the kernel's own name is known."""
    if not environment.get("source"):
        return []
    return [f"Kernel: Linux {environment.get('kernel', 'unknown')} from {environment['source']}, "
            f"with the patches of {environment.get('base', 'unknown')}."]


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", nargs="+", metavar="BENCH_JSON",
                        help="result file; several of one machine are taken together")
    parser.add_argument("--compare", metavar="STOCK_JSON",
                        help="result file of the stock kernel: prints ratios patched/stock")
    parser.add_argument("--beside", action="append", default=[], metavar="NIC_JSON",
                        help="result file of another NIC, to be shown beside; may be repeated")
    parser.add_argument("--output", metavar="FOLDER",
                        help="where index.html and the plots go (default: beside the first file)")
    parser.add_argument("--tables-only", action="store_true", help="write no page and no plots")
    return parser.parse_args(argv)


def run(arguments, out):
    data = benchfile.merge([benchfile.load(path) for path in arguments.bench])
    if not data["figures"]:
        raise benchfile.BenchFileError(f"{', '.join(arguments.bench)}: there is no figure in it")
    stock = benchfile.load(arguments.compare) if arguments.compare else None
    beside = [benchfile.load(path) for path in arguments.beside]
    all_of_them = all_tables(data, stock, beside)
    notes = [LAB_NOTE] if data["environment"]["lab"] else []
    notes += kernel_note(data["environment"])
    if data["environment"]["lab"] and any(map(traffic.is_traffic, data["figures"])):
        notes.append(TRAFFIC_NOTE)
    if any(figure["samples"] < 1000 for figure in data["figures"]):
        notes.append(QUANTILE_NOTE)
    for title, header, rows in all_of_them:
        tables.print_table(title, header, rows, out)
    out.write("\n" + "".join(f"{note}\n" for note in notes))
    if not arguments.tables_only:
        folder = arguments.output or os.path.dirname(os.path.abspath(arguments.bench[0]))
        out.write(f"Report: {write_page(data, stock, folder, all_of_them, notes)}\n")


def main(argv):
    try:
        run(parse_arguments(argv), sys.stdout)
    except benchfile.BenchFileError as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"report: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
