#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# kernel/check's verdict on the series, as TAP.
set -euo pipefail

check=$TESTS/../kernel/check
echo 1..1
if "$check" --quick 2>&1 | sed 's/^/# /'; then
	echo "ok 1 - series"
else
	echo "not ok 1 - series"
	exit 1
fi
