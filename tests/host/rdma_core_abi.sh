#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The patched rdma-core passes upstream's own checks of names, symbol versions and headers, its list of symbols is right,
# and nothing that programs were compiled against has changed. As TAP. Needs the folder of rdma-core's build.
#
# Most functions are called by their name, from check():
# shellcheck disable=SC2317,SC2329
set -euo pipefail

project=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
work=${RDMA_CORE_WORK:-$project/build/rdma-core.work}
if [[ ! -e $work/build/build.ninja ]]; then
	echo "1..0 # SKIP rdma-core was not built here: say RDMA_CORE_WORK=FOLDER"
	exit 4
fi
work=$(readlink -f "$work")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n=0 failed=0

check() {	# NAME COMMAND...
	local name=$1
	shift
	n=$((n + 1))
	if ("$@") > "$scratch/log" 2>&1; then
		echo "ok $n - $name"
	else
		tail -n 30 "$scratch/log" | sed 's/^/# /'
		echo "not ok $n - $name"
		failed=1
	fi
}

# All but those of static libraries, which are not built, and of upstream's dumps of the ABI, which only stable releases
# have and other tools read: that is what the rest of this looks at. They need two modules that Python 3.13 comes without.
upstream_checks() {
	mkdir "$scratch/modules"
	echo 'from shlex import quote' > "$scratch/modules/pipes.py"
	printf '%s\n' 'def parse_version(text):' '    return [int(part) for part in text.split(".")]' \
		> "$scratch/modules/pkg_resources.py"
	sed -E 's/^def test_(static_libs|verbs_uapi)\(/def without_\1(/' "$work/src/buildlib/check-build" > "$scratch/check-build"
	PYTHONPATH=$scratch/modules python3 "$scratch/check-build" --src "$work/src" --build "$work/build"
}

# Debian's tool names every symbol that is there and not listed, and the other way round.
symbols_are_listed() {
	mkdir -p "$scratch/list/debian"
	cp "$work/src/debian/control" "$work/src/debian/changelog" "$scratch/list/debian"
	cd "$scratch/list"
	dpkg-gensymbols -plibibverbs1 -I"$work/src/debian/libibverbs1.symbols" -c4 -O"$scratch/symbols" \
		-e"$(readlink -f "$work/build/lib/libibverbs.so.1")"
}

no_symbol_is_lost() {
	! grep -vxFf "$work/src/debian/libibverbs1.symbols" "$scratch/unpatched/debian/libibverbs1.symbols" &&
		! cmp "$work/src/debian/libibverbs1.symbols" "$scratch/unpatched/debian/libibverbs1.symbols"
}

# Every named struct, union and enum of a preprocessed header, one a line, without what layout does not depend on.
definitions() {	# TREE
	mkdir -p "$scratch/include"
	ln -sfn "$1/libibverbs" "$scratch/include/infiniband"
	ln -sfn "$1/kernel-headers/rdma" "$scratch/include/rdma"
	cc -E -P -I"$scratch/include" -include infiniband/verbs.h -x c /dev/null | tr -s '[:space:]' ' ' | python3 -c '
import re, sys

text = sys.stdin.read()
for start in re.finditer(r"\b(?:struct|union|enum) (\w+) \{", text):
    depth, end = 1, start.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    print(text[start.start():end])' | sort
}

nothing_changed() {
	definitions "$scratch/unpatched" > "$scratch/before"
	definitions "$work/src" > "$scratch/after"
	[[ $(wc -l < "$scratch/before") -gt 200 ]]
	diff "$scratch/before" "$scratch/after" > "$scratch/difference" || true
	cat "$scratch/difference"
	! grep -q '^<' "$scratch/difference" && grep -q '^> struct ibv_mr_event ' "$scratch/difference"
}

mkdir "$scratch/unpatched"
tar -x -f "$work/tarball" --strip-components=1 -C "$scratch/unpatched"
echo 1..4
check "upstream's build checks" upstream_checks
check 'the list of symbols' symbols_are_listed
check 'no symbol is lost' no_symbol_is_lost
check 'no struct of verbs.h changed' nothing_changed
exit "$failed"
