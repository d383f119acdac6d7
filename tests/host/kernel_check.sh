#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# kernel/check's verdict on the patches of every version whose source a run has made, as TAP.
set -euo pipefail

kernel=$TESTS/../kernel
n=0 failed=0
for base in $("$kernel/bases"); do
	[[ -e $TESTS/../build/kernel/$base/src ]] || continue
	n=$((n + 1))
	if "$kernel/check" --base "$base" --quick 2>&1 | sed 's/^/# /'; then
		echo "ok $n - patches of $base"
	else
		echo "not ok $n - patches of $base"
		failed=1
	fi
done
echo "1..$n"
exit "$failed"
