#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""rules.py: what is asked of the words of a patch."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import rules  # noqa: E402
from patchfile import Patch  # noqa: E402

BODY = "It leaks.\n\nFree it.\n\nFixes: 90da7dc8206a (\"RDMA/mlx5: Support it\")\nSigned-off-by: A B <a@example.com>"
NOTES = "Reproducer: ./run test smoke@without-free-it"


class RulesTest(unittest.TestCase):
    def message(self, kind="fixes", subject="RDMA/mlx5: Free it", body=BODY, notes=NOTES):
        return rules.message(Patch("A B", "a@example.com", "", subject, body, notes, "", ""), "free-it", kind,
                             {"smoke", "race-slow"})

    def one(self, text, **parts):
        found = self.message(**parts)
        self.assertEqual(len(found), 1, found)
        self.assertIn(text, found[0])

    def test_good(self):
        self.assertEqual(self.message(), [])
        for subject in ("vfio/pci: Revoke", "selftests: vfio: Map BARs", "virt: acrn: Map none",
                        "dma-buf: Add dma_buf_revoke() and the wait for it", "RDMA: State how it is, and why"):
            self.assertEqual(self.message(subject=subject), [], subject)

    def test_subject(self):
        for subject in ("RDMA/mlx5: free it", "Free it", "RDMA/mlx5: Free it.", "RDMA/mlx5:Free it"):
            self.one("the subject is not", subject=subject)
        self.one("75 are the most", subject="RDMA/mlx5: Free " + "it " * 20 + "now")

    def test_persons(self):
        for word in ("who", "Whoever", "nobody", "somebody", "Anybody"):
            self.one("speaks of persons", body=f"It leaks.\n\nThe driver, {word} frees it.\n\n" + BODY.split("\n\n")[2])
        self.assertEqual(self.message(body=BODY.replace("Free it.", "Free the whole of it.")), [])

    def test_signed_off(self):
        self.one("no Signed-off-by: of the author, a@example.com", body=BODY.replace("a@example", "b@example"))

    def test_a_message_says_something(self):
        self.one("says nothing but the subject", body="Signed-off-by: A B <a@example.com>", kind="feature")

    def test_where_a_fix_comes_from(self):
        without = "\n".join(line for line in BODY.splitlines() if not line.startswith("Fixes:"))
        self.one("a fix has a Fixes: line", body=without)
        self.assertEqual(self.message(body=without, notes=f"Introduced by: map(), 7.2\n{NOTES}"), [])
        self.one("a fix has a Fixes: line", body=without, notes=f"Introduced by:\n{NOTES}")
        self.assertEqual(self.message(body=without, kind="feature"), [])
        self.one("is not a hash of 12 digits", body=BODY.replace("90da7dc8206a", "90da7dc"))
        self.one("is not a hash of 12 digits", body=BODY.replace("(\"RDMA/mlx5: Support it\")", ""))

    def test_what_shows_a_fix(self):
        self.one("a fix has below the line ---", notes="")
        self.assertEqual(self.message(notes="Reproducer: none here: no device"), [])
        self.assertEqual(self.message(notes="Reproducer: ./run test race-slow@without-free-it-kasan smoke@without-free-it"),
                         [])
        self.one("is neither ./run test", notes="Reproducer: none here:")
        self.one("is neither ./run test", notes="Reproducer: ./run test smoke")
        self.one("runs on without-other, and the patch is free-it", notes="Reproducer: ./run test smoke@without-other")
        self.one("which is no test of tests/manifest", notes="Reproducer: ./run test nosuch@without-free-it")


if __name__ == "__main__":
    unittest.main()
