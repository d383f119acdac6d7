#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The headers of kernel-headers/ are what the newest series makes, as TAP.
set -euo pipefail

project=$(cd "$TESTS/.." && pwd)
base=$("$project/kernel/bases" | head -n 1)
tree=$project/build/kernel/$base/patched-src
if [[ ! -e $tree/Makefile ]]; then
	echo "1..0 # SKIP this run has not made the source of Linux $base with the series"
	exit 4
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$project/kernel-headers/headers" "$work/"
"$project/kernel-headers/update-headers" --into "$work" "$tree"
n=0 failed=0
while read -r header; do
	n=$((n + 1))
	if diff -u "$project/kernel-headers/$header" "$work/$header" > "$work/diff" 2>&1; then
		echo "ok $n - $header"
	else
		echo "not ok $n - $header"
		sed 's/^/# /' "$work/diff" | head -n 40
		echo "# kernel-headers/update-headers ${tree#"$project"/} makes it what the series makes"
		failed=1
	fi
done < <({ cd "$project/kernel-headers" && find linux rdma -name '*.h'; cd "$work" && find linux rdma -name '*.h'; } | sort -u)
echo "1..$n"
exit "$failed"
