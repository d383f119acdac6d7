#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# perftest between two hosts: each writes into the other's BAR, and a BAR that is taken back in the middle ends both sides.
set -euo pipefail

# shellcheck source=tests/verbs/pair.bash
. "$(dirname "$0")/pair.bash"

bin=${PERFTEST:-$TESTS/../build/perftest/opt/perftest}/bin
bar=--use_vfio_dmabuf=${EXPORTER:-none},bar=2,offset=0x100000
port=18800

run() {	# PROGRAM SERVER_OPTIONS CLIENT_OPTIONS OPTION...
	local program=$bin/$1 server_options=$2 client_options=$3
	shift 3
	port=$((port + 1))
	perftest_pair "$port" "$server_options" "$client_options" "$program" -d "$device" -F "$@"
}

ends_well() {	# NAME BARS PROGRAM SERVER_OPTIONS CLIENT_OPTIONS OPTION...
	local name=$1 bars=$2 status=0
	shift 2
	run "$@"
	# Those who lend a BAR say so, each in his own log.
	both_ended_well && row_has 4 && [[ $(grep -lh 'of BAR 2 of VFIO' "$scratch"/*.log | wc -l) == "$bars" ]] || status=1
	report "$status" "$name"
}

# Both sides end with an error of their own, none hangs; the owner says why, the client names the status.
is_revoked() {	# NAME OWNER STATUS_TEXT PROGRAM SERVER_OPTIONS CLIENT_OPTIONS
	local name=$1 owner=$2 text=$3 status=0
	shift 3
	run "$@" -D 30 -s 65536
	[[ $client_status != 0 && $client_status != 12[45] && $server_status != 0 && $server_status != 124 ]] &&
		grep -q 'the memory of BAR 2 is revoked now' "$scratch/$owner.log" && grep -q "$text" "$scratch/client.log" ||
		status=1
	report "$status" "$name"
}

# As the BAR's owner, when nobody else has the device.
bar_memory() {	# clear | find
	python3 - "$1" "$EXPORTER" <<- 'END'
	import sys
	from pyverbs.vfio import VfioDevice

	device = VfioDevice(sys.argv[2])
	if sys.argv[1] == "clear":
	    device.write(2, bytes(0x10000), 0x10000, 0x100000)
	elif device.read(2, 0x10000, 0x100000).count(bytes.fromhex("44332211" "88776655") * 512) < 1:
	    sys.exit("the 4096 bytes are not in the BAR")
	END
}

arrives() {
	bar_memory clear
	$PEER sh -c 'echo 0x11223344,0x55667788 > /tmp/payload'
	run ib_write_bw "$bar" '--payload_file_path=/tmp/payload' -n 5 -s 4096
	both_ended_well && bar_memory find > "$scratch/find.log" 2>&1
}

if [[ ! -x $bin/ib_write_bw ]]; then
	runner_lack "perftest with the patches is not there: say PERFTEST=PREFIX of one"
	exit
fi
device=${IB_DEV:-$(ibv_devices 2> /dev/null | awk 'NR > 2 { print $1; exit }')}
if [[ -z $device || -z ${EXPORTER:-} ]]; then
	runner_lack "there is no RDMA device (ibv_devices), or no PCI function is bound to vfio-pci (EXPORTER=BDF)"
	exit
fi
if [[ -z ${PEER:-} || -z ${OWN_ADDRESS:-} ]]; then
	runner_lack "there is no other host: PEER says how to run a program there (ssh HOST), OWN_ADDRESS where it reaches this one"
	exit
fi
echo 1..8
ends_well "ib_write_bw into this host's BAR" 1 ib_write_bw "$bar" '' -n 500 -s 65536
ends_well "ib_write_bw, each into the other's BAR" 2 ib_write_bw "$bar" "$bar" -n 500 -s 65536 -b
ends_well "ib_read_bw out of this host's BAR" 1 ib_read_bw "$bar" '' -n 500 -s 65536
ends_well "ib_write_lat between the BARs" 2 ib_write_lat "$bar" "$bar" -n 500 -s 4096
status=0
arrives || status=1
report "$status" "what the other host's ib_write_bw writes is in the BAR"
is_revoked "a revoke under the other host's ib_write_bw" server '10 (remote access error)' \
	ib_write_bw "$bar,revoke=1" ''
is_revoked "a revoke under the other host's ib_read_bw" server '10 (remote access error)' ib_read_bw "$bar,revoke=1" ''
is_revoked 'a revoke of what the other host sends from' client '4 (local protection error)' \
	ib_write_bw '' "$bar,revoke=1"
exit "$failed"
