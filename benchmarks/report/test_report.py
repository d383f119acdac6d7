#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Tests of the report: what it refuses and why, and what it makes of figures."""

import copy
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import benchfile  # noqa: E402
import nics  # noqa: E402
import report  # noqa: E402
import tables  # noqa: E402
import traffic  # noqa: E402


def figure(name, params, p50, samples=1000):
    return {"name": name, "params": params, "unit": "ns", "samples": samples, "min": p50 // 2,
            "p50": p50, "p99": p50 * 2, "p999": p50 * 3, "max": p50 * 4,
            "histogram": [[p50, samples // 2], [p50 * 4, samples - samples // 2]]}


def traffic_figures():
    figures = []
    for memory, scale in (("host", 4), ("BAR", 1)):
        params = {"memory": memory, "size": 65536}
        figures.append(figure("traffic_latency", {"program": "ib_read_lat", **params},
                              10000 // scale, 200))
        figures.append({"name": "traffic_bandwidth", "params": {"program": "ib_write_bw", **params},
                        "unit": "MiB/s", "samples": 100, "average": 50.0 * scale,
                        "peak": 51.0 * scale})
    return figures[::-1]


def sample_file(scale=1):
    figures = []
    for size in (4096, 65536, 1 << 20):
        figures.append(figure("registration", {"size": size}, 100000 * scale))
        figures.append(figure("fault", {"size": size, "op": "write", "side": "remote"},
                              500000 * scale))
        figures.append(figure("revoke", {"trigger": "pci_command", "mrs": 1, "size": size,
                                         "in_flight": 0}, 900000 * scale))
    for mrs in (16, 1000):
        figures.append(figure("revoke", {"trigger": "pci_command", "mrs": mrs, "size": 65536,
                                         "in_flight": 0}, mrs * 100000 * scale, 100))
    figures.append(figure("revoke_to_error", {"trigger": "pci_command", "mrs": 1, "size": 65536,
                                              "in_flight": 8}, 400000 * scale))
    counters = {"revoke": [{"params": {"trigger": "pci_command", "mrs": mrs, "size": 65536},
                            "counts": {"umrs": mrs, "doorbells": 2 * mrs}} for mrs in (1, 16)]}
    return {"schema": 1, "environment": {"kernel": "7.3.4", "lab": True}, "figures": figures,
            "counters": counters}


class Refusal(unittest.TestCase):
    def refused(self, change, because):
        data = copy.deepcopy(sample_file())
        data = change(data) or data
        with self.assertRaises(benchfile.BenchFileError) as caught:
            benchfile.check(data, "bench.json")
        self.assertIn(because, str(caught.exception))
        self.assertIn("bench.json", str(caught.exception))

    def test_sample_is_taken(self):
        benchfile.check(sample_file(), "bench.json")

    def test_devices(self):
        self.refused(lambda data: data["environment"].update(devices=[{"device": 1}]),
                     "environment.devices")

    def test_schema(self):
        self.refused(lambda data: data.update(schema=3), "schema is 3")
        self.refused(lambda data: data.pop("schema") and None, "schema is None")
        self.refused(lambda data: [1], "no object")

    def test_environment(self):
        self.refused(lambda data: data["environment"].pop("lab") and None, "lab")
        self.refused(lambda data: data.update(environment=None), "no environment")

    def test_figures(self):
        first = "figures[0]"
        self.refused(lambda data: data.update(figures={}), "no list of figures")
        self.refused(lambda data: data["figures"].__setitem__(0, 5), first)
        self.refused(lambda data: data["figures"][0].pop("name") and None, "no name")
        self.refused(lambda data: data["figures"][0].update(params=[]), "no params")
        self.refused(lambda data: data["figures"][0]["params"].update(size=[]), "param size")
        self.refused(lambda data: data["figures"][0].update(unit="us"), "unit")
        self.refused(lambda data: data["figures"][0].update(samples=0), "samples")
        self.refused(lambda data: data["figures"][0].update(samples=True), "samples")
        self.refused(lambda data: data["figures"][0].update(p99="1"), "p99")
        self.refused(lambda data: data["figures"][0].update(p50=10**9), "ascend")

    def test_bandwidth(self):
        data = sample_file()
        data["figures"] += traffic_figures()
        self.refused(lambda _: data, "unit is 'MiB/s'")
        data["schema"] = 2
        benchfile.check(data, "bench.json")
        for key, value in (("average", 0), ("peak", "1"), ("average", None), ("samples", 0)):
            wrong = copy.deepcopy(data)
            wrong["figures"][-2][key] = value
            self.refused(lambda _, wrong=wrong: wrong, key)

    def test_histogram(self):
        self.refused(lambda data: data["figures"][0].update(histogram=5), "histogram")
        self.refused(lambda data: data["figures"][0].update(histogram=[[1]]), "[upper, count]")
        self.refused(lambda data: data["figures"][0].update(histogram=[[1, 1]]), "counts 1")
        self.refused(lambda data: data["figures"][0].update(histogram=[[2, 1], [1, 999]]), "grow")

    def test_counters(self):
        self.refused(lambda data: data.update(counters=[]), "counters")
        self.refused(lambda data: data["counters"].update(revoke="many"), "counters.revoke")
        self.refused(lambda data: data["counters"].update(revoke=[{"counts": {}}]), "params")


class Loading(unittest.TestCase):
    def refused_text(self, text, because):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bench.json")
            with open(path, "wb") as file:
                file.write(text)
            with self.assertRaises(benchfile.BenchFileError) as caught:
                benchfile.load(path)
            self.assertIn(because, str(caught.exception))

    def test_no_json(self):
        self.refused_text(b"", "is no JSON")
        self.refused_text(b'{"schema": 1,', "is no JSON")
        self.refused_text(b'{"schema": NaN}', "is no JSON")
        self.refused_text(b"\xff\xfe", "is no JSON")
        self.refused_text(b"[" * 100000, "is no JSON")

    def test_no_file(self):
        with self.assertRaises(benchfile.BenchFileError) as caught:
            benchfile.load("/nonexistent/bench.json")
        self.assertIn("cannot read /nonexistent/bench.json", str(caught.exception))


class Tables(unittest.TestCase):
    def test_sizes(self):
        self.assertEqual([tables.size_text(size) for size in (0, 100, 4096, 1 << 26, 1 << 30)],
                         ["0", "100", "4K", "64M", "1G"])

    def test_few_samples_have_no_999(self):
        _, rows = tables.figure_table([figure("revoke", {"size": 4096}, 1000, 999),
                                       figure("revoke", {"size": 4096}, 1000, 1000)])
        self.assertEqual(rows[0][-2], "-")
        self.assertEqual(rows[1][-2], "3.0")

    def test_every_figure_is_in_one_section(self):
        data = sample_file()
        data["figures"].append(figure("novelty", {"size": 1}, 5))
        placed = [entry for _, figures in tables.sections(data["figures"]) for entry in figures]
        self.assertEqual(len(placed), len(data["figures"]))
        self.assertEqual(tables.sections(data["figures"])[-1][0], "Other figures")

    def test_ratio_is_patched_over_stock(self):
        data, stock = sample_file(3), sample_file(2)
        stock["figures"].pop(0)
        _, rows = tables.compare_table(data["figures"], stock["figures"])
        self.assertEqual(len(rows), len(data["figures"]) - 1)
        self.assertEqual({row[-2] for row in rows}, {"1.50"})

    def test_counts_side_by_side(self):
        data, stock = sample_file(), sample_file()
        stock["counters"]["revoke"].pop(0)
        stock["counters"]["revoke"][0]["counts"]["umrs"] = 17
        header, rows = tables.compare_counts(data["counters"]["revoke"],
                                             stock["counters"]["revoke"])
        self.assertEqual(header[-3:], ["commands", "umrs", "doorbells"])
        self.assertEqual([row[-3:] for row in rows], [["0", "16 / 17", "32 / 32"]])
        self.assertEqual(tables.compare_counts(data["counters"]["revoke"], []), ([], []))

    def test_merge_keeps_all(self):
        other = sample_file()
        for entry in other["figures"]:
            entry["params"]["interface"] = "group"
        merged = benchfile.merge([sample_file(), other])
        self.assertEqual(len(merged["figures"]), 2 * len(sample_file()["figures"]))
        self.assertEqual(len(merged["counters"]["revoke"]), 4)
        benchfile.check(merged, "merged")


    def test_merge_takes_the_figure_with_more_samples(self):
        few, many = sample_file(), sample_file()
        few["figures"] = [figure("fault", {"size": 4096}, 10, 20)]
        many["figures"] = [figure("fault", {"size": 4096}, 20, 1000)]
        for parts in ([few, many], [many, few]):
            merged = benchfile.merge(parts)
            self.assertEqual([entry["p50"] for entry in merged["figures"]], [20])


class Traffic(unittest.TestCase):
    def test_ratios(self):
        (_, header, rows), = traffic.sections(traffic_figures())
        self.assertEqual(header[-3:], ["host memory", "BAR", "BAR / host"])
        self.assertEqual([[row[0], row[2], row[-1]] for row in rows],
                         [["ib_write_bw", "average [MiB/s]", "0.25"],
                          ["ib_read_lat", "median [us]", "4.00"],
                          ["ib_read_lat", "99% [us]", "4.00"]])

    def test_one_memory_alone_is_no_row(self):
        figures = [entry for entry in traffic_figures() if entry["params"]["memory"] == "BAR"]
        self.assertEqual(traffic.sections(figures), [])


@unittest.skipUnless(shutil.which("jq"), "jq is not installed")
class GuestMerge(unittest.TestCase):
    """merge.jq does in the guest, where Python starts slowly, what benchfile.merge() does here."""

    def merged_by_jq(self, parts):
        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        result = subprocess.run(["jq", "--slurp", "-f", os.path.join(folder, "merge.jq")],
                                input="\n".join(map(json.dumps, parts)), text=True, check=True,
                                stdout=subprocess.PIPE)
        return json.loads(result.stdout)

    def test_same_as_here(self):
        longer = sample_file(2)
        longer["figures"] = longer["figures"][2:4]
        longer["figures"][0]["samples"] = 2000
        longer["figures"][0]["histogram"] = []
        longer["counters"] = {"total": 5, "fault": sample_file()["counters"]["revoke"]}
        longer["environment"]["nic"] = "mlx5_1"
        for parts in ([sample_file()], [sample_file(), longer], [longer, sample_file()]):
            merged = self.merged_by_jq(parts)
            self.assertEqual(merged, benchfile.merge(parts))
            benchfile.check(merged, "merged")


class Run(unittest.TestCase):
    def run_report(self, folder, data, stock=None, more=()):
        path = os.path.join(folder, "bench.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(data, file)
        argv = [path, *more]
        if stock:
            stock_path = os.path.join(folder, "bench-stock.json")
            with open(stock_path, "w", encoding="utf-8") as file:
                json.dump(stock, file)
            argv += ["--compare", stock_path]
        out = io.StringIO()
        report.run(report.parse_arguments(argv), out)
        return out.getvalue()

    def test_page_and_plots(self):
        with tempfile.TemporaryDirectory() as folder:
            text = self.run_report(folder, sample_file(), sample_file(2))
            with open(os.path.join(folder, "index.html"), encoding="utf-8") as file:
                html = file.read()
            for name in ("size.png", "mrs.png", "distribution.png", "work.png"):
                self.assertIn(name, html)
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
            self.assertIn("microseconds do not", text)
            self.assertIn("microseconds do not", html)
            self.assertIn("Patched against stock kernel", text)

    def test_traffic_has_a_table_and_a_plot(self):
        data = sample_file()
        data["schema"] = 2
        data["figures"] += traffic_figures()
        with tempfile.TemporaryDirectory() as folder:
            text = self.run_report(folder, data, sample_file(2))
            self.assertRegex(text, r"ib_write_bw +64K +average \[MiB/s\] +100 +200.0 +50.0 +0.25")
            self.assertIn("not what a BAR costs", text)
            self.assertTrue(os.path.exists(os.path.join(folder, "traffic.png")))

    def test_devices_have_a_table(self):
        data = sample_file()
        data["environment"]["devices"] = [
            {"device": "mlx5_0", "driver": "mlx5_core", "level": None, "odp": True,
             "vfio_memory": "yes"}]
        with tempfile.TemporaryDirectory() as folder:
            text = self.run_report(folder, data)
            self.assertRegex(text, r"mlx5_0 +mlx5_core +not told +yes +yes")
            with open(os.path.join(folder, "index.html"), encoding="utf-8") as file:
                html = file.read()
            self.assertIn("<td class=text>mlx5_core</td>", html)
            self.assertNotIn("vfio_memory", html)

    def test_metal_is_not_called_lab(self):
        data = sample_file()
        data["environment"]["lab"] = False
        with tempfile.TemporaryDirectory() as folder:
            self.assertNotIn("microseconds do not",
                             self.run_report(folder, data, more=["--tables-only"]))

    def test_kernel_is_named(self):
        data = sample_file()
        with tempfile.TemporaryDirectory() as folder:
            self.assertNotIn("with the patches", self.run_report(folder, data))
            data["environment"].update(source="linux-7.4.tar.xz", base="7.3", kernel="7.4.1-lab")
            said = "Kernel: Linux 7.4.1-lab from linux-7.4.tar.xz, with the patches of 7.3."
            self.assertIn(said, self.run_report(folder, data))
            with open(os.path.join(folder, "index.html"), encoding="utf-8") as file:
                self.assertIn(said, file.read())

    def test_text_in_the_page_is_escaped(self):
        data = sample_file()
        data["environment"]["nic"] = "<script>"
        with tempfile.TemporaryDirectory() as folder:
            self.run_report(folder, data)
            with open(os.path.join(folder, "index.html"), encoding="utf-8") as file:
                self.assertNotIn("<script>", file.read())

    def test_no_figures(self):
        data = sample_file()
        data["figures"] = []
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(benchfile.BenchFileError):
                self.run_report(folder, data)

    def test_malformed_ends_with_1(self):
        stderr, sys.stderr = sys.stderr, io.StringIO()
        try:
            self.assertEqual(report.main(["/nonexistent"]), 1)
        finally:
            sys.stderr = stderr


class SideBySide(unittest.TestCase):
    @staticmethod
    def file_of(device, level, admitted, counters):
        data = sample_file()
        data["environment"]["devices"] = [{"device": device, "driver": device, "level": level,
                                           "odp": False, "vfio_memory": admitted}]
        data["counters"] = counters
        return data

    def files(self):
        params = {"trigger": "pci_command", "mrs": 1, "size": 65536, "in_flight": 0}
        mlx5 = self.file_of("mlx5_0", "faulting", "yes", {"revoke": [
            {"params": params, "counts": {"umrs": 1, "mmio.reads": 9}},
            {"params": dict(params, processes=16), "counts": {"umrs": 7}}]})
        efa = self.file_of("efa_0", "unsupported", "refused", {})
        efa["figures"] = []
        return [mlx5, efa]

    def test_one_device_is_no_comparison(self):
        self.assertEqual(nics.sections(self.files()[:1]), [])

    def test_work_and_time(self):
        work, time = nics.sections(self.files())
        rows = {row[0]: row[1:] for row in work[2]}
        self.assertEqual(rows["memory of a VFIO device"], ["yes", "refused"])
        # The transport's counts are nobody's work, and mapped rows are another event.
        self.assertEqual(rows["revoke by pci_command, 1 MR of 64K"], ["1 umrs", "-"])
        times = {row[0]: row[1:] for row in time[2]}
        self.assertEqual(times["revoke by pci_command, 1 MR of 64K"], ["900.0 us", "-"])


if __name__ == "__main__":
    unittest.main()
