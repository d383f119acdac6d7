#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# perftest to and from a BAR, and with the BAR taken back in the middle: it ends, and says why.
set -euo pipefail

# shellcheck source=tests/verbs/pair.bash
. "$(dirname "$0")/pair.bash"
# shellcheck source=tests/verbs/perftest_bar.bash
. "$(dirname "$0")/perftest_bar.bash"

port=18700

ends_well() {	# NAME PROGRAM SERVER_OPTIONS CLIENT_OPTIONS OPTION...
	local name=$1 status=0
	shift
	run "$@"
	both_ended_well && has_figures "$1" && grep -qh 'of BAR 2 of VFIO' "$scratch"/*.log ||
		status=1
	report "$status" "$name"
}

refuses() {	# NAME OPTION TEXT
	local status=0
	"$bin/ib_write_bw" "$2" > "$scratch/refused.log" 2>&1 && status=1
	grep -q "$3" "$scratch/refused.log" || status=1
	report "$status" "$1"
	rm -f "$scratch/refused.log"
}

perftest_needs
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
echo 0x11223344,0x55667788 > "$scratch/payload"
payload_arrives "$scratch/payload" || status=1
report "$status" 'what ib_write_bw writes is in the BAR'
refuses 'a wrong address' --use_vfio_dmabuf=nonsense 'takes <BDF>'
is_revoked 'a revoke under ib_write_bw' server '10 (remote access error)' ib_write_bw "$bar,revoke=1" ''
is_revoked 'a revoke under ib_read_bw' server '10 (remote access error)' ib_read_bw "$bar,revoke=1" ''
is_revoked 'a revoke of what is sent from' client '4 (local protection error)' ib_write_bw '' "$bar,revoke=1"
exit "$failed"
