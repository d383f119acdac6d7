#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""series and layout.py: what they answer about a base, and what they refuse."""
import os
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import layout  # noqa: E402
import patchfile  # noqa: E402
from madeup import small  # noqa: E402


class SeriesTest(unittest.TestCase):
    def setUp(self):
        self.made = small(self)

    def ask(self, *arguments, status=0):
        return self.made.tool("series", "--base", str(self.made.base), *arguments, status=status)

    def test_order(self):
        self.assertEqual(self.ask("topics"), "fixes\napart\nlevels\n")
        self.assertEqual(self.ask("slugs"), "fix-one\nfix-two\napart-new\nlevel-low\nlevel-middle\nlevel-high\n")
        self.assertEqual(self.ask("patches", "fixes"), "kernel/7.3/fixes/fix-one.patch\nkernel/7.3/fixes/fix-two.patch\n")

    def test_needs_of_needs_in_order(self):
        self.made.topic("states", needs="levels")
        self.assertEqual(self.ask("needs", "states"), "fixes\nlevels\n")
        self.assertEqual(self.ask("needs", "apart"), "")

    def test_file_and_topic(self):
        self.assertEqual(self.ask("file", "level-low"), "kernel/7.3/levels/level-low.patch\n")
        self.assertIn("tree: levels-next\nkind: feature\nneeds: fixes\n", self.ask("show", "levels"))

    def test_a_series_names_another_base(self):
        self.made.write("kernel/7.2/order", "levels\n")
        for name in ("topic", "cover"):
            self.made.write(f"kernel/7.2/levels/{name}", self.made.files()[f"kernel/7.3/levels/{name}"][0])
        self.made.write("kernel/7.2/levels/topic", "tree: t\nkind: feature\n")
        self.made.write("kernel/7.2/levels/series", "../../7.3/levels/level-low.patch # as there\n")
        self.assertEqual(self.made.tool("series", "--base", "kernel/7.2", "file", "level-low"),
                         "kernel/7.3/levels/level-low.patch\n")
        self.made.write("kernel/7.2/levels/series", "../../../src/level-low.patch\n")
        self.made.write("src/level-low.patch", "")
        self.assertIn("neither of this folder nor of another base",
                      self.made.tool("series", "--base", "kernel/7.2", "check", status=2))

    def test_unknown(self):
        self.assertIn('no topic "nosuch"; it has: fixes, apart, levels', self.ask("needs", "nosuch", status=2))
        self.assertIn('no patch "nosuch"', self.ask("file", "nosuch", status=2))
        self.assertIn('there is no base "9.9"', self.made.tool("series", "--base", "9.9", "check", status=2))

    def refuses(self, text):
        problems = self.ask("check", status=2)
        self.assertIn(text, problems)
        self.assertEqual(problems.count("\n"), 1, problems)

    def test_unknown_topic(self):
        self.made.append("kernel/7.3/order", "nosuch\n")
        self.refuses("order names nosuch, which is no folder there")

    def test_topic_without_order(self):
        self.made.write("kernel/7.3/more/topic", "")
        self.refuses("kernel/7.3/more is not in kernel/7.3/order")

    def test_topic_twice(self):
        self.made.append("kernel/7.3/order", "fixes\n")
        self.refuses("order names fixes twice")

    def test_order_contradicts_needs(self):
        self.made.write("kernel/7.3/order", "levels\nfixes\napart\n")
        self.refuses("levels/topic needs fixes, which kernel/7.3/order does not have before it")

    def test_needs_unknown(self):
        self.made.topic("states", needs="nosuch")
        self.refuses("states/topic needs nosuch, which the base does not have")

    def test_slug_twice(self):
        self.made.topic("states")
        self.made.patch("states", "level-low", "two", 30)
        self.refuses("the slug level-low is in levels already")

    def test_missing_file(self):
        (self.made.base / "levels/level-low.patch").unlink()
        self.refuses("levels/series names level-low.patch, which is not there")

    def test_file_in_no_series(self):
        self.made.patch("levels", "level-lost", "two", 30, listed=False)
        self.refuses("levels/level-lost.patch is not in kernel/7.3/levels/series")

    def test_slugs_of_flavours(self):
        for slug in ("assert-lockdep", "for-kasan", "0001-Number"):
            with self.subTest(slug):
                self.made.write("kernel/7.3/apart/series", f"apart-new.patch\n{slug}.patch\n")
                self.made.write(f"kernel/7.3/apart/{slug}.patch", "")
                self.assertIn(f"{slug}.patch is not SLUG.patch", self.ask("check", status=2))

    def test_keys(self):
        for text, problem in (("tree: t\nkind: fix\n", 'kind is one of: fixes, feature; not "fix"'),
                              ("kind: fixes\n", "does not say for which tree"),
                              ("tree: t\ntree: u\nkind: fixes\n", "says tree twice"),
                              ("tree: t\nkind: fixes\nkindly: x\n", '"kindly: x" is none of tree, needs,')):
            with self.subTest(problem):
                self.made.write("kernel/7.3/apart/topic", text)
                self.refuses(problem)

    def test_cover(self):
        self.made.write("kernel/7.3/apart/cover", "[PATCH] apart: It\n\nText.\n")
        self.refuses("apart/cover: the first line is the subject, without [PATCH]")
        self.made.write("kernel/7.3/apart/cover", "apart: It\nText.\n")
        self.refuses("apart/cover: below the subject stand an empty line and the text")

    def test_the_source_of_a_base(self):
        for name, folder in (("7.2", "7.2"), ("kernel/7.2", "7.2"), (None, "current")):
            self.assertEqual(layout.default_source(name).parts[-4:], ("build", "kernel", folder, "src"))

    def test_versions(self):
        self.assertEqual(layout.version_of(self.made.source), ("7.3", "7.3.4"))
        self.made.write("src/Makefile", "VERSION = 7\nPATCHLEVEL = 4\nSUBLEVEL = 0\nEXTRAVERSION = -rc2\n")
        self.assertEqual(layout.version_of(self.made.source), ("7.4", "7.4-rc2"))
        with self.assertRaisesRegex(layout.LayoutError, "holds Linux 7.4-rc2, and the base is 7.3"):
            layout.base_for(self.made.source, str(self.made.base))


class PatchFileTest(unittest.TestCase):
    def setUp(self):
        self.made = small(self)
        self.path = self.made.base / "fixes/fix-one.patch"

    def test_parts(self):
        patch = patchfile.read(self.path)
        self.assertEqual(patch.subject, "fixes: Change fix-one")
        self.assertEqual(patch.notes, "Introduced by: one(), 7.2\nReproducer: none here: made up")
        self.assertEqual(patch.stat.splitlines()[-1], " 1 file changed, 1 insertion(+), 1 deletion(-)")
        self.assertEqual(patch.files(), ["drivers/one.c"])
        self.assertEqual(patch.trailers("signed-off-by"), ["Made Up <made@example.com>"])

    def test_the_same_text_again(self):
        for path in pathlib.Path(self.made.base).glob("*/*.patch"):
            self.assertEqual(patchfile.read(path).text(), path.read_text(encoding="utf-8"))

    def test_other_letters(self):
        patch = patchfile.read(self.path)
        patch.author, patch.subject, patch.body = "Jürgen", "fixes: Süß", "Größe\n\nSigned-off-by: Jürgen <j@example.com>"
        again = patchfile.parse(patch.text(), "again")
        self.assertEqual(again, patch)
        self.assertTrue(patch.text().split("\n\n")[0].isascii())

    def test_a_message_keeps_its_notes(self):
        patch = patchfile.read(self.path)
        self.assertEqual(patchfile.split_message(patch.message()), (patch.subject, patch.body, patch.notes))

    def test_without_a_diff(self):
        with self.assertRaisesRegex(patchfile.PatchError, "there is no diff in it"):
            patchfile.parse("From: a <a@b>\nDate: d\nSubject: s\n\nbody\n---\n", "x.patch")


if __name__ == "__main__":
    unittest.main()
