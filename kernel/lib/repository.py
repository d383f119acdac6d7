# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""git as the tools use it: in a tree of their own, without the user's configuration."""
import os
import pathlib
import re
import shutil
import subprocess

# What a diff looks like does not depend on where it is made.
DIFF = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/")


class GitError(Exception):
    """Its text is what git said."""


class Repository:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def git(self, *arguments, text=None, variables=None):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["git", "-C", self.folder, "-c", "user.name=kernel", "-c", "user.email=kernel@localhost", "-c", "gc.auto=0",
             "-c", "safe.directory=*", "-c", "init.defaultBranch=series", "-c", "core.autocrlf=false",
             "-c", "diff.algorithm=myers", "-c", "diff.context=3", "-c", "diff.noprefix=false", *arguments],
            input=text, text=True, encoding="utf-8", capture_output=True, check=False,
            env=environment | (variables or {}))
        if done.returncode:
            raise GitError((done.stderr or done.stdout).strip() or f"git {arguments[0]}: status {done.returncode}")
        return done.stdout

    def begin(self, source, files):
        """The first commit and the tag base: those of the source's files that are named."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            if (source / file).exists() and not (self.folder / file).exists():
                (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / file, self.folder / file)
        self.git("init", "-q")
        self.add_existing(files)
        self.git("commit", "-q", "--allow-empty", "-m", "base")
        self.git("tag", "base")

    def add_existing(self, files):
        there = [file for file in files if (self.folder / file).exists()]
        if there:
            self.git("add", "-f", "--pathspec-from-file=-", "--pathspec-file-nul", text="\0".join(there))

    def am(self, path):
        """A mail becomes a commit; one that does not apply leaves nothing behind."""
        try:
            self.git("am", "--quiet", "--keep-cr", path)
        except GitError:
            self.git("am", "--abort")
            raise

    def tree(self, revision="HEAD"):
        return self.git("rev-parse", f"{revision}^{{tree}}").strip()

    def diff(self, before, after):
        return self.git("diff", *DIFF, "--abbrev=7", before, after)

    def stat(self, before, after):
        return self.git("diff", *DIFF, "--stat=72", "--summary", before, after).rstrip("\n")


def reason(error):
    """The one line of git's words that says what does not fit."""
    found = re.search(r"^error: (.*)$", str(error), re.MULTILINE)
    return found[1] if found else str(error).splitlines()[0]
