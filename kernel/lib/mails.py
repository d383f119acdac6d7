# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The mails by which a topic is sent."""
import email.utils
import hashlib
import subprocess
import textwrap

import patchfile
from repository import GitError, Repository, reason

# Of get_maintainer.pl: who is asked, and who is told. A tree without its history answers by MAINTAINERS alone.
PLAIN = ("--nogit", "--nogit-fallback", "--norolestats", "--nofixes")
MAINTAINERS = ("--nor", "--nol")
OTHERS = ("--nom",)


class ExportError(Exception):
    """Its text says what is missing."""


def asked(source, path, options):
    """The addresses that the tree's own script names for a patch."""
    script = source / "scripts/get_maintainer.pl"
    if not script.is_file():
        raise ExportError(f"{source} has no scripts/get_maintainer.pl: give a whole tree with --source")
    done = subprocess.run(["perl", script, *PLAIN, *options, path], cwd=source, text=True, encoding="utf-8",
                          capture_output=True, check=False)
    if done.returncode:
        raise ExportError(f"get_maintainer.pl failed on {path.name}: {done.stderr.strip() or done.stdout.strip()}")
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def add(addresses, more):
    """Those that are not there yet, compared by their mail."""
    there = {email.utils.parseaddr(one)[1].lower() for one in addresses}
    for one in more:
        mail = email.utils.parseaddr(one)[1].lower()
        if mail not in there:
            there.add(mail)
            addresses.append(one)


def header_of(key, addresses):
    shown = []
    for one in addresses:
        name, mail = email.utils.parseaddr(one)
        shown.append(patchfile.address(name, mail) if name else mail)
    return f"{key}: " + ",\n ".join(shown) + "\n" if shown else ""


def applied(base, topic, source, folder):
    """A repository with the files that are touched, the commit below the topic tagged below, and the topic on top."""
    entries = [entry for one in [*base.needed(topic.name), topic] for entry in one.patches]
    repository = Repository(folder)
    repository.begin(source, sorted({file for entry in entries for file in entry.read().files()}))
    if not topic.patches:
        raise ExportError(f"{topic.name} has no patches")
    for entry in entries:
        if entry is topic.patches[0]:
            repository.git("tag", "below")
        try:
            repository.am(entry.path)
        except GitError as error:
            raise ExportError(f"{entry.topic}/{entry.slug} does not apply to {source}: {reason(error)}") from error
    return repository


def shortlog(patches):
    """As git shortlog writes it: by author, in the order of the series."""
    authors = {}
    for patch in patches:
        authors.setdefault(patch.author, []).append(patch.subject)
    parts = []
    for author in sorted(authors):
        lines = [f"{author} ({len(authors[author])}):"]
        for subject in authors[author]:
            lines += textwrap.wrap(subject, 72, initial_indent="  ", subsequent_indent="    ", break_long_words=False,
                                   break_on_hyphens=False)
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def base_lines(base, topic, version):
    needed = base.needed(topic.name)
    if not needed:
        return f"Base: Linux {version}"
    text = f"Base: Linux {version} with these series applied, in this order:\n"
    return text + "\n".join(
        f"  {i}. {one.subject} ({len(one.patches)} patch{'es' if len(one.patches) != 1 else ''})"
        for i, one in enumerate(needed, 1))


class Thread:
    """The mails of a topic, by the names of their files."""

    def __init__(self, base, topic, source, linux, version, scratch):
        self.topic = topic
        self.version = version
        self.source = source
        self.base_lines = base_lines(base, topic, linux)
        self.repository = applied(base, topic, source, scratch / "tree")
        self.signature = self.repository.git("--version").split()[2]
        self.patches = [entry.read() for entry in topic.patches]
        self.digest = hashlib.sha256("".join(
            [topic.subject, topic.text, *(patch.text() for patch in self.patches)]).encode()).hexdigest()[:12]

    def subject(self, number, text):
        count = len(self.patches)
        version = f" v{self.version}" if self.version > 1 else ""
        place = f"{number:0{len(str(count))}}/{count}"
        return patchfile.folded(f"Subject: [PATCH{version} {place}] {patchfile.encoded(text)}")

    def name(self, number, slug):
        version = f"v{self.version}-" if self.version > 1 else ""
        return f"{version}{number:04}-{slug}.patch"

    def message_id(self, number):
        domain = self.patches[0].mail.partition("@")[2]
        return f"<{self.digest}.{self.topic.name}-v{self.version}.{number}@{domain}>"

    def mail(self, number, patch_like, subject, to, others, content):
        author, mail, date = patch_like
        head = f"{patchfile.MAIL_START}\nFrom: {patchfile.address(author, mail)}\nDate: {date}\n"
        head += self.subject(number, subject) + "\n"
        head += header_of("To", to) + header_of("Cc", others)
        head += f"Message-ID: {self.message_id(number)}\n"
        if number:
            head += f"In-Reply-To: {self.message_id(0)}\nReferences: {self.message_id(0)}\n"
        if not content.isascii():
            head += ("MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
                     "Content-Transfer-Encoding: 8bit\n")
        return head + "\n" + content + f"-- \n{self.signature}\n"

    def addresses(self, entry):
        to = list(self.topic.to)
        add(to, asked(self.source, entry.path, MAINTAINERS))
        others = list(to)
        add(others, asked(self.source, entry.path, OTHERS))
        return (to, others[len(to):]) if to else (others, [])

    def mails(self):
        """{name of the file: text}, the cover first."""
        found = {}
        all_to, all_others = [], []
        count = len(self.patches)
        for number, (entry, patch) in enumerate(zip(self.topic.patches, self.patches), 1):
            before, after = (f"HEAD~{count - number + 1}", f"HEAD~{count - number}")
            patch.stat = self.repository.stat(before, after)
            patch.diff = self.repository.diff(before, after)
            to, others = self.addresses(entry)
            add(all_to, to)
            add(all_others, others)
            found[self.name(number, entry.slug)] = self.mail(
                number, (patch.author, patch.mail, patch.date), patch.subject, to, others, patch.content())
        newest = max(self.patches, key=lambda patch: email.utils.parsedate_to_datetime(patch.date))
        others = list(all_to)
        add(others, all_others)
        content = "\n\n".join([self.topic.text, self.base_lines, shortlog(self.patches),
                               self.repository.stat("below", "HEAD")]) + "\n\n"
        cover = self.mail(0, (newest.author, newest.mail, newest.date), self.topic.subject, all_to,
                          others[len(all_to):], content)
        return {self.name(0, "cover-letter"): cover} | found
