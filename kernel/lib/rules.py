# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What is asked of the words of a patch, of a cover and of the list of what shows a patch."""
import re

SUBJECT = 75
# A prefix as the trees write it, then a capital: "vfio/pci: Verb", "selftests: vfio: Verb".
SUBJECT_FORM = re.compile(r"([\w./-]+: )+[A-Z][^:]*[^.:\s]")
# Code and devices are not persons.
PERSONS = re.compile(r"\b(who|whoever|nobody|somebody|anybody)\b", re.IGNORECASE)
FIXES = re.compile(r"[0-9a-f]{12,40} \(\".+\"\)")
INTRODUCED = re.compile(r"^Introduced by: \S", re.MULTILINE)
REPRODUCER = re.compile(r"^Reproducer: (.*)$", re.MULTILINE)
RUN = re.compile(r"\./run test (\S+@\S+( \S+@\S+)*)")
NONE_HERE = re.compile(r"none here: \S.*")


def words(name, text):
    return [f"{name} speaks of persons: \"{found[0]}\" in \"{line.strip()}\""
            for line in text.splitlines() for found in [PERSONS.search(line)] if found]


def subject(text):
    found = []
    if not SUBJECT_FORM.fullmatch(text):
        found.append(f"the subject is not \"prefix: Verb ...\", with a capital and without a full stop: {text}")
    if len(text) > SUBJECT:
        found.append(f"the subject has {len(text)} characters, {SUBJECT} are the most")
    return found


def provenance(patch, slug, tests):
    """A fix says what it fixes, and what shows the defect. tests are those there are, or None if nothing is known."""
    found = []
    fixes = patch.trailers("fixes")
    for one in fixes:
        if not FIXES.fullmatch(one):
            found.append(f"Fixes: {one} is not a hash of 12 digits or more and (\"subject\")")
    if not fixes and not INTRODUCED.search(patch.notes):
        found.append("a fix has a Fixes: line, or below the line --- \"Introduced by: FUNCTION, RELEASE\"")
    reproducers = REPRODUCER.findall(patch.notes)
    if not reproducers:
        found.append(f"a fix has below the line --- \"Reproducer: ./run test NAME@without-{slug}\" or "
                     "\"Reproducer: none here: REASON\"")
    for one in reproducers:
        found += reproducer(one, slug, tests)
    return found


def reproducer(text, slug, tests):
    if NONE_HERE.fullmatch(text):
        return []
    run = RUN.fullmatch(text)
    if not run:
        return [f"\"Reproducer: {text}\" is neither ./run test NAME@without-{slug} nor \"none here: REASON\""]
    found = []
    for name, _, flavour in (one.partition("@") for one in run[1].split()):
        if flavour not in (f"without-{slug}", f"without-{slug}-lockdep", f"without-{slug}-kasan"):
            found.append(f"the reproducer runs on {flavour}, and the patch is {slug}")
        if tests is not None and name not in tests:
            found.append(f"the reproducer is {name}, which is no test of tests/manifest")
    return found


def message(patch, slug, kind, tests):
    """All that is wrong with a patch's words."""
    found = subject(patch.subject) + words("the message", f"{patch.subject}\n{patch.body}")
    if not patch.body.rpartition("\n\n")[0]:
        found.append("the message says nothing but the subject")
    if not any(patch.mail in one for one in patch.trailers("signed-off-by")):
        found.append(f"there is no Signed-off-by: of the author, {patch.mail}")
    if kind == "fixes":
        found += provenance(patch, slug, tests)
    return found


def cover(topic):
    return words("the cover", f"{topic.subject}\n{topic.text}")


def shown_by(base):
    """broken/shown-by has a row for every patch, in their order, and no other."""
    path = base.folder / "broken/shown-by"
    rows = read_rows(path)
    listed = [(row[0], row[1] if len(row) > 1 else "") for row in rows]
    there = [(entry.slug, entry.read().subject) for entry in base.patches()]
    found = [f"the row {' '.join(row)} is not SLUG, TITLE, TESTS and NOTE, with tabs between" for row in rows
             if len(row) != 4]
    found += [f"{slug} has no row \"{slug}<TAB>{title}\"" for slug, title in there if (slug, title) not in listed]
    found += [f"the row {slug} \"{title}\" is of no patch" for slug, title in listed if (slug, title) not in there]
    if not found and listed != there:
        place = next(i for i, row in enumerate(listed) if row != there[i])
        found.append(f"the row {listed[place][0]} stands where {there[place][0]} belongs")
    return found


def read_rows(path):
    if not path.is_file():
        return []
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]


def tests_of(manifest):
    """The names of the tests, or None where there is no list."""
    if not manifest.is_file():
        return None
    return {line.split("\t")[0] for line in manifest.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")}
