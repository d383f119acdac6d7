# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2154  # build, in_root and bound are the sourcing script's
# Sourced by boot and boot-pair, with $build and $root set.

# Programs of the root run on this host by the root's own loader, whatever the host's libc.
in_root=("$root/lib64/ld-linux-x86-64.so.2"
	--library-path "$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu")
# Whoever ends this script by force ends them too.
bound=(setpriv --pdeathsig KILL --)

# start_model MODEL OUTPUT "SOCKET..." OPTION...: returns when all these sockets are there; its id is in model_pid.
start_model() {
	local model=$1 output=$2 sockets=$3 program=$build/programs/lab/nic/$1/nic-$1 i one missing
	shift 3
	[ -x "$program" ] || { echo "boot: there is no device model $program" >&2 && exit 125; }
	"${bound[@]}" "${in_root[@]}" "$program" "$@" > "$output" 2>&1 < /dev/null &
	model_pid=$!
	for ((i = 0; i < 500 * ${SLOWNESS:-1}; i++)); do
		missing=
		for one in $sockets; do [ -S "$one" ] || missing=1; done
		[ -n "$missing" ] || return 0
		kill -0 "$model_pid" 2> /dev/null || break
		sleep 0.02
	done
	echo "boot: the device model $model did not come up:" >&2
	tail -n 20 "$output" >&2
	exit 125
}
