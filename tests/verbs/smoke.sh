#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The everyday programs of verbs users on this NIC: they end well and say sane things.
set -euo pipefail

# shellcheck source=tests/verbs/pair.bash
. "$(dirname "$0")/pair.bash"

device=${IB_DEV:-}
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
	port_folder=/sys/class/infiniband/$device/ports/1
	if [[ $(< "$port_folder/link_layer") = Ethernet ]]; then
		# RoCE routes by GID: the first of version 2 that is an IPv4 address.
		for gid in "$port_folder"/gids/*; do
			index=${gid##*/}
			[[ $(< "$gid") == 0000:0000:0000:0000:0000:ffff:* ]] || continue
			[[ $(cat "$port_folder/gid_attrs/types/$index" 2> /dev/null) = *v2* ]] || continue
			arguments=(-g "$index") perftest_arguments=(-x "$index")
			break
		done
		if [[ ${#arguments[@]} -eq 0 ]]; then
			runner_lack "$device has no GID of RoCE v2: give its network interface an IPv4 address"
			exit
		fi
	fi
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
	pair 18601 '' '' "$pingpong" -d "$device" -n 200 "${arguments[@]}" "$@"
	both_ended_well &&
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
	status=0
	perftest_pair "$port" '' '' "$program" -d "$device" -n 200 -s 4096 -F "${perftest_arguments[@]}"
	both_ended_well && row_has "$column" || status=1
	report "$status" "$program"
done
exit "$failed"
