#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""apply: what it makes of a tree, and what it leaves alone."""
import os
import shutil
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from madeup import small  # noqa: E402


class ApplyTest(unittest.TestCase):
    def setUp(self):
        self.made = small(self)

    def apply(self, status=0):
        return self.made.tool("apply", "kernel/7.3", "src", "patched", status=status)

    def content(self, name):
        return (self.made.folder / name).read_text(encoding="utf-8")

    def inode(self, name):
        return (self.made.folder / name).stat().st_ino

    def test_all_topics_in_order(self):
        said = self.apply()
        self.assertIn("Applying fixes/fix-one.patch\nApplying fixes/fix-two.patch\nApplying apart/apart-new.patch\n", said)
        self.assertIn("6 patches applied, 3 files changed", said)
        for name in ("one", "two", "three"):
            self.assertEqual(self.content(f"patched/drivers/{name}.c"), self.content(f"tree/drivers/{name}.c"))
        self.assertNotIn("fix-one", self.content("src/drivers/one.c"))

    def test_untouched_files_are_shared(self):
        self.apply()
        self.assertEqual(self.inode("src/Makefile"), self.inode("patched/Makefile"))
        self.assertNotEqual(self.inode("src/drivers/one.c"), self.inode("patched/drivers/one.c"))

    @unittest.skipUnless(shutil.which("rsync"), "rsync is not installed")
    def test_what_does_not_change_keeps_its_time(self):
        self.apply()
        before = self.made.files("patched")
        self.assertIn("6 patches applied, 0 files changed", self.apply())
        self.assertEqual(self.made.files("patched"), before)
        self.made.write("kernel/7.3/fixes/series", "fix-one.patch\n")
        (self.made.base / "fixes/fix-two.patch").unlink()
        self.assertIn("5 patches applied, 1 files changed", self.apply())
        after = self.made.files("patched")
        self.assertEqual([name for name in after if after[name] != before[name]], ["patched/drivers/two.c"])
        self.assertEqual(self.content("patched/drivers/two.c"), self.content("src/drivers/two.c"))

    def test_a_base_that_does_not_fit_together_changes_nothing(self):
        self.apply()
        before = self.made.files("patched")
        self.made.append("kernel/7.3/order", "nosuch\n")
        self.assertIn("order names nosuch, which is no folder there", self.apply(status=2))
        self.assertEqual(self.made.files("patched"), before)

    def test_the_patch_that_does_not_apply_is_named(self):
        path = self.made.base / "levels/level-middle.patch"
        path.write_text(path.read_text(encoding="utf-8").replace("-one 20\n", "-another 20\n"), encoding="utf-8")
        self.assertIn("levels/level-middle.patch does not apply to 7.3.", self.apply(status=1))


if __name__ == "__main__":
    unittest.main()
