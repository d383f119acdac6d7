#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# CTest on a machine without the lab's control ports: what needs them is skipped with the reason, the rest runs, as TAP.
set -euo pipefail

if ! command -v ctest > /dev/null; then
	echo "1..0 # SKIP ctest is not installed"
	exit 4
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The build's own folder may not be for writing.
echo "subdirs($BUILD)" > "$work/CTestTestfile.cmake"

n=0 failed=0
verdict() {	# NAME WANTED RESULT...
	n=$((n + 1))
	if [[ " ${*:3} " == " $2 " ]]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1: ${*:3}, expected $2"
		failed=1
	fi
}

# Programs that say so, and their rows of the manifest for a guest with its usual NIC.
programs=$(cd "$TESTS" && grep -l TEST_NEEDS_LAB verbs/*.c levels/*.c vfio/*.c | sed 's/\.c$//' | paste -sd '|')
mapfile -t names < <(awk -F '\t' -v programs="^($programs)( |\$)" '!/^#/ && $2 == "guest" && $4 == "patched" && $6 ~ programs { print $1 }' \
	"$TESTS/manifest")
if [[ ${#names[@]} == 0 ]]; then
	echo "Bail out! no test of the manifest needs the lab"
	exit 1
fi
# One that needs nothing of the lab.
runs=revoke-remote
env -u JUNIT ctest --test-dir "$work" --output-on-failure \
	--tests-regex "^($(IFS='|' && echo "${names[*]}|$runs"))\$" > "$work/output" 2>&1 || true
sed 's/^/# /' "$work/output"
result() {
	sed -nE "s/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: $1 \.* *(\*+)?(Passed|Skipped|Failed|Timeout|Not Run).*/\2/p" "$work/output"
}
for name in "${names[@]}"; do
	verdict "$name is skipped" Skipped "$(result "$name")"
done
verdict "$runs runs" Passed "$(result "$runs")"
verdict "the reason is said" yes "$(grep -q 'SKIP.* is not one of the lab' "$work/Testing/Temporary/LastTest.log" && echo yes || echo no)"
echo "1..$n"
exit "$failed"
