#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# kernel/check's verdict on the series, as TAP.
set -euo pipefail

check=$TESTS/../kernel/check
if [[ ! -x $check ]]; then
	echo "1..0 # SKIP kernel/check is not there"
	exit 4
fi
echo 1..1
if "$check" --quick 2>&1 | sed 's/^/# /'; then
	echo "ok 1 - series"
else
	echo "not ok 1 - series"
	exit 1
fi
