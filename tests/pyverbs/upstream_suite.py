#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""rdma-core's whole own suite, run as upstream runs it, against the results that it has without the patches.

usage: upstream_suite.py NIC         every test has the result recorded in upstream/NIC, as TAP
       upstream_suite.py --record    prints the results in the form of those files

The record is of the unpatched rdma-core on one of the lab's devices; a test must end as it does there, skips with the
same reason and errors with the same kind. Two things may differ: tests that the patches bring, which must not fail, and
the tests of dma-bufs, which skip without the patches because there is no GPU.

Environment: RDMA_CORE (an installed rdma-core, with tests/ in share/doc/rdma-core). UNPATCHED: another one, to be
mounted over it for this run.
"""
import argparse
import gc
import json
import os
import random
import re
import runpy
import subprocess
import sys
import tempfile
import unittest

# Skipped without the patches, for want of a GPU; run with them.
GAINED = re.compile(r"test_mr\.DmaBuf(MRTest|TestCase)\.|test_mlx5_dmabuf\.")
NO_GPU = "/dev/dri/renderD128 is not present"
LINES_OF_THE_END = 40


class Recorder(unittest.TextTestResult):
    """Says on a descriptor what is being run and how it ended, so that a crash is told from an end."""

    results = None

    def say(self, **message):
        os.write(self.results, (json.dumps(message) + "\n").encode())

    def startTest(self, test):
        super().startTest(test)
        # Some tests choose what to do by chance: the same each time.
        random.seed(test.id())
        self.outcomes = []
        self.say(begins=test.id())

    def stopTest(self, test):
        super().stopTest(test)
        self.end(test)

    def end(self, test):
        order = ("error", "fail", "skip", "ok")
        outcome, reason, details = min(self.outcomes, key=lambda entry: order.index(entry[0]))
        self.outcomes = None
        self.say(ends=test.id(), outcome=outcome, reason=reason, details=details)

    def add(self, test, outcome, reason="", details=""):
        # What a class's setup raises belongs to no test.
        outside = getattr(self, "outcomes", None) is None
        if outside:
            self.outcomes = []
        self.outcomes.append((outcome, " ".join(str(reason).split()), details))
        if outside:
            self.end(test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.add(test, "ok")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.add(test, "skip", reason)

    def addError(self, test, err):
        super().addError(test, err)
        self.add(test, "error", err[0].__name__, self._exc_info_to_string(err, test))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.add(test, "fail", err[0].__name__, self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            kind = "fail" if issubclass(err[0], test.failureException) else "error"
            self.add(test, kind, err[0].__name__, self._exc_info_to_string(err, test))

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.add(test, "ok", "expected failure")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.add(test, "fail", "unexpected success")


def run_upstream(descriptor):
    """In a process of its own: run_tests.py as it is, with somebody who listens.

    What a failed test leaves behind is held by cycles through its exception, and pyverbs crashes if the collector
    closes a context before what was made in it. When the collector runs hangs on all that was allocated before, so it
    is left out, and the process ends without it.
    """
    folder = os.path.join(os.environ["RDMA_CORE"], "share/doc/rdma-core/tests")
    Recorder.results = descriptor
    unittest.TextTestRunner.resultclass = Recorder
    sys.path.insert(0, folder)
    sys.argv = [os.path.join(folder, "run_tests.py")]
    gc.disable()
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code))


def reserve_huge_pages():
    """In the lab only: a machine's own setting is not ours to change."""
    if os.environ.get("LAB_KERNEL"):
        with open("/proc/sys/vm/nr_hugepages", "w", encoding="ascii") as pages:
            pages.write("32")


def messages_of_a_run(log):
    """Yields what the suite says; the last message is how its process ended."""
    mount = ["env", "PYTHONHASHSEED=0"]
    if os.environ.get("UNPATCHED"):
        mount += ["unshare", "--mount", "sh", "-ec", 'mount --bind "$UNPATCHED" "$RDMA_CORE" && exec "$@"', "sh"]
    reading, writing = os.pipe()
    command = mount + [sys.executable, os.path.abspath(__file__), "--child", str(writing)]
    with subprocess.Popen(command, pass_fds=[writing], stdout=log, stderr=log) as child:
        os.close(writing)
        with open(reading, encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
        yield {"status": child.wait()}


def name_of(identity):
    return identity.removeprefix("tests.")


def line_of(message):
    line = f"{message['outcome']} {name_of(message['ends'])}"
    return f"{line}: {message['reason']}" if message["reason"] else line


def record():
    """Status 0 if the suite came to its end, whatever its tests did."""
    began, count = None, 0
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        for message in messages_of_a_run(log):
            if "ends" in message:
                print(line_of(message), flush=True)
                began, count = None, count + 1
            began = message.get("begins", began)
        # unittest's own statuses: all well, a test failed, no test run
        if message["status"] in (0, 1) and began is None and count:
            return 0
        print_end(log, sys.stderr)
        print(f"upstream_suite.py: the suite ended with status {message['status']} in {began}", file=sys.stderr)
        return 1


def print_end(log, out):
    log.seek(0)
    for line in log.read().splitlines()[-LINES_OF_THE_END:]:
        print(f"# {line}", file=out)


def read_record(nic):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "upstream", nic)
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if not line.startswith("#")]
    return {line.split(" ", 1)[1].split(":", 1)[0]: line for line in lines}


def compare(name, was, message):
    """None if the result is the one that was recorded, or what is wrong with it."""
    now = line_of(message)
    if was is None:
        return None if message["outcome"] in ("ok", "skip") else f"is new and must not fail: {now}"
    if now == was:
        return None
    if was.startswith("skip ") and was.endswith(NO_GPU) and GAINED.match(name) and message["outcome"] in ("ok", "skip"):
        return None
    return f"unpatched: {was}; now: {now}"


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def line(self, name, wrong, details="", skip=""):
        self.count += 1
        self.failed += wrong is not None
        print(f"{'ok' if wrong is None else 'not ok'} {self.count} - {name}" + (f" # SKIP {skip}" if skip else ""))
        for text in ([wrong] if wrong else []) + (details.splitlines() if wrong else []):
            print(f"# {text}")


def check(nic):
    before, tap, began = read_record(nic), Tap(), None
    missing, tally = set(before), {}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        for message in messages_of_a_run(log):
            if "ends" in message:
                began, name = None, name_of(message["ends"])
                missing.discard(name)
                kind = "new" if name not in before else f"{before[name].split(' ')[0]} -> {message['outcome']}"
                tally[kind] = tally.get(kind, 0) + 1
                tap.line(name, compare(name, before.get(name), message), message["details"],
                         message["reason"] if message["outcome"] == "skip" else "")
            began = message.get("begins", began)
        ended_well = message["status"] in (0, 1) and began is None
        tap.line("the suite comes to its end",
                 None if ended_well else f"it ended with status {message['status']} in {began}")
        for name in sorted(missing):
            tap.line(name, f"was not run; unpatched: {before[name]}")
        if tap.failed:
            print_end(log, sys.stdout)
    print(f"1..{tap.count}")
    print("# " + ", ".join(f"{kind}: {number}" for kind, number in sorted(tally.items())))
    return 1 if tap.failed else 0


def main():
    options = argparse.ArgumentParser(usage=__doc__)
    options.add_argument("--record", action="store_true")
    options.add_argument("--child", type=int)
    options.add_argument("nic", nargs="?")
    options = options.parse_args()
    if options.child is not None:
        run_upstream(options.child)
    if not os.environ.get("LAB_KERNEL") and not options.record:
        print("1..0 # SKIP the record is of the lab's devices: --record makes one of another")
        return 4
    if not os.path.exists(os.path.join(os.environ.get("RDMA_CORE", ""), "share/doc/rdma-core/tests/run_tests.py")):
        print("Bail out! rdma-core's tests are not there: say RDMA_CORE=PREFIX of an installed one")
        return 1
    reserve_huge_pages()
    return record() if options.record else check(options.nic)


if __name__ == "__main__":
    sys.exit(main())
