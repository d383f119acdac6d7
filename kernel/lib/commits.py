# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The patches of a base as commits of a git repository, and back.

A commit's message is the patch's with its notes, below a line "---", and ends with the trailers Queue-topic and
Queue-slug. The tag base is the commit below the first.
"""
import dataclasses
import os
import pathlib
import re
import shutil
import tempfile

import layout
import patchfile
from repository import GitError, Repository, reason

TRAILERS = re.compile(r"\n+Queue-topic: (\S+)\nQueue-slug: (\S+)\n*\Z")


class QueueError(Exception):
    """Its text says what does not fit and what to do."""


@dataclasses.dataclass
class Commit:
    name: str
    before: str
    topic: str
    slug: str
    patch: patchfile.Patch


def checkout(base, source, folder):
    """A repository of the source in folder, with one commit a patch."""
    shutil.copytree(source, folder, symlinks=True, ignore=lambda where, _: [".git"] if where == str(source) else [])
    repository = Repository(folder)
    repository.git("init", "-q")
    repository.git("add", "-A", "-f")
    repository.git("commit", "-q", "-m", f"Linux {layout.version_of(source)[1]}")
    repository.git("tag", "base")
    for entry in base.patches():
        commit(repository, entry)


def commit(repository, entry):
    patch = entry.read()
    try:
        repository.git("apply", "--index", "-", text=patch.diff)
    except GitError as error:
        raise QueueError(f"{entry.topic}/{entry.slug} does not apply: {reason(error)}") from error
    person = {"NAME": patch.author, "EMAIL": patch.mail, "DATE": patch.date}
    repository.git("commit", "-q", "--cleanup=verbatim", "-F", "-",
                   text=f"{patch.message()}\nQueue-topic: {entry.topic}\nQueue-slug: {entry.slug}\n",
                   variables={f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
                              for key, value in person.items()})


def read_commits(repository):
    """Those since the tag base, the oldest first."""
    names = repository.git("rev-list", "--reverse", "--topo-order", "base..HEAD").split()
    if repository.git("rev-list", "--merges", "base..HEAD").split():
        raise QueueError("there are merges since the tag base: a queue is a line of commits")
    return [read_commit(repository, name) for name in names]


def read_commit(repository, name):
    author, mail, date, message = repository.git("log", "-1", "--format=%an%x00%ae%x00%aD%x00%B", name).split("\0")
    short = f"{name[:12]} (\"{message.splitlines()[0]}\")"
    found = TRAILERS.search(message)
    if not found:
        raise QueueError(f"{short} does not end with the lines Queue-topic: TOPIC and Queue-slug: SLUG")
    subject, body, notes = patchfile.split_message(message[:found.start()])
    before = repository.git("rev-parse", f"{name}^").strip()
    diff = repository.diff(before, name)
    if not diff:
        raise QueueError(f"{short} changes nothing")
    return Commit(name, before, found[1], found[2], patchfile.Patch(
        author, mail, two_digits(date), subject, body, notes, repository.stat(before, name), diff))


def two_digits(date):
    """git writes "Sun, 1 Nov", and mail "Sun, 01 Nov"."""
    return re.sub(r"^(\w+, )(\d )", r"\g<1>0\2", date)


class Save:
    """The folders of the topics, made to say what the commits say. changes are the files that it changed."""

    def __init__(self, base, repository):
        self.base, self.repository = base, repository
        self.commits = read_commits(repository)
        self.changes = []
        self.check()

    def check(self):
        """All that can be wrong is said before anything is written."""
        seen, order, known = set(), [], [topic.name for topic in self.base.topics]
        for one in self.commits:
            label = f"{one.name[:12]} (\"{one.patch.subject}\")"
            if not layout.SLUG.fullmatch(one.slug) or one.slug.endswith(layout.RESERVED):
                raise QueueError(f"{label}: {one.slug} is no slug: a-z, 0-9 and -, not at the end "
                                 f"{' or '.join(layout.RESERVED)}")
            if one.slug in seen:
                raise QueueError(f"{label}: there is another commit with the slug {one.slug}")
            if one.topic not in known:
                raise QueueError(f"{label}: the base has no topic {one.topic}: write its files topic, cover and an "
                                 f"empty series, and name it in {self.base.show(self.base.folder / 'order')}")
            if order and known.index(one.topic) < known.index(order[-1]):
                raise QueueError(f"{label} of {one.topic} comes after commits of {order[-1]}, and "
                                 f"{self.base.show(self.base.folder / 'order')} has them the other way round")
            seen.add(one.slug)
            order.append(one.topic)

    def run(self):
        for topic in self.base.topics:
            commits = [one for one in self.commits if one.topic == topic.name]
            self.write_series(topic, [self.write_patch(topic, one) for one in commits])
        kept = {(self.base.folder / one.topic / f"{one.slug}.patch") for one in self.commits}
        for entry in self.base.patches():
            path = self.base.folder / entry.topic / f"{entry.slug}.patch"
            if path not in kept and path.is_file():
                path.unlink()
                self.changes.append(f"removed {self.base.show(path)}")
        return self.changes

    def write_patch(self, topic, one):
        """The line of the series for a commit, whose file is written unless it says the same already."""
        entry = self.base.by_slug.get(one.slug)
        if entry and entry.topic == topic.name and self.says_the_same(entry.path, one):
            return entry.line
        self.write(topic.folder / f"{one.slug}.patch", one.patch.text())
        return f"{one.slug}.patch"

    def says_the_same(self, path, one):
        """A file that differs in the places of its hunks alone stays if it makes the very same tree."""
        text = path.read_text(encoding="utf-8")
        if text == one.patch.text():
            return True
        if patchfile.without_places(text) != patchfile.without_places(one.patch.text()):
            return False
        with tempfile.TemporaryDirectory() as scratch:
            index = {"GIT_INDEX_FILE": os.path.join(scratch, "index")}
            self.repository.git("read-tree", one.before, variables=index)
            try:
                self.repository.git("apply", "--cached", str(path.resolve()), variables=index)
            except GitError:
                return False
            return self.repository.git("write-tree", variables=index).strip() == self.repository.tree(one.name)

    def write_series(self, topic, lines):
        """Comments stay above the line that they are above, or at the end."""
        path = topic.folder / "series"
        if layout.lines_of(path) == lines:
            return
        above, comments = {}, []
        for line in path.read_text(encoding="utf-8").splitlines():
            words = layout.words_of(line)
            comments.append(line)
            if words:
                above[words[0]], comments = comments, []
        renamed = {pathlib.PurePath(line).name: line for line in above}
        new = []
        for line in lines:
            old = above.get(renamed.get(pathlib.PurePath(line).name), [line])
            new += old[:-1] + [old[-1] if layout.words_of(old[-1])[0] == line else line]
        self.write(path, "".join(f"{line}\n" for line in new + comments))

    def write(self, path, text):
        self.changes.append(f"{'wrote' if path.exists() else 'new'} {self.base.show(path)}")
        path.write_text(text, encoding="utf-8")
