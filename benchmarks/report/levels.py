#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Which NIC can do what with memory that is taken back, and the level matrix of several NICs side by side.

usage: levels.py FOLDER

Reads FOLDER/devices-*.json, which dmabuf_levels --json writes, and FOLDER/levels-NIC.json, which
tests/levels/level_matrix writes, and makes FOLDER/levels.html and levels.md of what is there. Exit status 1 if a cell
is not what it must be.
"""

import glob
import json
import os
import sys
from html import escape

sys.dont_write_bytecode = True  # the source folder may belong to somebody else

from page import STYLE  # noqa: E402

SCHEMA = 2
ORDER = ("mlx5", "irdma", "efa")
TITLE = "What lent memory does to an importer, by its level"
NOTE = ("In the lab the NICs are emulated and the drivers are the vendors' own: this shows what drivers and core do, "
        "not silicon.")
DEVICES = "Which device can do what"
DEVICE_HEADER = ("device", "driver", "level", "ODP", "registers dma-bufs", "memory of a VFIO device")
LEGEND = ("One outcome: what must happen happened. In brackets: commands that the device got for it, where their "
          "number is promised.")
CELL_STYLE = "td.red { background: #D55E00; color: #fff; } td, th { text-align: left; }"


class MatrixError(Exception):
    """Its text names the file and what is wrong there."""


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise MatrixError(f"{path}: {error}") from error


def device_row(path, device):
    try:
        return [device["device"], device["driver"], device["level"] or "not told", "yes" if device["odp"] else "no",
                "yes" if device["registers_dmabuf"] else f"no ({device['refusal']})", device["vfio_memory"]]
    except (KeyError, TypeError) as error:
        raise MatrixError(f"{path}: an entry is not dmabuf_levels': {error} is missing") from error


def device_rows(paths):
    """A row for every device that dmabuf_levels told of, those that fault first."""
    rows = []
    for path in paths:
        answers = load(path)
        if not isinstance(answers, list):
            raise MatrixError(f"{path}: this is no answer of dmabuf_levels --json")
        rows += [device_row(path, device) for device in answers]
    levels = ("faulting", "revoking", "unsupported", "not told")
    return sorted(rows, key=lambda row: (levels.index(row[2]) if row[2] in levels else len(levels), row[0]))


def read(path):
    matrix = load(path)
    if not isinstance(matrix, dict) or matrix.get("schema") != SCHEMA:
        raise MatrixError(f"{path}: this is no level matrix of schema {SCHEMA}")
    for key in ("nic", "level", "kernel", "cells"):
        if not matrix.get(key):
            raise MatrixError(f"{path}: it has no {key}")
    return matrix


def rows_of(matrices):
    """(exporter, event) in the order of the files; the same for all."""
    rows = []
    for matrix in matrices:
        own = [(cell["exporter"], cell["event"]) for cell in matrix["cells"]]
        if rows and own != rows:
            raise MatrixError(f"the matrix of {matrix['nic']} has other cells than the one before: they are of "
                              "different versions, run all level-matrix tests again")
        rows = own
    return rows


def is_red(cell):
    return not cell["passed"] and not cell["skipped"]


def cell_text(cell):
    if cell["skipped"]:
        return "not tried"
    expected, happened = cell["expected"], cell["happened"]
    if cell["commands_expected"] is not None and cell["commands"] is not None:
        expected += f" [{cell['commands_expected']}]"
        happened += f" [{cell['commands']}]"
    if cell["passed"]:
        return happened
    return f"must: {expected}; was: {happened}"


def table(matrices):
    """Header, and rows of (text, is it red) cells."""
    header = ["exporter", "event"] + [f"{matrix['nic']} ({matrix['level']})" for matrix in matrices]
    rows = []
    for number, (exporter, event) in enumerate(rows_of(matrices)):
        cells = [matrix["cells"][number] for matrix in matrices]
        rows.append([(exporter, False), (event.replace("-", " ").replace("un revoke", "un-revoke"), False)]
                    + [(cell_text(cell), is_red(cell)) for cell in cells])
    return header, rows


def html_table(header, rows):
    """Of (text, is it red) cells."""
    lines = ['<div class="wide"><table>', "<tr>" + "".join(f"<th>{escape(text)}</th>" for text in header) + "</tr>"]
    for row in rows:
        lines.append("<tr>" + "".join(
            f"<td{' class=red' if red else ''}>{escape(text)}</td>" for text, red in row) + "</tr>")
    return lines + ["</table></div>"]


def html(matrices, devices):
    lines = ["<!doctype html>", '<html lang="en"><meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width, initial-scale=1">',
             f"<title>{escape(TITLE)}</title>", f"<style>{STYLE}{CELL_STYLE}</style>",
             f"<h1>{escape(TITLE)}</h1>"]
    if any(matrix.get("lab") for matrix in matrices):
        lines.append(f'<p class="note">{escape(NOTE)}</p>')
    if devices:
        lines += [f"<h2>{escape(DEVICES)}</h2>"] + html_table(DEVICE_HEADER, map(plain, devices))
    if matrices:
        lines += ["<h2>What happened</h2>", f"<p>{escape(LEGEND)} {escape(summary(matrices))}</p>"]
        lines += html_table(*table(matrices))
    return "\n".join(lines + ["</html>"]) + "\n"


def plain(row):
    return [(text, False) for text in row]


def markdown_table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for row in rows:
        lines.append("| " + " | ".join(f"**{text}**" if red else text for text, red in row) + " |")
    return lines + [""]


def markdown(matrices, devices):
    lines = [f"# {TITLE}", ""]
    if any(matrix.get("lab") for matrix in matrices):
        lines += [NOTE, ""]
    if devices:
        lines += [f"## {DEVICES}", ""] + markdown_table(DEVICE_HEADER, map(plain, devices))
    if matrices:
        lines += ["## What happened", "", f"{LEGEND} {summary(matrices)}", ""] + markdown_table(*table(matrices))
    return "\n".join(lines[:-1]) + "\n"


def count_red(matrices):
    return sum(is_red(cell) for matrix in matrices for cell in matrix["cells"])


def summary(matrices):
    cells = sum(len(matrix["cells"]) for matrix in matrices)
    kernels = ", ".join(sorted({matrix["kernel"] for matrix in matrices})) or "none"
    return f"{cells} cells, {count_red(matrices)} red. Kernel: {kernels}."


def position(matrix):
    return ORDER.index(matrix["nic"]) if matrix["nic"] in ORDER else len(ORDER)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    paths = sorted(glob.glob(os.path.join(folder, "levels-*.json")))
    device_paths = sorted(glob.glob(os.path.join(folder, "devices-*.json")))
    if not paths and not device_paths:
        sys.exit(f"levels.py: {folder} has no levels-NIC.json and no devices-*.json: run ./run test with the tests "
                 "level-matrix-... and dmabuf-levels...")
    try:
        matrices = sorted(map(read, paths), key=position)
        devices = device_rows(device_paths)
        pages = {"levels.html": html(matrices, devices), "levels.md": markdown(matrices, devices)}
    except MatrixError as error:
        sys.exit(f"levels.py: {error}")
    for name, text in pages.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    print(f"levels.html: {len(devices)} devices, {summary(matrices)}")
    return 1 if count_red(matrices) else 0


if __name__ == "__main__":
    sys.exit(main())
