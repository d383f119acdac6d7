#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The level matrix of several NICs side by side: what must happen, what happened.

usage: levels.py FOLDER

Reads FOLDER/levels-NIC.json, which tests/levels/level_matrix writes, and makes FOLDER/levels.html and levels.md of
what is there. Exit status 1 if a cell is not what it must be.
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
LEGEND = ("One outcome: what must happen happened. In brackets: commands that the device got for it, where their "
          "number is promised.")
CELL_STYLE = "td.red { background: #D55E00; color: #fff; } td, th { text-align: left; }"


class MatrixError(Exception):
    """Its text names the file and what is wrong there."""


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            matrix = json.load(file)
    except (OSError, ValueError) as error:
        raise MatrixError(f"{path}: {error}") from error
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


def html(matrices, header, rows):
    lines = ["<!doctype html>", '<html lang="en"><meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width, initial-scale=1">',
             f"<title>{escape(TITLE)}</title>", f"<style>{STYLE}{CELL_STYLE}</style>",
             f"<h1>{escape(TITLE)}</h1>"]
    if any(matrix.get("lab") for matrix in matrices):
        lines.append(f'<p class="note">{escape(NOTE)}</p>')
    lines += [f"<p>{escape(LEGEND)} {escape(summary(matrices))}</p>", '<div class="wide"><table>',
              "<tr>" + "".join(f"<th>{escape(text)}</th>" for text in header) + "</tr>"]
    for row in rows:
        lines.append("<tr>" + "".join(
            f"<td{' class=red' if red else ''}>{escape(text)}</td>" for text, red in row) + "</tr>")
    return "\n".join(lines + ["</table></div>", "</html>"]) + "\n"


def markdown(matrices, header, rows):
    lines = [f"# {TITLE}", ""]
    if any(matrix.get("lab") for matrix in matrices):
        lines += [NOTE, ""]
    lines += [f"{LEGEND} {summary(matrices)}", "", "| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for row in rows:
        lines.append("| " + " | ".join(f"**{text}**" if red else text for text, red in row) + " |")
    return "\n".join(lines) + "\n"


def count_red(matrices):
    return sum(is_red(cell) for matrix in matrices for cell in matrix["cells"])


def summary(matrices):
    cells = sum(len(matrix["cells"]) for matrix in matrices)
    kernels = ", ".join(sorted({matrix["kernel"] for matrix in matrices}))
    return f"{cells} cells, {count_red(matrices)} red. Kernel: {kernels}."


def position(matrix):
    return ORDER.index(matrix["nic"]) if matrix["nic"] in ORDER else len(ORDER)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    paths = sorted(glob.glob(os.path.join(folder, "levels-*.json")))
    if not paths:
        sys.exit(f"levels.py: {folder} has no levels-NIC.json: run ./run test with the tests level-matrix-...")
    try:
        matrices = sorted(map(read, paths), key=position)
        header, rows = table(matrices)
    except MatrixError as error:
        sys.exit(f"levels.py: {error}")
    for name, make in (("levels.html", html), ("levels.md", markdown)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(make(matrices, header, rows))
    print(f"levels.html: {summary(matrices)}")
    return 1 if count_red(matrices) else 0


if __name__ == "__main__":
    sys.exit(main())
