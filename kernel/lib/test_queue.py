#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""queue: patches become commits and come back, and only what was changed changes."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from madeup import git, small  # noqa: E402


class QueueTest(unittest.TestCase):
    def setUp(self):
        self.made = small(self)
        self.folder = self.made.folder / "work"
        self.made.tool("queue", "checkout", "--base", "kernel/7.3", "--source", "src", "work")
        self.before = self.made.files()

    def save(self, status=0):
        return self.made.tool("queue", "save", "--base", "kernel/7.3", "work", status=status)

    def changed(self):
        """The names of the files whose content or time is not as before."""
        after = self.made.files()
        return sorted(name for name in self.before | after if self.before.get(name) != after.get(name))

    def log(self, revisions="base..HEAD", form="%s"):
        return git(self.folder, "log", "--reverse", f"--format={form}", revisions).splitlines()

    def commit_of(self, slug):
        return git(self.folder, "log", "--format=%H", f"--grep=^Queue-slug: {slug}$", "base..HEAD").strip()

    def insert_after(self, slug, change, message):
        """A commit in the middle; those after it are put on top."""
        rest = git(self.folder, "rev-list", "--reverse", f"{self.commit_of(slug)}..HEAD").split()
        git(self.folder, "reset", "-q", "--hard", self.commit_of(slug))
        change()
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "-F", "-", input=message)
        if rest:
            git(self.folder, "cherry-pick", *rest)

    def prepend(self, name, text):
        path = self.folder / name
        path.write_text(text + path.read_text(encoding="utf-8"), encoding="utf-8")

    def test_one_commit_a_patch(self):
        self.assertEqual(self.log(), ["fixes: Change fix-one", "fixes: Change fix-two", "apart: Change apart-new",
                                      "levels: Change level-low", "levels: Change level-middle",
                                      "levels: Change level-high"])
        message = git(self.folder, "log", "-1", "--format=%B", self.commit_of("fix-one"))
        self.assertTrue(message.rstrip().endswith(
            "---\nIntroduced by: one(), 7.2\nReproducer: none here: made up\n\nQueue-topic: fixes\nQueue-slug: fix-one"),
            message)
        self.assertEqual(self.log("HEAD~1..HEAD", "%an <%ae> %aD"),
                         ["Made Up <made@example.com> Sat, 21 Nov 2026 06:28:22 +0000"])
        self.assertEqual((self.folder / "drivers/one.c").read_text(encoding="utf-8"),
                         (self.made.tree / "drivers/one.c").read_text(encoding="utf-8"))

    def test_round_trip_touches_nothing(self):
        self.assertEqual(self.save(), "nothing has changed\n")
        self.assertEqual(self.changed(), [])

    def test_everything_comes_back(self):
        for path in self.made.base.glob("*/*.patch"):
            path.write_text(path.read_text(encoding="utf-8").replace("It was not", "Lost"), encoding="utf-8")
        self.save()
        after = self.made.files()
        self.assertEqual({name: text for name, (text, _) in after.items()},
                         {name: text for name, (text, _) in self.before.items()})

    def test_a_patch_in_the_middle(self):
        self.insert_after("level-low", lambda: self.prepend("drivers/one.c", "new\nlines\n"),
                          "levels: Add lines\n\nThey were missing.\n\nSigned-off-by: Made Up <made@example.com>\n\n"
                          "Queue-topic: levels\nQueue-slug: level-lines\n")
        self.save()
        self.assertEqual(self.changed(), ["kernel/7.3/levels/level-lines.patch", "kernel/7.3/levels/series"])
        old, new = self.before["kernel/7.3/levels/series"][0], self.made.files()["kernel/7.3/levels/series"][0]
        self.assertEqual(new, old.replace("level-low.patch\n", "level-low.patch\nlevel-lines.patch\n"))
        self.assertEqual(self.save(), "nothing has changed\n")
        self.made.tool("export", "levels", "mails", "--base", "kernel/7.3", "--source", "src")

    def test_numbers_of_lines_that_would_apply_elsewhere(self):
        """Where the same lines come more than once, a hunk's place decides."""
        same = "".join("same\n" for _ in range(60))
        self.made.write("src/drivers/one.c", same)
        self.made.write("tree/drivers/one.c", same)
        self.made.commit()
        for topic, slug, line in (("fixes", "fix-one", 10), ("levels", "level-low", 20), ("levels", "level-middle", 30),
                                  ("levels", "level-high", 40)):
            self.made.patch(topic, slug, "one", line, listed=False)
        (self.folder / ".git").rename(self.made.folder / "old.git")
        self.made.tool("queue", "checkout", "--base", "kernel/7.3", "--source", "src", "again")
        self.folder = self.made.folder / "again"
        self.before = self.made.files()
        self.insert_after("level-low", lambda: self.prepend("drivers/one.c", same[:50]),
                          "levels: Add lines\n\nThey were missing.\n\nQueue-topic: levels\nQueue-slug: level-lines\n")
        self.made.tool("queue", "save", "--base", "kernel/7.3", "again")
        self.assertIn("kernel/7.3/levels/level-middle.patch", self.changed())
        self.made.tool("apply", "kernel/7.3", "src", "patched")
        self.assertEqual((self.made.folder / "patched/drivers/one.c").read_text(encoding="utf-8"),
                         (self.folder / "drivers/one.c").read_text(encoding="utf-8"))

    def test_a_message(self):
        message = git(self.folder, "log", "-1", "--format=%B").replace("It was not", "It had not been")
        git(self.folder, "commit", "-q", "--amend", "-F", "-", input=message.replace("\n\nQueue", "\n---\nA note\n\nQueue"))
        self.assertEqual(self.save(), "wrote kernel/7.3/levels/level-high.patch\n")
        self.assertEqual(self.changed(), ["kernel/7.3/levels/level-high.patch"])
        text = self.made.files()["kernel/7.3/levels/level-high.patch"][0]
        self.assertIn("It had not been changed.", text)
        self.assertIn("---\nA note\n\n drivers/one.c | 2 +-\n", text)
        self.assertIn("Date: Sat, 21 Nov 2026 06:28:22 +0000\n", text)
        self.assertNotIn("Queue-", text)

    def test_a_patch_less(self):
        git(self.folder, "reset", "-q", "--hard", "HEAD~1")
        self.assertEqual(self.save(), "wrote kernel/7.3/levels/series\nremoved kernel/7.3/levels/level-high.patch\n")
        self.assertFalse((self.made.base / "levels/level-high.patch").exists())

    def test_comments_of_a_series_stay(self):
        series = "# of them all\nlevel-low.patch # the first\n\n# the rest\nlevel-middle.patch\nlevel-high.patch\n# end\n"
        self.made.write("kernel/7.3/levels/series", series)
        git(self.folder, "reset", "-q", "--hard", "HEAD~1")
        self.save()
        self.assertEqual(self.made.files()["kernel/7.3/levels/series"][0], series.replace("level-high.patch\n", ""))

    def test_a_patch_of_another_base(self):
        (self.made.base / "levels/level-high.patch").rename(self.made.write("kernel/7.2/levels/level-high.patch", ""))
        self.made.write("kernel/7.3/levels/series",
                        "level-low.patch\nlevel-middle.patch\n../../7.2/levels/level-high.patch\n")
        self.assertEqual(self.save(), "nothing has changed\n")
        message = git(self.folder, "log", "-1", "--format=%B").replace("It was not", "Here it was not")
        git(self.folder, "commit", "-q", "--amend", "-F", "-", input=message)
        other = (self.made.kernel / "7.2/levels/level-high.patch").read_text(encoding="utf-8")
        self.assertEqual(self.save(), "new kernel/7.3/levels/level-high.patch\nwrote kernel/7.3/levels/series\n")
        self.assertEqual((self.made.kernel / "7.2/levels/level-high.patch").read_text(encoding="utf-8"), other)
        self.assertTrue(self.made.files()["kernel/7.3/levels/series"][0].endswith("\nlevel-high.patch\n"))

    def refused(self, text):
        before = self.made.files()
        said = self.save(status=2)
        self.assertIn(text, said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertEqual(self.made.files(), before)

    def add_commit(self, topic="levels", slug="level-top"):
        self.insert_after("level-high", lambda: self.prepend("drivers/two.c", "new\n"),
                          f"levels: Top\n\nText.\n\nQueue-topic: {topic}\nQueue-slug: {slug}\n")

    def test_bad_commits(self):
        for arguments, text in ((("levels", "level-low"), "another commit with the slug level-low"),
                                (("nosuch", "level-top"), "the base has no topic nosuch: write its files"),
                                (("fixes", "level-top"), "of fixes comes after commits of levels"),
                                (("levels", "for-kasan"), "for-kasan is no slug")):
            with self.subTest(text):
                self.add_commit(*arguments)
                self.refused(text)
                git(self.folder, "reset", "-q", "--hard", "HEAD~1")
        self.insert_after("level-high", lambda: self.prepend("drivers/two.c", "new\n"), "levels: Top\n\nText.\n")
        self.refused('("levels: Top") does not end with the lines Queue-topic: TOPIC')

    def test_folders(self):
        self.assertIn("work is there and not an empty folder", self.made.tool(
            "queue", "checkout", "--base", "kernel/7.3", "--source", "src", "work", status=2))
        self.assertIn("src is no git repository", self.made.tool("queue", "save", "--base", "kernel/7.3", "src", status=2))
        git(self.folder, "tag", "-d", "base")
        self.refused("work has no tag base")

    def test_a_checkout_that_fails_leaves_nothing(self):
        path = self.made.base / "levels/level-middle.patch"
        path.write_text(path.read_text(encoding="utf-8").replace("-one 20\n", "-another 20\n"), encoding="utf-8")
        said = self.made.tool("queue", "checkout", "--base", "kernel/7.3", "--source", "src", "again", status=2)
        self.assertIn("levels/level-middle does not apply: patch failed: drivers/one.c:17", said)
        self.assertEqual([one.name for one in self.made.folder.iterdir() if one.name.startswith("again")], [])


if __name__ == "__main__":
    unittest.main()
