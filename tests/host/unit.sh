#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The unit tests that CTest knows by the label host, as TAP.
set -euo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
ctest --test-dir "$BUILD" --timeout "$(patience 120)" --label-regex '^host$' --output-on-failure --no-tests=error > "$log" 2>&1 || status=$?
awk '
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
	{ print "# " $0 }
	END { print "1.." n + 0 }' "$log"
exit "$status"
