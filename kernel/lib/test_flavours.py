#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""How lab/steps and tests/ read the names of kernels that lack a patch, or have one defect more."""
import os
import pathlib
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from madeup import small  # noqa: E402

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent


def bash(script, folder, *arguments):
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script, "bash", *arguments], cwd=folder, text=True, check=True,
                          capture_output=True).stdout


class StepsTest(unittest.TestCase):
    def setUp(self):
        self.made = small(self)

    def steps(self, script):
        return bash(f"project={PROJECT} build=build base=7.3\n. $project/lab/steps/engine.bash\n"
                    f". $project/lab/steps/steps.bash\n{script}", self.made.folder)

    def test_the_patches_in_order(self):
        self.assertEqual(self.steps("base_patches"), self.made.tool("series", "--base", "kernel/7.3", "patches"))
        self.made.write("kernel/7.3/fixes/series", "# none\n\n  fix-one.patch # first\n../../7.2/fixes/other.patch\n")
        self.assertEqual(self.steps("base_patches").splitlines()[:3],
                         ["kernel/7.3/fixes/fix-one.patch", "kernel/7.2/fixes/other.patch",
                          "kernel/7.3/apart/apart-new.patch"])

    def test_changes(self):
        self.made.write("kernel/7.3/broken/without/fix-two.patch", "")
        for flavour, changes in (
                ("patched", []), ("lockdep", []),
                ("mutant-vfio-no-zap", ["kernel/7.3/broken/mutant/vfio-no-zap.patch"]),
                ("without-fix-one", ["--reverse", "kernel/7.3/fixes/fix-one.patch"]),
                ("without-fix-one-lockdep", ["--reverse", "kernel/7.3/fixes/fix-one.patch"]),
                ("without-fix-one-kasan", ["--reverse", "kernel/7.3/fixes/fix-one.patch"]),
                ("without-fix-two", ["kernel/7.3/broken/without/fix-two.patch"]),
                ("without-fix-two-kasan", ["kernel/7.3/broken/without/fix-two.patch"]),
                ("without-one", ["--reverse", "kernel/7.3/*/one.patch"])):
            with self.subTest(flavour):
                self.assertEqual(self.steps(f"changes_of {flavour}").split(), changes)

    def test_kernels(self):
        for flavour, kernel in (("without-fix-one", "patched"), ("without-fix-one-lockdep", "lockdep"),
                                ("without-fix-one-kasan", "kasan"), ("mutant-mr-no-event", "patched")):
            with self.subTest(flavour):
                self.assertEqual(self.steps(f"base_kernel {flavour}"), f"{kernel}\n")

    def test_a_link_is_hashed_by_its_content(self):
        self.made.write("mutant.patch", "one")
        (self.made.folder / "link.patch").symlink_to("mutant.patch")
        before = self.steps("hash @link.patch")
        self.made.write("mutant.patch", "two")
        self.assertNotEqual(self.steps("hash @link.patch"), before)


class GuestTest(unittest.TestCase):
    def test_kernels_that_check_themselves(self):
        for flavour, expected in (("lockdep", True), ("kasan", True), ("without-fix-one-kasan", True), ("mutant-one-lockdep", True),
                                  ("stock", False), ("patched", False), ("without-fix-one", False),
                                  ("without-nokasan", False), ("without-kasan-fix", False)):
            with self.subTest(flavour):
                said = bash(f". {PROJECT}/lab/guest/flavour.bash\nif checks_itself {flavour}; then echo yes; fi", PROJECT)
                self.assertEqual(said, "yes\n" if expected else "")


class RunnerTest(unittest.TestCase):
    def listed(self, *names):
        done = subprocess.run([PROJECT / "tests/run", "--list", *names], text=True, capture_output=True, check=False)
        return [line.split("\t") for line in done.stdout.splitlines()] if done.returncode == 0 else done.stderr

    def test_kernel_and_time(self):
        plain, less, lockdep = self.listed("revoke-request", "revoke-request@without-fix-one",
                                           "revoke-request@without-fix-one-lockdep")
        self.assertEqual(less[1:3] + less[4:], plain[1:3] + plain[4:])
        self.assertEqual(less[3], "without-fix-one")
        self.assertEqual(lockdep[3], "without-fix-one-lockdep")
        self.assertEqual(int(lockdep[4]), 5 * int(plain[4]))

    def test_a_slug_is_not_a_kernel(self):
        plain, less = self.listed("revoke-request", "revoke-request@without-nokasan")
        self.assertEqual(less[4], plain[4])

    def test_unknown(self):
        for name in ("revoke-request@without-", "revoke-request@without-Fix", "revoke-request@nosuch"):
            with self.subTest(name):
                self.assertIn(f'there is no test "{name}"', self.listed(name))


if __name__ == "__main__":
    unittest.main()
