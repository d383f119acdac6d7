# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The steps of a check: a line each with verdict and time, and a log."""
import os
import subprocess
import time

from patchfile import PatchError
from repository import GitError

TAIL = 25


class Failed(Exception):
    """What a step found; its text is the end of the step's log."""


class Steps:
    def __init__(self, folder):
        self.folder = folder
        self.count = self.failures = 0
        self.started = time.monotonic()
        self.log = None

    def run(self, name, function, *arguments):
        """Whether the function ended without Failed."""
        self.count += 1
        path = self.folder / f"{self.count:03}.log"
        begin = time.monotonic()
        print(f"{name:66} ", end="", flush=True)
        with open(path, "w+", encoding="utf-8", errors="replace") as self.log:
            try:
                function(*arguments)
                print(f"ok      {time.monotonic() - begin:.1f} s", flush=True)
                return True
            except (Failed, GitError, PatchError) as error:
                self.say(str(error))
            self.failures += 1
            print(f"FAILED  {time.monotonic() - begin:.1f} s")
            self.log.seek(0)
            for line in self.log.read().splitlines()[-TAIL:]:
                print(f"    {line}")
            print(f"    (all of it: {path})", flush=True)
            return False

    def say(self, text):
        if text:
            self.log.write(text.rstrip("\n") + "\n")
            self.log.flush()

    def command(self, *words, keep=False, **options):
        """Its output goes to the log, or with keep is returned; any status but 0 is a failure."""
        self.log.flush()
        options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run([str(word) for word in words], check=False, text=True, encoding="utf-8", errors="replace",
                              stdout=subprocess.PIPE if keep else self.log, stderr=subprocess.STDOUT,
                              env=os.environ | {"LC_ALL": "C.UTF-8"}, **options)
        self.log.seek(0, os.SEEK_END)
        if done.returncode:
            raise Failed((done.stdout or "") + f"{words[0]}: status {done.returncode}")
        return done.stdout

    def verdict(self):
        """The exit status."""
        took = f"{time.monotonic() - self.started:.1f} s"
        if self.failures:
            print(f"{self.failures} of {self.count} steps failed, {took}")
            return 1
        print(f"{self.count} steps passed, {took}")
        return 0
