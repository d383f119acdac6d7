#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# rdma-core's example ibv_dmabuf_lend: owner and peer see what they should, by each way to revoke.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n=0 failed=0

port_is_listened_to() {	# PORT
	local hex
	printf -v hex ':%04X ' "$1"
	cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | grep -q "$hex.* 0A "
}

wait_for_port() {	# PORT PID
	local tries
	tries=$(patience 600)
	for ((i = 0; i < tries; i++)); do
		port_is_listened_to "$1" && return
		kill -0 "$2" 2> /dev/null || return 1
		read -rt 0.05 _ <> <(:) || true
	done
	return 1
}

pair() {	# PORT HOW
	local owner status=0
	timeout "$(patience 60)" "$program" -d "$device" -p "$1" -s 65536 -l "$EXPORTER,bar=2" -r "$2" \
		> "$scratch/owner" 2>&1 &
	owner=$!
	wait_for_port "$1" "$owner" || status=1
	[[ $status != 0 ]] || timeout "$(patience 60)" "$program" -d "$device" -p "$1" -s 65536 127.0.0.1 \
		> "$scratch/peer" 2>&1 || status=1
	wait "$owner" || status=1
	return "$status"
}

# The peer's three writes end well, refused, and well.
three_writes() {
	[[ $(grep -c ': success$' "$scratch/peer") == 2 && $(sed -n 2p "$scratch/peer") == *": remote access error" ]]
}

program=${RDMA_CORE:+$RDMA_CORE/bin/}ibv_dmabuf_lend
if ! command -v "$program" > /dev/null; then
	runner_lack "ibv_dmabuf_lend is not there: say RDMA_CORE=PREFIX of a patched rdma-core"
	exit
fi
device=
runner_needs_devices
echo 1..3
port=18531
for how in memory request close; do
	n=$((n + 1)) port=$((port + 1)) status=0
	pair "$port" "$how" || status=1
	[[ $status == 0 ]] && { three_writes || status=1; }
	if [[ $status == 0 ]]; then
		echo "ok $n - $how"
	elif [[ $how == request ]] && grep -q 'cannot revoke a single dma-buf' "$scratch/owner"; then
		echo "ok $n - $how # SKIP the kernel cannot revoke a single dma-buf"
	else
		echo "not ok $n - $how"
		sed 's/^/# /' "$scratch"/* || true
		failed=1
	fi
done
exit "$failed"
