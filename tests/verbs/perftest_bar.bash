# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2154  # of pair.bash
# perftest with the memory of a VFIO device's BAR 2, in pairs (pair.bash).

bin=${PERFTEST:-$TESTS/../build/perftest/opt/perftest}/bin
# shellcheck disable=SC2034
bar=--use_vfio_dmabuf=${EXPORTER:-none},bar=2,offset=0x100000

# Says on TAP what this machine lacks: then the script ends. Sets device.
perftest_needs() {
	if [[ ! -x $bin/ib_write_bw ]]; then
		runner_lack "perftest with the patches is not there: say PERFTEST=PREFIX of one"
		exit
	fi
	runner_needs_devices
}

# Each pair on the next port after $port.
run() {	# PROGRAM SERVER_OPTIONS CLIENT_OPTIONS OPTION...
	local program=$bin/$1 server_options=$2 client_options=$3
	shift 3
	port=$((port + 1))
	perftest_pair "$port" "$server_options" "$client_options" "$program" -d "$device" -F "$@"
}

# Of bandwidth the rate counts: that of two bytes rounds to nothing where little is done in a second.
has_figures() {	# PROGRAM
	case $1 in
	*_bw) row_has 5 ;;
	*) row_has 4 ;;
	esac
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

# What a client writes is what its file says.
payload_arrives() {	# FILE (the client's)
	bar_memory clear
	run ib_write_bw "$bar" "--payload_file_path=$1" -n 5 -s 4096
	both_ended_well && bar_memory find > "$scratch/find.log" 2>&1
}
