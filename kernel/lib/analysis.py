# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Complaints of the kernel's own tools: none may come up more often after a patch than before it."""
import collections
import re
import shutil

from steps import Failed

# What make runs on each source that it compiles: the tools, whose complaints it keeps by source. coccicheck sees only
# what is named in the file cocci: what it says of a file does not hang on the headers. A tool that gives up has not
# checked, and stops the build. sparse 0.6.4 does not know __typeof_unqual__, which the kernel's headers expect of a
# checker, and cannot follow the assertion in the macros that describe a module.
CHECKER = r"""#!/usr/bin/env bash
file=${!#}
name=${file#"@TREE@/"}
[[ $name != /* ]] || { echo "$name is not below @TREE@" >&2 && exit 1; }
log=${name//\//_}
gave_up() {
	cat "@WORK@/$1/$log" >&2
	echo "$1 gave up on $name" >&2
	exit 1
}
sparse -D__typeof_unqual__=__typeof__ "$@" > "@WORK@/sparse/$log" 2>&1 ||
	grep -q 'error:' "@WORK@/sparse/$log" || gave_up sparse
! grep -q 'too many errors' "@WORK@/sparse/$log" || gave_up sparse
mapfile -t said < "@WORK@/sparse/$log"
for line in "${said[@]}"; do
	if [[ $line == *': error: bad constant expression' ]]; then
		IFS=: read -r -a place <<< "$line"
		! sed -n "${place[1]}p" "${place[0]}" | grep -q '^MODULE_' || continue
	fi
	echo "$line"
done > "@WORK@/sparse/$log"
grep -qxF "$name" "@WORK@/cocci" || exit 0
: > "@WORK@/coccicheck/$log"
while read -r rule; do
	COCCI=$rule "@TREE@/scripts/coccicheck" "$@" >> "@WORK@/coccicheck/$log" 2>&1 || gave_up coccicheck
done < "@WORK@/cocci-rules"
"""
TOOLS = ("sparse", "coccicheck")
PLACE = re.compile(r"\.[ch]:\d+:\d")


def without_lines(tree, lines):
    """Messages without the numbers of the lines that they are about, which every patch moves."""
    found = collections.Counter()
    for line in lines:
        line = re.sub(r":\d+(:\d+)?[: ]", ":", line.replace(f"{tree}/", ""), count=1)
        found[re.sub(r"line \d+", "line", line)] += 1
    return found


def new_ones(before, after):
    return sorted((after - before).elements())


class Analysis:
    def __init__(self, steps, tables, tree, work):
        self.steps, self.tables, self.tree, self.work = steps, tables, tree, work
        self.tools = ["sparse"] + (["coccicheck"] if shutil.which("spatch") else [])

    def checkpatch(self, path, patch):
        # MAINTAINERS has an entry for the folders that the series adds files to.
        # The tree is no clone, so it knows no commits; where a fix names none, kernel/lib/rules.py asks for the cause.
        ignored = "FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID,MISSING_FIXES_TAG"
        # A variant of kselftest's fixtures is a definition, and cannot be put in parentheses.
        if any(file.startswith("tools/testing/selftests/") for file in patch.files()):
            ignored += ",COMPLEX_MACRO"
        # A mock of a drm_file has to initialize its IDR, which is what DRM has there.
        if any(file.startswith("drivers/gpu/drm/tests/") for file in patch.files()):
            ignored += ",DEPRECATED_API"
        self.steps.command("perl", "scripts/checkpatch.pl", "--strict", "--no-summary", "--ignore", ignored, path,
                           cwd=self.tree)

    def kernel_doc(self, files):
        """What it says of the files as they are."""
        said = []
        for file in files:
            if file.endswith((".c", ".h")) and (self.tree / file).exists():
                try:
                    said += self.steps.command("scripts/kernel-doc", "-none", file, cwd=self.tree,
                                               keep=True).splitlines()
                except Failed as error:
                    if str(error).count("\n") == 0:
                        raise Failed(f"kernel-doc failed on {file} without saying why") from error
                    said += str(error).splitlines()[:-1]
        return without_lines(self.tree, said)

    def make_checker(self):
        rules = []
        for rule in sorted((self.tree / "scripts/coccinelle").rglob("*.cocci")):
            text = rule.read_text(encoding="utf-8", errors="replace")
            # Those in OCaml need a compiler of their own; they are about one driver and about NULL compared with 0.
            if re.search(r"virtual\s+report", text) and ":ocaml" not in text:
                rules.append(f"{rule}\n")
        if not rules:
            raise Failed("the tree has no rules for coccicheck")
        (self.work / "cocci-rules").write_text("".join(rules), encoding="utf-8")
        checker = self.work / "checker"
        checker.write_text(CHECKER.replace("@TREE@", str(self.tree)).replace("@WORK@", str(self.work)),
                           encoding="utf-8")
        checker.chmod(0o755)

    def build(self, build, patches, everything=False):
        """A build with the tools at work, on all or on what has to be compiled."""
        sources = [one.removesuffix("o") + "c" for one in self.tables.touched(patches)]
        (self.work / "cocci").write_text("".join(f"{one}\n" for one in sources) if "coccicheck" in self.tools else "",
                                         encoding="utf-8")
        for tool in TOOLS:
            folder, before = self.work / tool, self.work / f"{tool}.before"
            shutil.rmtree(before, ignore_errors=True)
            if everything:
                shutil.rmtree(folder, ignore_errors=True)
            elif folder.exists():
                shutil.copytree(folder, before)
            folder.mkdir(exist_ok=True)
        build.build(f"C={2 if everything else 1}", f"CHECK={self.work / 'checker'}")

    def complains_no_more(self, tool):
        found = []
        for path in sorted((self.work / tool).iterdir()):
            found += new_ones(self.complaints(self.work / f"{tool}.before" / path.name), self.complaints(path))
        if found:
            raise Failed("New:\n" + "\n".join(found))

    def complaints(self, path):
        """What is about a place in a source."""
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        return without_lines(self.tree, [line for line in lines if PLACE.search(line)])
