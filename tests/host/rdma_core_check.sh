#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What the checks of the series for rdma-core and perftest say, without the builds, as TAP.
set -euo pipefail

n=0 failed=0
echo 1..2
for check in rdma-core-patches benchmarks/perftest-patches; do
	n=$((n + 1))
	if "$TESTS/../$check/check" --quick 2>&1 | sed 's/^/# /'; then
		echo "ok $n - $check"
	else
		echo "not ok $n - $check"
		failed=1
	fi
done
exit "$failed"
