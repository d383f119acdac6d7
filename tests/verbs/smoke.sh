#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The everyday programs of verbs users on this NIC: they end well and say sane things.
set -euo pipefail

device=${IB_DEV:-}
n=0 failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

report() {	# STATUS NAME
	n=$((n + 1))
	if [[ $1 == 0 ]]; then
		echo "ok $n - $2"
		return
	fi
	echo "not ok $n - $2"
	sed "s/^/# /" "$scratch"/*.log 2> /dev/null || true
	failed=1
}

# Waits for a TCP server of that port: its socket is in state 0A (listening).
wait_for_port() {	# PORT PID
	local hex
	printf -v hex ':%04X ' "$1"
	for ((i = 0; i < 600; i++)); do
		cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | grep -q "$hex.* 0A " && return
		kill -0 "$2" 2> /dev/null || return 1
		read -rt 0.05 _ <> <(:) || true
	done
	return 1
}

# Server and client of one program; both must end well. Their output: $scratch/{server,client}.log.
pair() {	# PORT PROGRAM [ARGUMENT...]
	local port=$1 server status=0
	shift
	rm -f "$scratch"/*.log
	timeout 60 "$@" -p "$port" > "$scratch/server.log" 2>&1 &
	server=$!
	if wait_for_port "$port" "$server"; then
		timeout 60 "$@" -p "$port" 127.0.0.1 > "$scratch/client.log" 2>&1 || status=1
	else
		status=1
	fi
	wait "$server" || status=1
	return "$status"
}

# perftest measures its clock first; where others keep the CPU busy it may fail to, says so, and its times are no numbers.
clock_was_measured() {
	! grep -q 'Correlation coefficient' "$scratch"/*.log
}

# The last row of perftest's table: its column COLUMN must be a number above 0.
row_has() {	# COLUMN
	awk -v column="$1" '
		/^ *#bytes/ { table = 1; next }
		table && $1 + 0 > 0 { rows++; if ($column + 0 > 0) good++ }
		END { exit !(rows > 0 && good == rows) }' "$scratch/client.log"
}

if [[ -z $device ]]; then
	device=$(ibv_devices 2> /dev/null | awk 'NR > 2 { print $1; exit }') || true
fi
if [[ -z $device ]]; then
	runner_lack "there is no RDMA device (ibv_devices)"
	exit
fi
# An EFA has no connections: datagrams, reliable or not, to its one GID.
case $device in
efa* | rdmap*)
	pingpong=ibv_ud_pingpong arguments=(-g 0)
	perftests=(ib_write_bw ib_read_bw ib_send_bw ib_send_lat) perftest_arguments=(-c SRD -x 0)
	;;
*)
	pingpong=ibv_rc_pingpong arguments=()
	perftests=(ib_write_bw ib_read_bw ib_send_bw ib_write_lat) perftest_arguments=()
	;;
esac
echo 1..$((3 + ${#perftests[@]}))

devinfo() {
	rm -f "$scratch"/*.log
	ibv_devinfo -v -d "$device" > "$scratch/devinfo.log" 2>&1 &&
		grep -q "hca_id:.*$device" "$scratch/devinfo.log" &&
		grep -q 'PORT_ACTIVE' "$scratch/devinfo.log" &&
		grep -q 'general_odp_caps' "$scratch/devinfo.log" &&
		grep -qE 'fw_ver:\s*[0-9]+\.[0-9]+' "$scratch/devinfo.log" &&
		grep -qE 'max_qp:\s*[1-9]' "$scratch/devinfo.log"
}
status=0
devinfo || status=1
report "$status" ibv_devinfo

pingpong() {
	pair 18601 "$pingpong" -d "$device" -n 200 "${arguments[@]}" "$@" &&
		grep -qE '[0-9.]+ Mbit/sec' "$scratch/client.log" && grep -q '200 iters' "$scratch/server.log"
}
status=0
pingpong || status=1
report "$status" "$pingpong"
status=0
pingpong -e || status=1
report "$status" "${pingpong}_with_events"

port=18610
for program in "${perftests[@]}"; do
	port=$((port + 1))
	column=4	# average: of MB/s, or of microseconds (t_typical is 5)
	for ((try = 1; try <= 20; try++)); do
		status=0
		pair "$port" "$program" -d "$device" -n 200 -s 4096 -F "${perftest_arguments[@]}" || status=1
		! clock_was_measured || break
	done
	[[ $status == 0 ]] && { row_has "$column" || status=1; }
	report "$status" "$program"
done
exit "$failed"
