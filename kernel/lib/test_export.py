#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""export: the mails of a topic, and what git am makes of them."""
import email
import email.header
import os
import shutil
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from madeup import git, small  # noqa: E402


class ExportTest(unittest.TestCase):
    def setUp(self):
        self.made = small(self)
        self.mails = self.made.folder / "mails"

    def export(self, topic, *arguments, status=0, folder="mails"):
        return self.made.tool("export", topic, folder, "--base", "kernel/7.3", "--source", "src", *arguments, status=status)

    def mail(self, name):
        return email.message_from_string((self.mails / name).read_text(encoding="utf-8").partition("\n")[2])

    def addresses(self, mail, key):
        return [str(email.header.make_header(email.header.decode_header(one.strip())))
                for one in mail[key].split(",\n")] if mail[key] else []

    def test_names_and_subjects(self):
        self.export("levels")
        self.assertEqual(sorted(path.name for path in self.mails.iterdir()),
                         ["0000-cover-letter.patch", "0001-level-low.patch", "0002-level-middle.patch",
                          "0003-level-high.patch"])
        self.assertEqual(self.mail("0000-cover-letter.patch")["Subject"], "[PATCH 0/3] levels: Make it better")
        self.assertEqual(self.mail("0002-level-middle.patch")["Subject"], "[PATCH 2/3] levels: Change level-middle")

    def test_the_cover(self):
        self.export("levels")
        text = self.mail("0000-cover-letter.patch").get_payload()
        self.assertIn("It was worse.\n\nNow it is not.\n\nBase: Linux 7.3.4 with these series applied, in this order:\n"
                      "  1. fixes: Make it better (2 patches)\n\nMade Up (3):\n  levels: Change level-low\n", text)
        self.assertIn(" drivers/one.c | 6 +++---\n 1 file changed, 3 insertions(+), 3 deletions(-)\n", text)

    def test_the_base_of_a_topic_that_needs_nothing(self):
        self.export("apart")
        text = self.mail("0000-cover-letter.patch").get_payload()
        self.assertIn("\n\nBase: Linux 7.3.4\n\n", text)
        self.assertIn(" create mode 100644 drivers/three.c\n", text)

    def test_git_am_takes_it_on_what_it_needs(self):
        self.made.patch("levels", "level-near", "one", 4)  # next to what fix-one changes
        tree = self.made.folder / "clean"
        shutil.copytree(self.made.source, tree)
        git(tree, "init", "-q")
        git(tree, "add", "-A")
        git(tree, "commit", "-q", "-m", "clean")
        for topic in ("fixes", "levels"):
            self.export(topic, folder=topic)
            git(tree, "am", "--empty=drop", *sorted(str(path) for path in (self.made.folder / topic).iterdir()))
        self.assertEqual(git(tree, "log", "--format=%s", "--reverse").splitlines(),
                         ["clean", "fixes: Change fix-one", "fixes: Change fix-two", "levels: Change level-low",
                          "levels: Change level-middle", "levels: Change level-high", "levels: Change level-near"])
        self.assertNotIn("Reproducer", git(tree, "log", "--format=%B"))
        self.assertEqual((tree / "drivers/one.c").read_text(encoding="utf-8"),
                         (self.made.tree / "drivers/one.c").read_text(encoding="utf-8"))

    def test_addresses_are_each_patch_s_own(self):
        self.made.write("kernel/7.3/fixes/topic", "tree: t\nkind: fixes\nto: Tree <tree@example.com>\n")
        self.export("fixes")
        one, two, cover = (self.mail(name) for name in (
            "0001-fix-one.patch", "0002-fix-two.patch", "0000-cover-letter.patch"))
        self.assertEqual(self.addresses(one, "To"),
                         ["Tree <tree@example.com>", '"One J. Maintainer" <one@example.com>'])
        self.assertEqual(self.addresses(one, "Cc"), ["Jürgen Reviewer <reviewer@example.com>", "one-list@example.com"])
        self.assertEqual(self.addresses(two, "To")[1:], ['"Two J. Maintainer" <two@example.com>'])
        self.assertEqual(self.addresses(cover, "To"), self.addresses(one, "To") + self.addresses(two, "To")[1:])
        self.assertEqual(self.addresses(cover, "Cc"), self.addresses(one, "Cc") + ["two-list@example.com"])

    def test_one_thread(self):
        self.export("levels")
        cover = self.mail("0000-cover-letter.patch")
        self.assertIsNone(cover["In-Reply-To"])
        found = {cover["Message-ID"]}
        for name in ("0001-level-low.patch", "0002-level-middle.patch", "0003-level-high.patch"):
            self.assertEqual(self.mail(name)["In-Reply-To"], cover["Message-ID"])
            found.add(self.mail(name)["Message-ID"])
        self.assertEqual(len(found), 4)

    def test_notes_and_diffstat(self):
        self.export("fixes")
        self.assertIn("---\nIntroduced by: one(), 7.2\nReproducer: none here: made up\n\n drivers/one.c | 2 +-\n",
                      self.mail("0001-fix-one.patch").get_payload())

    def test_another_version(self):
        self.export("apart", "--version", "2")
        self.assertEqual(self.mail("v2-0001-apart-new.patch")["Subject"], "[PATCH v2 1/1] apart: Change apart-new")

    def refused(self, text, *arguments, **options):
        said = self.export(*arguments, status=2, **options)
        self.assertIn(text, said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertFalse((self.mails / "0000-cover-letter.patch").exists())

    def test_a_folder_that_is_not_empty(self):
        self.made.write("mails/draft", "mine")
        self.refused("mails is there and not an empty folder", "levels")
        self.assertEqual([path.name for path in self.mails.iterdir()], ["draft"])

    def test_an_empty_folder_will_do(self):
        self.mails.mkdir()
        self.export("apart")
        self.assertTrue((self.mails / "0001-apart-new.patch").exists())

    def test_bad_input(self):
        self.refused('has no topic "nosuch"', "nosuch")
        self.assertIn("a version is 1 or more", self.export("levels", "--version", "0", status=2))
        self.assertIn('there is no base "9.9"', self.made.tool("export", "levels", "mails", "--base", "9.9", "--source",
                                                               "src", status=2))
        self.assertFalse(self.mails.exists())

    def test_a_tree_of_another_base(self):
        self.made.write("src/Makefile", "VERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = 12\n")
        self.refused("src holds Linux 7.2.12, and the base is 7.3", "levels")

    def test_no_tree(self):
        self.assertIn("nosuch holds no kernel tree", self.made.tool("export", "levels", "mails", "--source", "nosuch",
                                                                    status=2))

    def test_what_does_not_apply_is_named(self):
        self.made.write("kernel/7.3/levels/topic", "tree: t\nkind: feature\n")
        path = self.made.base / "levels/level-middle.patch"
        path.write_text(path.read_text(encoding="utf-8").replace("-one 20\n", "-another 20\n"), encoding="utf-8")
        self.refused("/src: patch failed: drivers/one.c:17", "levels")

    def test_a_tree_without_the_script(self):
        (self.made.folder / "src/scripts/get_maintainer.pl").unlink()
        self.refused("has no scripts/get_maintainer.pl", "levels")


if __name__ == "__main__":
    unittest.main()
