#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# nicctl against a running model: replies, exit statuses, messages.
# usage: test_nicctl.sh NICCTL NIC_COPY
set -euo pipefail

nicctl=$1 model=$2
work=$(mktemp -d)
coproc MODEL { exec "$model" --keep "$work/nic" "$work/control"; }
pid=$MODEL_PID
trap 'kill "$pid"; rm -rf "$work"' EXIT
read -r ready <&"${MODEL[0]}"
[ "$ready" = listening ]

failed=0
# check EXPECTED_STATUS EXPECTED_TEXT ARGUMENT...: the text is a pattern somewhere in the output
check() {
	local expected=$1 text=$2 status=0 output
	shift 2
	output=$("$nicctl" "$@" 2>&1) || status=$?
	if [ "$status" != "$expected" ] || [[ $output != *$text* ]]; then
		echo "FAILED: nicctl $*: status $status instead of $expected, or no \"$text\" in: $output"
		failed=1
	fi
}

socket=$work/control
check 0 'usage: nicctl' -h
check 2 'usage: nicctl'
check 2 'usage: nicctl' "$socket"
check 0 '"copy.slices": 0' "$socket" counters
check 0 'copy.slices 0' -l "$socket" counters
check 0 '"ok": true' "$socket" rule operation=umr action=fail status=3
check 1 'action is one of' "$socket" rule operation=umr action=explode
check 0 '"held": []' "$socket" '{"command":"held"}'
check 1 'there is no command nonsense' "$socket" nonsense
check 2 'is not KEY=VALUE' "$socket" wait counter
check 2 'not JSON' "$socket" '{"command"'
check 0 '"timed_out": false' "$socket" wait counter=copy.slices at_least=0
check 1 '"timed_out": true' "$socket" wait counter=copy.slices at_least=1 timeout_ms=10
check 2 'No such file' "$work/absent" counters
exit "$failed"
