#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""levels.py: what its page says, and what it refuses."""
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import levels  # noqa: E402

EFA = {"device": "efa_0", "driver": "efa", "level": "unsupported", "odp": False, "registers_dmabuf": True, "refusal": "",
       "vfio_memory": "no: EOPNOTSUPP"}
MLX5 = {"device": "mlx5_0", "driver": "mlx5_core", "level": "faulting", "odp": True, "registers_dmabuf": False,
        "refusal": "EINVAL", "vfio_memory": "no: <why>"}


def cell(**changes):
    return {"exporter": "vfio", "event": "write", "expected": "arrives", "happened": "arrives", "commands_expected": 0,
            "commands": 0, "passed": True, "skipped": False} | changes


def matrix(nic="mlx5", cells=None):
    return {"schema": levels.SCHEMA, "nic": nic, "level": "faulting", "kernel": "7.3", "lab": True,
            "cells": cells or [cell()]}


class LevelsTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name

    def run_on(self, **files):
        """Exit status, or the text that it ends with; names are written with _ for -."""
        for name, data in files.items():
            with open(os.path.join(self.folder, name.replace("_", "-") + ".json"), "w", encoding="utf-8") as file:
                json.dump(data, file)
        sys.argv = ["levels.py", self.folder]
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                return levels.main()
            except SystemExit as end:
                return end.code

    def page(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def test_devices_those_that_fault_first(self):
        self.assertEqual(self.run_on(devices_efa=[EFA], devices_mlx5=[MLX5]), 0)
        rows = [line for line in self.page("levels.md").splitlines() if line.startswith("| ")]
        self.assertEqual(rows[1:], ["| mlx5_0 | mlx5_core | faulting | yes | no (EINVAL) | no: <why> |",
                                    "| efa_0 | efa | unsupported | no | yes | no: EOPNOTSUPP |"])
        self.assertIn("no: &lt;why&gt;", self.page("levels.html"))

    def test_level_that_is_not_told(self):
        self.assertEqual(self.run_on(devices_old=[EFA | {"level": None}], devices_new=[EFA]), 0)
        self.assertLess(self.page("levels.md").index("| unsupported |"), self.page("levels.md").index("| not told |"))

    def test_both(self):
        self.assertEqual(self.run_on(devices_efa=[EFA], levels_mlx5=matrix(), levels_efa=matrix("efa")), 0)
        self.assertIn("| vfio | write | arrives [0] | arrives [0] |", self.page("levels.md"))
        self.assertIn("2 cells, 0 red. Kernel: 7.3.", self.page("levels.html"))

    def test_red_cell(self):
        self.assertEqual(self.run_on(levels_mlx5=matrix(cells=[cell(happened="lost", passed=False)])), 1)
        self.assertIn("<td class=red>must: arrives [0]; was: lost [0]</td>", self.page("levels.html"))

    def refused(self, text, **files):
        self.assertIn(text, self.run_on(**files))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "levels.html")))

    def test_nothing_there(self):
        self.refused("no devices-")

    def test_no_answer(self):
        self.refused("no answer of dmabuf_levels", devices_x={})

    def test_answer_that_lacks_something(self):
        self.refused("'odp' is missing", devices_x=[{key: EFA[key] for key in EFA if key != "odp"}])

    def test_other_schema(self):
        self.refused("schema", levels_mlx5=matrix() | {"schema": 1})

    def test_other_cells(self):
        self.refused("other cells", levels_mlx5=matrix(), levels_efa=matrix("efa", [cell(event="read")]))


if __name__ == "__main__":
    unittest.main()
