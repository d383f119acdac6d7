# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A small base and a small tree to go with it, for the tests of the tools."""
import atexit
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

import patchfile

TOOLS = pathlib.Path(__file__).resolve().parent.parent
# What is no good in C has the word BROKEN in it here.
MAKEFILE = """VERSION = 7
PATCHLEVEL = 3
SUBLEVEL = 4
EXTRAVERSION =

.PHONY: tinyconfig olddefconfig FORCE
tinyconfig:
	@: > $(O)/.config
olddefconfig:
	@:
drivers/%.o: FORCE
	@mkdir -p $(O)/drivers
	@! grep -n BROKEN drivers/$*.c
	@cp drivers/$*.c $(O)/$@
"""
CHECKPATCH = """#!/usr/bin/env perl
open(my $patch, "<", $ARGV[-1]) or die;
my @bad = grep { /^\\+.*UGLY/ } <$patch>;
print @bad;
exit(@bad > 0);
"""
KERNEL_DOC = """#!/usr/bin/env bash
grep -n UNDOCUMENTED "${!#}" | sed "s|^\\([0-9]*\\):.*|${!#}:\\1 warning: not described|"
exit 0
"""
BODY = "It was not changed.\n\nChange it.\n\nSigned-off-by: Made Up <made@example.com>"
DATE = "Sat, 21 Nov 2026 06:28:22 +0000"
# As the tree's own script: addresses by the files of a patch, and by what is asked for.
MAINTAINERS = """#!/usr/bin/env perl
my %want = map { $_ => 1 } @ARGV;
open(my $patch, "<", $ARGV[-1]) or die "$ARGV[-1]: $!";
my %found;
while (<$patch>) { $found{$1} = 1 if m{^\\+\\+\\+ b/drivers/(\\w+)\\.c}; }
for my $name (sort keys %found) {
	print "\\u$name J. Maintainer <$name\\@example.com>\\n" unless $want{"--nom"};
	print "Jürgen Reviewer <reviewer\\@example.com>\\n" unless $want{"--nor"};
	print "$name-list\\@example.com\\n" unless $want{"--nol"};
}
"""


def numbered(name, count=40):
    return "".join(f"{name} {i}\n" for i in range(1, count + 1))


def git(folder, *arguments, **options):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    return subprocess.run(["git", "-C", folder, "-c", "user.name=Made Up", "-c", "user.email=made@example.com",
                           "-c", "init.defaultBranch=main", *arguments],
                          check=True, text=True, capture_output=True, env=environment, **options).stdout


@functools.cache
def small_one():
    """A folder with the base that small() makes, once for all tests of a program."""
    scratch = tempfile.TemporaryDirectory()
    atexit.register(scratch.cleanup)
    MadeUp(scratch.name).make_small()
    return scratch.name


def small(case):
    """Two fixes, and a feature that needs nothing, and one that needs both."""
    scratch = tempfile.TemporaryDirectory()
    case.addCleanup(scratch.cleanup)
    shutil.copytree(small_one(), scratch.name, dirs_exist_ok=True)
    return MadeUp(scratch.name, made=True)


class MadeUp:
    """kernel/7.3 with topics, and src, the tree; a patch replaces a line of a file."""

    def __init__(self, folder, made=False):
        self.folder = pathlib.Path(folder).resolve()
        self.kernel = self.folder / "kernel"
        self.base = self.kernel / "7.3"
        self.source = self.folder / "src"
        self.tree = self.folder / "tree"
        if not made:
            self.make()

    def make(self):
        self.write("src/Makefile", MAKEFILE)
        self.write("src/scripts/get_maintainer.pl", MAINTAINERS).chmod(0o755)
        self.write("src/scripts/checkpatch.pl", CHECKPATCH)
        self.write("src/scripts/kernel-doc", KERNEL_DOC).chmod(0o755)
        for name in ("one", "two"):
            self.write(f"src/drivers/{name}.c", numbered(name))
        shutil.copytree(self.source, self.tree)
        git(self.tree, "init", "-q")
        self.commit()
        self.write("kernel/7.3/order", "# all of them\n")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def append(self, name, text):
        path = self.folder / name
        self.write(name, (path.read_text(encoding="utf-8") if path.exists() else "") + text)

    def commit(self):
        git(self.tree, "add", "-A")
        git(self.tree, "commit", "-q", "-m", "step")

    def topic(self, name, needs="", kind="feature", to=""):
        self.append("kernel/7.3/order", f"{name}\n")
        self.write(f"kernel/7.3/{name}/topic", f"tree: {name}-next\nneeds: {needs}\nkind: {kind}\nto: {to}\n")
        self.write(f"kernel/7.3/{name}/cover", f"{name}: Make it better\n\nIt was worse.\n\nNow it is not.\n")
        self.write(f"kernel/7.3/{name}/series", "")

    def patch(self, topic, slug, file, line, notes="", listed=True, subject=None, add=None, body=BODY):
        """The patch that appends to one line of drivers/FILE.c, as topic/slug.patch."""
        path = self.tree / "drivers" / f"{file}.c"
        lines = (path if path.exists() else self.write(f"tree/drivers/{file}.c", numbered(file))).read_text(
            encoding="utf-8").splitlines(keepends=True)
        lines[line - 1] = lines[line - 1].rstrip("\n") + f" {add or slug}\n"
        path.write_text("".join(lines), encoding="utf-8")
        git(self.tree, "add", "-A")
        diff = git(self.tree, "diff", "--cached", "--no-renames")
        stat = git(self.tree, "diff", "--cached", "--no-renames", "--stat=72", "--summary").rstrip("\n")
        self.commit()
        patch = patchfile.Patch("Made Up", "made@example.com", DATE, subject or f"{topic}: Change {slug}",
                                body, notes, stat, diff)
        self.write(f"kernel/7.3/{topic}/{slug}.patch", patch.text())
        if listed:
            self.append(f"kernel/7.3/{topic}/series", f"{slug}.patch\n")

    def make_small(self):
        self.topic("fixes", kind="fixes")
        self.patch("fixes", "fix-one", "one", 3, notes="Introduced by: one(), 7.2\nReproducer: none here: made up")
        self.patch("fixes", "fix-two", "two", 3, notes="Introduced by: two(), 7.2\nReproducer: none here: made up")
        self.topic("apart")
        self.patch("apart", "apart-new", "three", 1)
        self.topic("levels", needs="fixes")
        self.patch("levels", "level-low", "one", 12)
        self.patch("levels", "level-middle", "one", 20)
        self.patch("levels", "level-high", "one", 28)
        self.write("kernel/7.3/check/objects", "# all\ndrivers/one.o ONE\ndrivers/two.o TWO\ndrivers/three.o TWO\n")
        self.write("kernel/7.3/check/config", "CONFIG_ONE=y\nCONFIG_TWO=m\n")
        self.write("kernel/7.3/broken/shown-by", "# SLUG\tTITLE\tTESTS\tNOTE\n" + "".join(
            f"{slug}\t{topic}: Change {slug}\t{tests}\tmade up\n" for topic, slug, tests in (
                ("fixes", "fix-one", "smoke"), ("fixes", "fix-two", "-"), ("apart", "apart-new", "-"),
                ("levels", "level-low", "-"), ("levels", "level-middle", "-"), ("levels", "level-high", "smoke"))))

    def tool(self, name, *arguments, status=0):
        """What it prints: standard output if it ends well, else standard error."""
        done = subprocess.run([TOOLS / name, *arguments], text=True, capture_output=True, check=False, cwd=self.folder,
                              env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")})
        if done.returncode != status:
            raise AssertionError(f"{name}: status {done.returncode}, not {status}:\n{done.stdout}{done.stderr}")
        return done.stderr if status else done.stdout

    def files(self, name="kernel"):
        """Every file below a folder, with its content and the time of its last change."""
        return {str(path.relative_to(self.folder)): (path.read_text(encoding="utf-8"), path.stat().st_mtime_ns)
                for path in sorted((self.folder / name).rglob("*")) if path.is_file() and ".git" not in path.parts}
