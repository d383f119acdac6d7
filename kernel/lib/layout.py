# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The folder of a base: its topics, their patches, and what is wrong with them."""
import dataclasses
import pathlib
import re

import patchfile

KERNEL = pathlib.Path(__file__).resolve().parent.parent
SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
# Of a flavour's name, without-SLUG-lockdep, the last word is the kernel's.
RESERVED = ("-lockdep", "-kasan")
KEYS = {"tree": False, "needs": False, "overlaps": True, "kind": False, "to": True}
KINDS = ("fixes", "feature")
NOT_TOPICS = ("broken", "check")


class LayoutError(Exception):
    """Its text says what is wrong with which file."""


def words_of(line):
    """The words of a list's line, without its comment."""
    return re.sub(r"(^|\s)#.*", "", line).split()


def lines_of(path):
    """The lines of a list: the first word of each."""
    found = (words_of(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [words[0] for words in found if words]


@dataclasses.dataclass
class Entry:
    """A patch of a topic: the line of the series that names it, and the file."""
    slug: str
    topic: str
    line: str
    path: pathlib.Path

    def read(self):
        return patchfile.read(self.path)


@dataclasses.dataclass
class Topic:
    name: str
    folder: pathlib.Path
    tree: str = ""
    kind: str = ""
    needs: list[str] = dataclasses.field(default_factory=list)
    overlaps: list[str] = dataclasses.field(default_factory=list)
    to: list[str] = dataclasses.field(default_factory=list)
    patches: list[Entry] = dataclasses.field(default_factory=list)
    subject: str = ""
    text: str = ""


class Base:
    """All that a base's folder says. What is wrong is kept in problems; load() does not return such a base."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.name = self.folder.name
        self.problems = []
        self.topics = []
        self.by_slug = {}
        if not (self.folder / "order").is_file():
            self.problem(f"{self.show(self.folder / 'order')} is not there: it names the topics of a base")
            return
        for name in lines_of(self.folder / "order"):
            if name in (topic.name for topic in self.topics):
                self.problem(f"{self.show(self.folder / 'order')} names {name} twice")
            elif not (self.folder / name).is_dir():
                self.problem(f"{self.show(self.folder / 'order')} names {name}, which is no folder there")
            else:
                self.topics.append(self.read_topic(name))
        self.check_needs()
        self.check_strays()

    def problem(self, text):
        self.problems.append(text)

    def show(self, path):
        """A path as one of the project says it."""
        try:
            return str(pathlib.Path("kernel") / path.relative_to(self.folder.parent))
        except ValueError:
            return str(path)

    def read_topic(self, name):
        topic = Topic(name, self.folder / name)
        if not SLUG.fullmatch(name):
            self.problem(f"{self.show(topic.folder)}: a topic's name is of a-z, 0-9 and -")
        for file, reader in (("topic", self.read_keys), ("cover", self.read_cover), ("series", self.read_series)):
            if (topic.folder / file).is_file():
                reader(topic, topic.folder / file)
            else:
                self.problem(f"{self.show(topic.folder / file)} is not there")
        return topic

    def read_keys(self, topic, path):
        seen = set()
        for line in path.read_text(encoding="utf-8").splitlines():
            key, colon, value = (part.strip() for part in line.partition(":"))
            if not line.strip() or line.startswith("#"):
                continue
            if not colon or key not in KEYS:
                self.problem(f"{self.show(path)}: \"{line}\" is none of {', '.join(KEYS)}")
            elif key in seen and not KEYS[key]:
                self.problem(f"{self.show(path)} says {key} twice")
            elif key == "needs":
                topic.needs = value.replace(",", " ").split()
            elif key == "overlaps":
                topic.overlaps += [value] if value else []
            elif key == "to":
                topic.to += [one.strip() for one in value.split(",") if one.strip()]
            else:
                setattr(topic, key, value)
            seen.add(key)
        if not topic.tree:
            self.problem(f"{self.show(path)} does not say for which tree the topic is")
        if topic.kind not in KINDS:
            self.problem(f"{self.show(path)}: kind is one of: {', '.join(KINDS)}; not \"{topic.kind}\"")

    def read_cover(self, topic, path):
        subject, _, rest = path.read_text(encoding="utf-8").partition("\n")
        topic.subject, topic.text = subject.strip(), rest.strip("\n")
        if not topic.subject or topic.subject.startswith("["):
            self.problem(f"{self.show(path)}: the first line is the subject, without [PATCH]")
        if not rest.startswith("\n") or not topic.text:
            self.problem(f"{self.show(path)}: below the subject stand an empty line and the text")

    def read_series(self, topic, path):
        for line in lines_of(path):
            file = (topic.folder / line).resolve()
            slug = file.name.removesuffix(".patch")
            if not line.endswith(".patch") or not SLUG.fullmatch(slug) or slug.endswith(RESERVED):
                self.problem(f"{self.show(path)}: {line} is not SLUG.patch, with a slug of a-z, 0-9 and - that does "
                             f"not end in {' or '.join(RESERVED)}")
                continue
            if slug in self.by_slug:
                self.problem(f"{self.show(path)}: the slug {slug} is in {self.by_slug[slug].topic} already")
                continue
            if not file.is_file():
                self.problem(f"{self.show(path)} names {line}, which is not there")
                continue
            if file.parent != topic.folder.resolve() and (
                    self.folder.parent not in file.parents or self.folder in file.parents):
                self.problem(f"{self.show(path)}: {line} is a file neither of this folder nor of another base")
                continue
            entry = Entry(slug, topic.name, line, file)
            topic.patches.append(entry)
            self.by_slug[slug] = entry

    def check_needs(self):
        names = [topic.name for topic in self.topics]
        for i, topic in enumerate(self.topics):
            for need in topic.needs:
                if need not in names:
                    self.problem(f"{self.show(topic.folder / 'topic')} needs {need}, which the base does not have")
                elif names.index(need) >= i:
                    self.problem(f"{self.show(topic.folder / 'topic')} needs {need}, which "
                                 f"{self.show(self.folder / 'order')} does not have before it")

    def check_strays(self):
        """Nothing lies in a base that nobody applies."""
        names = [topic.name for topic in self.topics]
        for folder in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            if folder.name not in NOT_TOPICS and folder.name not in names:
                self.problem(f"{self.show(folder)} is not in {self.show(self.folder / 'order')}")
        for topic in self.topics:
            series = topic.folder / "series"
            named = {(topic.folder / line).resolve() for line in lines_of(series)} if series.is_file() else set()
            for file in sorted(topic.folder.glob("*.patch")):
                if file.resolve() not in named:
                    self.problem(f"{self.show(file)} is not in {self.show(topic.folder / 'series')}")

    def topic(self, name):
        for topic in self.topics:
            if topic.name == name:
                return topic
        raise LayoutError(f"{self.show(self.folder)} has no topic \"{name}\"; it has: "
                          f"{', '.join(topic.name for topic in self.topics)}")

    def entry(self, slug):
        if slug not in self.by_slug:
            raise LayoutError(f"{self.show(self.folder)} has no patch \"{slug}\"")
        return self.by_slug[slug]

    def needed(self, name):
        """The topics that this one needs, and what those need, in the base's order."""
        wanted = set()
        queue = list(self.topic(name).needs)
        while queue:
            one = queue.pop()
            if one not in wanted:
                wanted.add(one)
                queue += self.topic(one).needs
        return [topic for topic in self.topics if topic.name in wanted]

    def patches(self):
        return [entry for topic in self.topics for entry in topic.patches]


def load(folder):
    base = Base(folder)
    if base.problems:
        raise LayoutError("\n".join(base.problems))
    return base


def names():
    """The bases beside the tools, the newest last."""
    found = [path.parent.name for path in KERNEL.glob("*/order")]
    return sorted(found, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])


def folder_of(name):
    """A base as --base says it: a name, a folder, or nothing for the newest."""
    if name is None:
        known = names()
        if not known:
            raise LayoutError("there is no base in kernel/")
        name = known[-1]
    if "/" in name:
        folder = pathlib.Path(name)
    else:
        folder = KERNEL / name
    if not folder.is_dir():
        raise LayoutError(f"there is no base \"{name}\"; there is: {', '.join(names())}")
    return folder


def default_source(name=None):
    """The unpatched tree that a run made: of the base that --base names, else of the last run."""
    return KERNEL.parent / "build/kernel" / (pathlib.Path(name).name if name else "current") / "src"


def version_of(source):
    """(base, whole version) of a kernel tree."""
    makefile = pathlib.Path(source) / "Makefile"
    found = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\S*)$",
                            makefile.read_text(encoding="utf-8") if makefile.is_file() else "", re.MULTILINE))
    if not found.get("VERSION") or not found.get("PATCHLEVEL"):
        raise LayoutError(f"{source} holds no kernel tree: give one with --source")
    base = f"{found['VERSION']}.{found['PATCHLEVEL']}"
    sub = found.get("SUBLEVEL", "0")
    return base, base + ("" if sub in ("", "0") else f".{sub}") + found.get("EXTRAVERSION", "")


def base_for(source, name=None):
    """The base that --base names, else the one of the tree's version; and that whole version."""
    version, whole = version_of(source)
    if name is None:
        name = version
    base = load(folder_of(name))
    if base.name != version:
        raise LayoutError(f"{source} holds Linux {whole}, and the base is {base.name}: give another tree with --source")
    return base, whole
