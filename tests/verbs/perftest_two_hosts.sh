#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# perftest between two hosts: each writes into the other's BAR, and a BAR that is taken back in the middle ends both sides.
set -euo pipefail

# shellcheck source=tests/verbs/pair.bash
. "$(dirname "$0")/pair.bash"
# shellcheck source=tests/verbs/perftest_bar.bash
. "$(dirname "$0")/perftest_bar.bash"

port=18800

ends_well() {	# NAME BARS PROGRAM SERVER_OPTIONS CLIENT_OPTIONS OPTION...
	local name=$1 bars=$2 status=0
	shift 2
	run "$@"
	# Those who lend a BAR say so, each in his own log.
	both_ended_well && has_figures "$1" && [[ $(grep -lh 'of BAR 2 of VFIO' "$scratch"/*.log | wc -l) == "$bars" ]] || status=1
	report "$status" "$name"
}

perftest_needs
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
$PEER sh -c 'echo 0x11223344,0x55667788 > /tmp/payload'
payload_arrives /tmp/payload || status=1
report "$status" "what the other host's ib_write_bw writes is in the BAR"
is_revoked "a revoke under the other host's ib_write_bw" server '10 (remote access error)' \
	ib_write_bw "$bar,revoke=1" ''
is_revoked "a revoke under the other host's ib_read_bw" server '10 (remote access error)' ib_read_bw "$bar,revoke=1" ''
is_revoked 'a revoke of what the other host sends from' client '4 (local protection error)' \
	ib_write_bw '' "$bar,revoke=1"
exit "$failed"
