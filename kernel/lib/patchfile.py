# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A patch as a file: the mail that git am takes, in the form that the topics' folders keep.

What stands between the line "---" and the diff is kept in two parts: notes, which a patch's author writes, and the
diffstat, which git writes.
"""
import dataclasses
import email.header
import email.utils
import pathlib
import re

MAIL_START = "From " + "0" * 40 + " Mon Sep 17 00:00:00 2001"
STAT_LINE = re.compile(r" \S.* \| +(\d+|Bin)\b| \d+ files? changed|"
                       r" (create|delete|rename|copy|mode change|rewrite) ")
SIGNATURE = re.compile(r"\n-- \n\d[\d.]*\n*\Z")
PREFIX = re.compile(r"\[[^\]]*\] *")


class PatchError(Exception):
    """Its text names the file and what is wrong there."""


def encoded(text):
    """A header's text as mail takes it."""
    if text.isascii():
        return text
    return email.header.Header(text, "utf-8", maxlinelen=10000).encode()


def decoded(text):
    return str(email.header.make_header(email.header.decode_header(text)))


def folded(line):
    """A header's line, in lines of at most 76 characters where its words allow it."""
    lines = [""]
    for word in line.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) + 1 > 76:
            lines.append("")
        lines[-1] += " " + word if lines[-1] or len(lines) > 1 else word
    return "\n".join(lines)


def address(name, mail):
    if name.isascii():
        return email.utils.formataddr((name, mail))
    return f"{encoded(name)} <{mail}>"


@dataclasses.dataclass
class Patch:
    """The parts of one patch; texts end without a newline, but for the diff."""
    author: str
    mail: str
    date: str
    subject: str
    body: str
    notes: str
    stat: str
    diff: str

    def text(self):
        """The file."""
        parts = [MAIL_START, f"From: {address(self.author, self.mail)}", f"Date: {self.date}",
                 folded(f"Subject: [PATCH] {encoded(self.subject)}")]
        if not self.text_is_ascii():
            parts += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=UTF-8",
                      "Content-Transfer-Encoding: 8bit"]
        return "\n".join(parts) + "\n\n" + self.content()

    def text_is_ascii(self):
        return all(part.isascii() for part in (self.body, self.notes, self.diff))

    def content(self):
        """The mail below its header."""
        text = self.body + "\n---\n"
        if self.notes:
            text += self.notes + "\n"
        if self.stat:
            text += ("\n" if self.notes else "") + self.stat + "\n"
        return text + "\n" + self.diff

    def message(self):
        """What a commit keeps: also the notes, below a line of their own."""
        return f"{self.subject}\n\n{self.body}\n" + (f"---\n{self.notes}\n" if self.notes else "")

    def trailers(self, key):
        """The values of the trailer lines of that key."""
        last = self.body.rsplit("\n\n", 1)[-1]
        return [line.partition(":")[2].strip() for line in last.splitlines()
                if line.lower().startswith(key.lower() + ":")]

    def files(self):
        """What the diff touches, in its order."""
        return touched(self.diff)


def touched(diff):
    names = re.findall(r"^(?:---|\+\+\+) [ab]/([^\t\n]+)", diff, re.MULTILINE)
    return list(dict.fromkeys(names))


def split_notes(text):
    """Notes and diffstat of what stands between "---" and the diff."""
    lines = text.strip("\n").splitlines()
    for i, line in enumerate(lines):
        if STAT_LINE.match(line):
            return "\n".join(lines[:i]).strip("\n"), "\n".join(lines[i:]).rstrip("\n")
    return "\n".join(lines).rstrip("\n"), ""


def split_message(message):
    """Subject, body and notes of a commit's message."""
    subject, _, rest = message.strip("\n").partition("\n")
    body, _, notes = ("\n" + rest.strip("\n") + "\n").partition("\n---\n")
    return subject, body.strip("\n"), notes.strip("\n")


def header_of(text):
    """The fields above the first empty line, and what is below it."""
    head, _, rest = text.partition("\n\n")
    head = re.sub(r"\n[ \t]+", " ", head)
    return {key.lower(): value for key, value in re.findall(r"^([A-Za-z-]+): +(.*)$", head, re.MULTILINE)}, rest


def subject_in(fields):
    return PREFIX.sub("", decoded(fields.get("subject", "")), count=1)


def subject_of(path):
    """The subject alone, of a file that may lack the rest of a mail."""
    return subject_in(header_of(pathlib.Path(path).read_text(encoding="utf-8"))[0])


def parse(text, name):
    fields, rest = header_of(text)
    for key in ("from", "date", "subject"):
        if not fields.get(key):
            raise PatchError(f"{name}: its header has no {key.capitalize()}: line")
    author, mail = email.utils.parseaddr(fields["from"])
    start = re.search(r"^diff --git ", rest, re.MULTILINE)
    if not start:
        raise PatchError(f"{name}: there is no diff in it")
    above, diff = rest[:start.start()], rest[start.start():]
    diff = SIGNATURE.sub("\n", diff).rstrip("\n") + "\n"
    body, _, between = ("\n" + above).partition("\n---\n")
    notes, stat = split_notes(between)
    return Patch(decoded(author), mail, fields["date"], subject_in(fields),
                 body.strip("\n"), notes, stat, diff)


def read(path):
    try:
        return parse(pathlib.Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise PatchError(f"{path}: {error}") from error


def without_places(text):
    """The text of a patch but for the hashes of files and the numbers of lines: what other patches move."""
    text = re.sub(r"^index [0-9a-f]+\.\.[0-9a-f]+", "index", text, flags=re.MULTILINE)
    return re.sub(r"^@@ -\d+(,\d+)? \+\d+(,\d+)? @@.*$", r"@@\1\2@@", text, flags=re.MULTILINE)
