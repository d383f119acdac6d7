#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# dmabuf_levels tells of the NIC what its driver is known for, and what a registration then finds. What it told goes to
# $RESULTS/devices-DRIVER.json, for the page of benchmarks/report/levels.py.
#
#   tests/verbs/dmabuf_levels.sh DRIVER LEVEL ODP      as mlx5_core faulting true
set -euo pipefail

program=$BUILD/tools/dmabuf_levels
n=0 failed=0

report() {	# STATUS NAME [WHAT_WAS_SEEN]
	n=$((n + 1))
	if [[ $1 == 0 ]]; then
		echo "ok $n - $2"
		return
	fi
	echo "not ok $n - $2"
	printf '%s\n' "${3:-}" | sed 's/^/# /'
	failed=1
}

holds() {	# NAME FILTER
	local status=0
	jq --exit-status "$2" <<< "$answer" > /dev/null || status=1
	report "$status" "$1" "$answer"
}

if [[ -z $(ibv_devices 2> /dev/null | awk 'NR > 2') ]]; then
	runner_lack "there is no RDMA device (ibv_devices)"
	exit
fi
echo 1..7
answer=$("$program" --json)
[[ -z ${RESULTS:-} || ${LAB_KERNEL:-patched} != patched ]] || printf '%s\n' "$answer" > "$RESULTS/devices-$1.json"
device=$(jq --raw-output '.[0].device' <<< "$answer")
holds "one device" 'length == 1'
holds "its driver" ".[0].driver == \"$1\""
holds "its level" ".[0].level == \"$2\""
holds "its ODP" ".[0].odp == $3"
holds "it registers dma-bufs" '.[0].registers_dmabuf and .[0].refusal == ""'

table=$("$program" --ib-dev="$device")
status=0
grep -qE "^$device +$1 +$2 " <<< "$table" || status=1
report "$status" "the table" "$table"
status=0
"$program" --ib-dev=none > /dev/null 2>&1 || status=$?
report $((status != 4)) "no such device: exit status 4, not $status"
exit "$failed"
