#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""check: which step fails for which defect of a base."""
import os
import re
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from madeup import BODY, small  # noqa: E402

BUILDS = ("--configuration", "all", "--no-analysis")


class CheckTest(unittest.TestCase):
    def setUp(self):
        self.made = small(self)

    def check(self, *arguments):
        """{name of a step: whether it passed}; what it said is kept."""
        status = 0
        arguments = ("--base", "kernel/7.3", "--source", "src", "--work", "work", *(arguments or ("--quick",)))
        try:
            self.said = self.made.tool("check", *arguments)
        except AssertionError as error:
            self.said, status = str(error), 1
        steps = {name.strip(): verdict == "ok" for name, verdict in
                 re.findall(r"^(\S.{65}\S*) (ok|FAILED) +[\d.]+ s$", self.said, re.MULTILINE)}
        self.assertTrue(steps, self.said)
        self.assertEqual(status, 0 if all(steps.values()) else 1, self.said)
        return steps

    def fails(self, *steps, arguments=("--quick",), says=""):
        found = self.check(*arguments)
        self.assertEqual([name for name, passed in found.items() if not passed], list(steps), self.said)
        self.assertIn(says, self.said)

    def test_a_good_base(self):
        steps = self.check(*BUILDS)
        self.assertEqual([name for name, passed in steps.items() if not passed], [], self.said)
        for name in ("layout", "levels/level-low", "shown-by lists the patches", "without fix-one", "levels: cover",
                     "apart alone", "levels alone on fixes", "levels/level-low: words", "levels/level-low: checkpatch",
                     "levels/level-low: kernel-doc", "levels/level-low: listed", "all: build level-low",
                     "all: build levels alone"):
            self.assertIn(name, steps)
        self.assertNotIn("fixes alone", steps)
        self.assertNotIn("without level-low", steps)

    def test_a_topic_is_checked_on_its_needs(self):
        steps = self.check("--topic", "levels", *BUILDS)
        self.assertNotIn("apart/apart-new", steps)
        self.assertNotIn("fixes/fix-one: words", steps)
        self.assertIn("levels/level-low: words", steps)
        self.assertNotIn("all: build fix-one", steps)
        self.assertIn("all: build before level-low", steps)

    def test_a_patch_is_checked_on_those_before_it(self):
        steps = self.check("--patch", "level-middle", *BUILDS)
        self.assertEqual([name for name in steps if name.endswith(": words")], ["levels/level-middle: words"])
        self.assertIn("apart/apart-new", steps)
        self.assertNotIn("levels/level-high", steps)

    def test_layout(self):
        self.made.append("kernel/7.3/order", "nosuch\n")
        self.fails("layout", says="order names nosuch, which is no folder there")

    def test_a_patch_that_does_not_apply(self):
        path = self.made.base / "levels/level-middle.patch"
        path.write_text(path.read_text(encoding="utf-8").replace("-one 20\n", "-another 20\n"), encoding="utf-8")
        self.fails("levels/level-middle", says="patch failed: drivers/one.c:17")

    def test_needs_that_are_not_said(self):
        """fix-one and level-near change lines that are next to each other."""
        self.made.patch("levels", "level-near", "one", 4)
        rows = self.made.files()["kernel/7.3/broken/shown-by"][0].replace("\tsmoke\t", "\t-\t")
        self.made.write("kernel/7.3/broken/shown-by", rows + "level-near\tlevels: Change level-near\t-\tmade up\n")
        self.assertNotIn(False, self.check().values())
        self.made.write("kernel/7.3/levels/topic", "tree: t\nkind: feature\n")
        self.fails("levels alone", says="patch failed: drivers/one.c")

    def test_a_step_that_does_not_build(self):
        self.made.patch("levels", "level-broken", "two", 30, add="BROKEN")
        self.made.append("kernel/7.3/broken/shown-by", "level-broken\tlevels: Change level-broken\t-\tmade up\n")
        self.fails("all: build level-broken", "all: build levels alone", arguments=BUILDS, says="BROKEN")

    def test_complaints(self):
        self.made.patch("levels", "level-bad", "two", 30, add="UGLY UNDOCUMENTED",
                        subject="levels: change it for whoever wants it", body=BODY.replace("Change it.", "See who."))
        self.made.append("kernel/7.3/broken/shown-by",
                         "level-bad\tlevels: change it for whoever wants it\t-\tmade up\n")
        self.fails("levels/level-bad: words", "levels/level-bad: checkpatch", "levels/level-bad: kernel-doc",
                   "levels alone: kernel-doc", says="drivers/two.c:warning: not described")

    def test_an_object_that_is_not_listed(self):
        self.made.write("kernel/7.3/check/objects", "drivers/one.o ONE\ndrivers/two.o TWO\n")
        self.fails("apart/apart-new: listed", says="Add to kernel/7.3/check/objects: drivers/three.o")

    def test_a_fix_without_provenance(self):
        path = self.made.base / "fixes/fix-two.patch"
        path.write_text(path.read_text(encoding="utf-8").replace("Reproducer: none here: made up\n", ""), encoding="utf-8")
        self.fails("fixes/fix-two: words", says="Reproducer: ./run test NAME@without-fix-two")

    def test_shown_by(self):
        rows = self.made.files()["kernel/7.3/broken/shown-by"][0].splitlines(keepends=True)
        for changed, says in ((rows[:-1], 'level-high has no row "level-high<TAB>levels: Change level-high"'),
                              (rows + ["gone\tlevels: Gone\t-\tx\n"], 'the row gone "levels: Gone" is of no patch'),
                              ([rows[0], rows[2], rows[1], *rows[3:]], "the row fix-two stands where fix-one belongs"),
                              (rows[:-1] + [rows[-1].replace("\tmade up", "")], "is not SLUG, TITLE, TESTS and NOTE")):
            with self.subTest(says):
                self.made.write("kernel/7.3/broken/shown-by", "".join(changed))
                self.fails("shown-by lists the patches", says=says)

    def test_what_is_broken_on_purpose(self):
        good = (self.made.base / "fixes/fix-one.patch").read_text(encoding="utf-8")
        self.made.write("kernel/7.3/broken/mutant/again.patch", good)
        self.made.write("kernel/7.3/broken/without/level-high.patch", good)
        self.made.write("kernel/7.3/broken/without/gone.patch", good)
        self.fails("mutant again", "broken/without is of patches", "without level-high",
                   says="level-high.patch undoes another patch: fixes: Change fix-one")

    def test_bad_input(self):
        for arguments, says in ((("--topic", "nosuch"), 'has no topic "nosuch"'), (("--patch", "nosuch"), 'no patch "nosuch"'),
                                (("--topic", "levels", "--patch", "apart-new"), "apart-new is neither of levels nor of")):
            self.assertIn(says, self.made.tool("check", "--base", "kernel/7.3", "--source", "src", "--work", "work",
                                               *arguments, status=2))
        self.assertFalse((self.made.folder / "work").exists())


if __name__ == "__main__":
    unittest.main()
