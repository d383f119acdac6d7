#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# perftest to and from a BAR, and with the BAR taken back in the middle: it ends, and says why.
set -euo pipefail

# shellcheck source=tests/verbs/pair.bash
. "$(dirname "$0")/pair.bash"

bin=${PERFTEST:-$TESTS/../build/perftest/opt/perftest}/bin
bar=--use_vfio_dmabuf=${EXPORTER:-none},bar=2,offset=0x100000
port=18700

run() {	# PROGRAM SERVER_OPTIONS CLIENT_OPTIONS OPTION...
	local program=$bin/$1 server_options=$2 client_options=$3
	shift 3
	port=$((port + 1))
	perftest_pair "$port" "$server_options" "$client_options" "$program" -d "$device" -F "$@"
}

ends_well() {	# NAME PROGRAM SERVER_OPTIONS CLIENT_OPTIONS OPTION...
	local name=$1 status=0
	shift
	run "$@"
	both_ended_well && row_has 4 && grep -qh 'of BAR 2 of VFIO' "$scratch"/*.log ||
		status=1
	report "$status" "$name"
}

# Both sides end with an error of their own, none hangs; the owner says why, the client names the status.
is_revoked() {	# NAME STATUS_TEXT PROGRAM SERVER_OPTIONS CLIENT_OPTIONS
	local name=$1 text=$2 status=0
	shift 2
	run "$@" -D 30 -s 65536
	[[ $client_status != 0 && $client_status != 12[45] && $server_status != 0 && $server_status != 124 ]] &&
		grep -qh 'the memory of BAR 2 is revoked now' "$scratch"/*.log && grep -q "$text" "$scratch/client.log" ||
		status=1
	report "$status" "$name"
}

# As the BAR's owner, when nobody else has the device.
bar_memory() {	# clear | find
	python3 - "$1" "$EXPORTER" <<- 'EOF'
	import sys
	from pyverbs.vfio import VfioDevice

	device = VfioDevice(sys.argv[2])
	if sys.argv[1] == "clear":
	    device.write(2, bytes(0x10000), 0x10000, 0x100000)
	elif device.read(2, 0x10000, 0x100000).count(bytes.fromhex("44332211" "88776655") * 512) < 1:
	    sys.exit("the 4096 bytes are not in the BAR")
	EOF
}

arrives() {
	bar_memory clear
	echo '0x11223344,0x55667788' > "$scratch/payload"
	run ib_write_bw "$bar" "--payload_file_path=$scratch/payload" -n 5 -s 4096
	both_ended_well && bar_memory find > "$scratch/find.log" 2>&1
}

refuses() {	# NAME OPTION TEXT
	local status=0
	"$bin/ib_write_bw" "$2" > "$scratch/refused.log" 2>&1 && status=1
	grep -q "$3" "$scratch/refused.log" || status=1
	report "$status" "$1"
	rm -f "$scratch/refused.log"
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
echo 1..20
for program in ib_write_bw ib_read_bw ib_send_bw ib_write_lat ib_read_lat ib_send_lat; do
	ends_well "$program, the server's memory" "$program" "$bar" '' -n 500 -s 4096
	ends_well "$program, the client's memory" "$program" '' "$bar" -n 500 -s 4096
done
ends_well "ib_atomic_bw, the server's memory" ib_atomic_bw "$bar" '' -n 500
ends_well "ib_write_bw of all sizes" ib_write_bw "$bar" '' -n 50 -a

status=0
"$bin/ib_write_bw" --help > "$scratch/help.log" || true	# its status is not 0
grep -q -- '--use_vfio_dmabuf=<BDF>' "$scratch/help.log" || status=1
report "$status" help
status=0
arrives || status=1
report "$status" 'what ib_write_bw writes is in the BAR'
refuses 'a wrong address' --use_vfio_dmabuf=nonsense 'takes <BDF>'
is_revoked 'a revoke under ib_write_bw' '10 (remote access error)' ib_write_bw "$bar,revoke=1" ''
is_revoked 'a revoke under ib_read_bw' '10 (remote access error)' ib_read_bw "$bar,revoke=1" ''
is_revoked 'a revoke of what is sent from' '4 (local protection error)' ib_write_bw '' "$bar,revoke=1"
exit "$failed"
