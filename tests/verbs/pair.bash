# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# Server and client of one program, and what perftest prints: both on this machine, unless there is another one (PEER runs a
# program there, OWN_ADDRESS is where it finds this one), which has the same devices: then the client is there.

PAIR_SECONDS=$(patience 60)
PAIR_CLIENT=() PAIR_ADDRESS=127.0.0.1
if [[ -n ${PEER:-} && -n ${OWN_ADDRESS:-} ]]; then
	read -ra PAIR_CLIENT <<< "$PEER"
	PAIR_ADDRESS=$OWN_ADDRESS
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# shellcheck disable=SC2034  # failed is what the script ends with
n=0 failed=0

report() {	# STATUS NAME
	n=$((n + 1))
	if [[ $1 == 0 ]]; then
		echo "ok $n - $2"
		return
	fi
	echo "not ok $n - $2"
	echo "# exit status of the server ${server_status:--}, of the client ${client_status:--}"
	tail -n 40 "$scratch"/*.log 2> /dev/null | sed 's/^/# /' || true
	# shellcheck disable=SC2034
	failed=1
}

# Waits for a TCP server of that port: its socket is in state 0A (listening).
wait_for_port() {	# PORT PID
	local hex tries
	printf -v hex ':%04X ' "$1"
	tries=$(patience 600)
	for ((i = 0; i < tries; i++)); do
		cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | grep -q "$hex.* 0A " && return
		kill -0 "$2" 2> /dev/null || return 1
		read -rt 0.05 _ <> <(:) || true
	done
	return 1
}

# Runs both sides. Sets server_status and client_status: 124 hung, 125 had no server to talk to.
# Output: $scratch/{server,client}.log.
pair() {	# PORT SERVER_OPTIONS CLIENT_OPTIONS PROGRAM [ARGUMENT...]
	local port=$1 server_options=$2 client_options=$3 server
	shift 3
	server_status=0 client_status=0
	rm -f "$scratch"/*.log
	# shellcheck disable=SC2086
	timeout "$PAIR_SECONDS" "$@" -p "$port" $server_options > "$scratch/server.log" 2>&1 &
	server=$!
	if wait_for_port "$port" "$server"; then
		# shellcheck disable=SC2086
		timeout "$PAIR_SECONDS" "${PAIR_CLIENT[@]}" "$@" -p "$port" $client_options "$PAIR_ADDRESS" > "$scratch/client.log" 2>&1 ||
			client_status=$?
	else
		client_status=125
	fi
	wait "$server" || server_status=$?
}

both_ended_well() {
	[[ $server_status == 0 && $client_status == 0 ]]
}

# perftest measures its clock first; where others keep the CPU busy it may fail to, says so, and its times are no numbers.
clock_was_measured() {
	! grep -q 'Correlation coefficient' "$scratch"/*.log
}

# pair() until perftest could measure its clock. What ended badly is no reason to try again, whatever it said of the clock.
perftest_pair() {
	local try
	for ((try = 1; try <= 20; try++)); do
		pair "$@"
		if clock_was_measured || ! both_ended_well; then
			break
		fi
	done
}

# Every row of perftest's table has a number above 0 in that column.
row_has() {	# COLUMN
	awk -v column="$1" '
		/^ *#bytes/ { table = 1; next }
		table && $1 + 0 > 0 { rows++; if ($column + 0 > 0) good++ }
		END { exit !(rows > 0 && good == rows) }' "$scratch/client.log"
}
