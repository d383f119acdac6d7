#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""JUnit files of a test run.

junit.py missing FILE NAME...    prints the names that have no test suite in FILE
junit.py died FILE NAME LOG      writes FILE: NAME failed, with the end of LOG for a reason
junit.py merge FOLDER FILE NAME LIST
                                 makes FILE of all files in FOLDER, and calls it NAME; prints the slowest tests,
                                 failures, skips, how many tests made fewer rounds than are wanted (LIST has them, a
                                 case a line), and the sum; the exit status is 1 if there is a failure, or no test
"""
import os
import re
import sys
import xml.etree.ElementTree as ET

LOG_LINES = 60
SLOWEST = 10


def suites_of(path):
    if not os.path.exists(path):
        return []
    root = ET.parse(path).getroot()
    return [root] if root.tag == "testsuite" else root.findall("testsuite")


def printable(text):
    return "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)


def write(path, suites, **attributes):
    root = ET.Element("testsuites", attributes)
    for suite in suites:
        cases = suite.findall("testcase")
        suite.set("tests", str(len(cases)))
        for name in ("failure", "error", "skipped"):
            attribute = {"failure": "failures", "error": "errors"}.get(name, name)
            suite.set(attribute, str(sum(case.find(name) is not None for case in cases)))
        root.append(suite)
    ET.indent(root)
    ET.ElementTree(root).write(path + ".new", encoding="UTF-8", xml_declaration=True)
    os.replace(path + ".new", path)


def missing(path, *names):
    there = {suite.get("name") for suite in suites_of(path)}
    print(" ".join(name for name in names if name not in there))


def died(path, name, log):
    with open(log, encoding="utf-8", errors="replace") as file:
        tail = "".join(file.readlines()[-LOG_LINES:])
    suite = ET.Element("testsuite", name=name)
    case = ET.SubElement(suite, "testcase", name=name, classname=name)
    failure = ET.SubElement(case, "failure", message=f"the guest failed; see {log}")
    failure.text = printable(tail)
    write(path, [suite])


def reason(element):
    return element.get("message") or " ".join((element.text or "").split()) or "no reason given"


def seconds_of(suite):
    return float(suite.get("time", 0))


def print_slowest(suites):
    for suite in sorted(suites, key=seconds_of, reverse=True)[:SLOWEST]:
        print(f"SLOWEST  {seconds_of(suite):7.1f} s  {suite.get('name')}")


def write_short_rounds(suites, path):
    """Into path, a line each: the cases that made fewer rounds than are wanted. Returns the names of their tests."""
    names = set()
    with open(path, "w", encoding="utf-8") as file:
        for suite in suites:
            for case in suite.findall("testcase"):
                said = case.findtext("system-out", "")
                rounds = re.match(r"rounds: (\d+) of (\d+)", said)
                if rounds and int(rounds[1]) < int(rounds[2]):
                    names.add(suite.get("name"))
                    file.write(f"{suite.get('name')}: {case.get('name')}: {said.removeprefix('rounds: ')}\n")
    return names


def merge(folder, path, name, short_list):
    suites = [suite for file in sorted(os.listdir(folder)) if file.endswith(".xml")
              for suite in suites_of(os.path.join(folder, file))]
    write(path, suites, name=name)
    print_slowest(suites)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for suite in suites:
        for case in suite.findall("testcase"):
            name = f"{suite.get('name')}: {case.get('name')}"
            skipped = case.find("skipped")
            bad = case.find("failure")
            if bad is None:
                bad = case.find("error")
            if bad is not None:
                counts["failed"] += 1
                print(f"FAILED   {name}: {reason(bad)}")
                text = (bad.text or "").strip()
                for line in text.splitlines()[-30:]:
                    print(f"         {line}")
            elif skipped is not None:
                counts["skipped"] += 1
                print(f"SKIPPED  {name}: {reason(skipped)}")
            else:
                counts["passed"] += 1
    short = write_short_rounds(suites, short_list)
    if short:
        tests = "1 test" if len(short) == 1 else f"{len(short)} tests"
        print(f"rounds: {tests} made fewer rounds than wanted, see {short_list}; ./run test --full makes all")
    print(", ".join(f"{count} {word}" for word, count in counts.items()))
    return 1 if counts["failed"] or not sum(counts.values()) else 0


if __name__ == "__main__":
    commands = {"missing": missing, "died": died, "merge": merge}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]](*sys.argv[2:]))
