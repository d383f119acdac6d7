#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The programs of docs/for-verbs-users.md print what it says they do.
set -euo pipefail

document=$TESTS/../docs/for-verbs-users.md
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n=0 failed=0

# What the document shows below a command: the indented lines up to an empty one or the next command.
expected() {	# COMMAND
	awk -v command="$1" '
		index($0, "\t$ " command " ") == 1 { shown = 1; next }
		shown && !/^\t[^$]/ { exit }
		shown { print substr($0, 2) }' "$document"
}

prints_what_it_should() {	# NAME SHOWN_COMMAND COMMAND...
	local name=$1 shown=$2 status=0
	shift 2
	n=$((n + 1))
	timeout "$(patience 60)" "$@" > "$scratch/said" 2> "$scratch/errors" || status=$?
	expected "$shown" > "$scratch/expected"
	if [[ $status == 0 && -s $scratch/expected ]] && diff -u "$scratch/expected" "$scratch/said" > "$scratch/diff"; then
		echo "ok $n - $name"
		return
	fi
	echo "# status $status"
	sed 's/^/# /' "$scratch/errors" "$scratch/diff"
	echo "not ok $n - $name"
	failed=1
}

device=
runner_needs_devices
echo 1..4
nodes=("/sys/bus/pci/devices/$EXPORTER/vfio-dev/"*)
prints_what_it_should 'the C program' ./lend_to_nic \
	"$BUILD/tests/examples/lend_to_nic" "$device" "/dev/vfio/devices/${nodes[0]##*/}" 2
# This one takes what the distribution's rdma-core does not have.
"$TESTS/../docs/examples/extract" "$document" told.c > "$scratch/told.c"
cc -D_GNU_SOURCE -Wall -Wextra -Werror ${RDMA_CORE:+-I"$RDMA_CORE/include" -L"$RDMA_CORE/lib"} \
	-o "$scratch/told" "$scratch/told.c" -libverbs > "$scratch/built" 2>&1 || sed 's/^/# /' "$scratch/built"
prints_what_it_should 'the C program that is told' ./told \
	"$scratch/told" "$device" "/dev/vfio/devices/${nodes[0]##*/}" 2
"$TESTS/../docs/examples/extract" "$document" lend_to_nic.py > "$scratch/lend_to_nic.py"
prints_what_it_should 'the Python program' 'python3 lend_to_nic.py' \
	python3 "$scratch/lend_to_nic.py" "$device" "$EXPORTER" 2
n=$((n + 1))
lines=$(grep -c . "$scratch/lend_to_nic.py")
if [[ $lines -lt 30 ]]; then
	echo "ok $n - the Python program is short"
else
	echo "not ok $n - the Python program is short: it has $lines lines"
	failed=1
fi
exit "$failed"
