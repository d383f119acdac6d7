#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# ./run test --debug runs every test by which only a debug kernel shows that a patch is missing (broken/shown-by), as TAP.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/../.."
n=0 failed=0
listed=$(./run test --debug --list | awk '{ print $1 }')
while read -r slug name; do
	n=$((n + 1))
	if grep -qxF -- "$name" <<< "$listed"; then
		echo "ok $n - $slug: $name"
	else
		echo "not ok $n - $slug: $name is not run by --debug"
		failed=1
	fi
done < <(awk -F '\t' '/^[^#]/ && $3 ~ /@/ { gsub(/,/, " ", $3); k = split($3, one, " ")
	for (i = 1; i <= k; i++) if (one[i] ~ /@(lockdep|kasan)$/) print $1, one[i] }' kernel/*/broken/shown-by | sort -u)
echo "1..$n"
[[ $n -gt 0 ]] || failed=1
exit "$failed"
