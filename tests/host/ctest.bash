# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# What CTest says, as TAP.

# Results that were printed so far.
ctest_count=0

# ctest_as_tap ARGUMENT...: runs ctest, prints a line for each test and adds their number to ctest_count; its exit status
ctest_as_tap() {
	local log status=0

	log=$(mktemp)
	ctest --timeout "$(patience 120)" --output-on-failure --no-tests=error "$@" > "$log" 2>&1 || status=$?
	awk -v n="$ctest_count" '
		/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
			line = $0
			sub(/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: /, "", line)
			split(line, words, / /)
			if (line ~ /Passed/)
				print "ok " ++n " - " words[1]
			else if (line ~ /Skipped/)
				print "ok " ++n " - " words[1] " # SKIP it says that this machine cannot run it"
			else
				print "not ok " ++n " - " words[1]
			next
		}
		{ print "# " $0 }' "$log"
	ctest_count=$((ctest_count + $(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: ' "$log" || true)))
	rm -f "$log"
	return "$status"
}
