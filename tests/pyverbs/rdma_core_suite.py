#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""rdma-core's own tests on one RDMA device, as TAP: no failure, and every skip with its reason.

usage: rdma_core_suite.py [--may-skip=REGEX] [--must-fail=REGEX] [MODULE...]

MODULE is one of rdma-core's test modules (default: those below). With --may-skip, a test whose name does not match
fails if it skips, in the lab and on a kernel with the series: there nothing else is missing. With --must-fail, a test
whose name matches asks for what the device's driver refuses: it counts as skipped if it fails, and fails if it passes.

Environment: RDMA_CORE (an installed rdma-core, with tests/ in share/doc/rdma-core), or RDMA_CORE_TESTS (the folder
that holds tests/); IB_DEV (default: the first device); VFIO_DMABUF (memory to lend, BDF[,bar=N][,offset=X]; default:
BAR 2 of EXPORTER).
"""
import argparse
import os
import re
import sys
import types
import unittest

MODULES = ("test_device test_pd test_mr test_cq test_cqex test_qp test_qpex test_srq test_odp "
           "test_addr").split()


def skip_all(reason):
    """On metal something may be missing; the lab lacks nothing."""
    if os.environ.get("LAB_KERNEL"):
        print(f"Bail out! {reason}")
        sys.exit(1)
    print(f"1..0 # SKIP {reason}")
    sys.exit(4)


def reserve_huge_pages():
    """In the lab only: a machine's own setting is not ours to change."""
    if os.environ.get("LAB_KERNEL"):
        with open("/proc/sys/vm/nr_hugepages", "w", encoding="ascii") as pages:
            pages.write("32")


def tests_folder():
    folders = [os.environ.get("RDMA_CORE_TESTS")]
    if os.environ.get("RDMA_CORE"):
        folders.append(os.path.join(os.environ["RDMA_CORE"], "share/doc/rdma-core"))
    for folder in filter(None, folders):
        if os.path.exists(os.path.join(folder, "tests", "base.py")):
            return folder
    return skip_all("rdma-core's tests are not there: say RDMA_CORE=PREFIX of an installed one")


class TapResult(unittest.TestResult):
    """Prints each test's line when it ends; a subtest that fails fails its test."""

    def __init__(self, may_skip, must_fail):
        super().__init__()
        self.may_skip = may_skip
        self.must_fail = re.compile(must_fail) if must_fail else None
        self.count = 0
        self.details = []

    def startTest(self, test):
        super().startTest(test)
        self.details = []
        self.outcome = "ok"
        self.reason = None

    def refused_by_driver(self, test):
        return self.must_fail is not None and self.must_fail.search(test.id()) is not None

    def refusal(self, test, err):
        self.skipped.append((test, str(err[1])))
        self.reason = f"the driver refuses it, as it must: {err[1]}"

    def fail(self, test, err):
        self.outcome = "not ok"
        self.details.append(self._exc_info_to_string(err, test))

    def addSuccess(self, test):
        super().addSuccess(test)
        if self.refused_by_driver(test):
            self.addUnexpectedSuccess(test)

    def addError(self, test, err):
        if self.refused_by_driver(test):
            self.refusal(test, err)
            return
        super().addError(test, err)
        if not self.testsRun or isinstance(test, unittest.suite._ErrorHolder):
            self.startTest(test)
            self.fail(test, err)
            self.stopTest(test)
        else:
            self.fail(test, err)

    def addFailure(self, test, err):
        if self.refused_by_driver(test):
            self.refusal(test, err)
            return
        super().addFailure(test, err)
        self.fail(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.fail(test, err)

    def addSkip(self, test, reason):
        if re.search(self.may_skip, test.id()):
            super().addSkip(test, reason)
            self.reason = reason
        else:
            self.addFailure(test, (AssertionError, AssertionError(f"must not skip: {reason}"), None))

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.outcome = "not ok"
        self.details.append("a success that was not expected")

    def stopTest(self, test):
        super().stopTest(test)
        self.count += 1
        name = test.id() if hasattr(test, "id") else str(test)
        line = f"{self.outcome} {self.count} - {name.removeprefix('tests.')}"
        if self.reason is not None and self.outcome == "ok":
            reason = " ".join(str(self.reason).split())
            line += f" # SKIP {reason}"
        print(line)
        for text in "".join(self.details).splitlines():
            print(f"# {text}")


def arguments_of_the_suite(device):
    arguments = ["--dev", device]
    lent = os.environ.get("VFIO_DMABUF")
    if not lent and os.environ.get("EXPORTER"):
        lent = os.environ["EXPORTER"] + ",bar=2"
    if lent:
        arguments += ["--vfio-dmabuf", lent]
    return arguments


def main():
    options = argparse.ArgumentParser(usage=__doc__)
    options.add_argument("--may-skip", default="")
    options.add_argument("--must-fail", default="")
    options.add_argument("modules", nargs="*", default=MODULES)
    options = options.parse_args()
    folder = os.path.join(tests_folder(), "tests")
    if os.environ.get("RDMA_CORE"):
        os.environ["PATH"] = os.path.join(os.environ["RDMA_CORE"], "bin") + os.pathsep + os.environ["PATH"]
    try:
        import pyverbs.device as device
    except ImportError as error:
        skip_all(f"pyverbs is not there: {error}")
    name = os.environ.get("IB_DEV")
    if not name:
        names = [d.name.decode() for d in device.get_device_list()]
        if not names:
            skip_all("there is no RDMA device")
        name = names[0]

    # The package's own __init__ would load every module there is.
    package = types.ModuleType("tests")
    package.__path__ = [folder]
    sys.modules["tests"] = package
    sys.path.append(folder)
    from args_parser import parser
    reserve_huge_pages()
    sys.argv[1:] = arguments_of_the_suite(name)
    parser.parse_args()
    suite = unittest.defaultTestLoader.loadTestsFromNames([f"tests.{m}" for m in options.modules])
    print(f"1..{suite.countTestCases()}")
    lab = os.environ.get("LAB_KERNEL", "stock") != "stock"
    result = TapResult(options.may_skip if lab else "", options.must_fail)
    suite.run(result)
    print(f"# {result.count} run, {len(result.failures)} failures, {len(result.errors)} errors, "
          f"{len(result.skipped)} skipped")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
