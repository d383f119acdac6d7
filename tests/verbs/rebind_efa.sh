#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# An EFA's driver goes and comes back: the device keeps nothing of before, and serves again.
set -euo pipefail

n=0 failed=0
report() {	# STATUS NAME
	n=$((n + 1))
	if [[ $1 == 0 ]]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

function=
for one in /sys/bus/pci/drivers/efa/????:*; do
	[[ ! -e $one ]] || { function=$(basename "$one") && break; }
done
if [[ -z $function ]]; then
	runner_lack "no PCI function is bound to the driver efa"
	exit
fi
if [[ ${TESTS_MAY_UNBIND:-0} != 1 ]]; then
	runner_lack "the driver of $function may not be unbound: say TESTS_MAY_UNBIND=1"
	exit
fi
if [[ -e /dev/virtio-ports/lab.nic ]]; then
	exec {lab}<> /dev/virtio-ports/lab.nic
fi

# What the lab's model counts as alive; nothing where there is no model.
alive() {
	local state
	[[ -n ${lab:-} ]] || return 0
	echo '{"command": "state"}' >&"$lab"
	read -r -t "$(patience 20)" state <&"$lab"
	jq -c '[.eqs, .cqs, .qps, .mrs, .ahs, .pds, .uars] | add' <<< "$state"
}

rdma_device() {
	basename /sys/bus/pci/devices/"$function"/infiniband/*
}

# Waits for a TCP server of that port: its socket is in state 0A (listening).
wait_for_port() {	# PORT PID
	local hex tries
	printf -v hex ':%04X ' "$1"
	tries=$(patience 600)
	for ((i = 0; i < tries; i++)); do
		cat /proc/net/tcp /proc/net/tcp6 | grep -q "$hex.* 0A " && return
		kill -0 "$2" 2> /dev/null || return 1
		read -rt 0.05 _ <> <(:) || true
	done
	return 1
}

serves() {	# PORT
	local device server
	device=$(rdma_device)
	ibv_devinfo -d "$device" | grep -q PORT_ACTIVE || return 1
	timeout "$(patience 60)" ibv_ud_pingpong -d "$device" -g 0 -p "$1" -n 50 > /dev/null &
	server=$!
	wait_for_port "$1" "$server" &&
		timeout "$(patience 60)" ibv_ud_pingpong -d "$device" -g 0 -p "$1" -n 50 127.0.0.1 > /dev/null && wait "$server"
}

unbind() {
	echo "$function" > /sys/bus/pci/drivers/efa/unbind
}

bind() {
	echo "$function" > /sys/bus/pci/drivers/efa/bind
}

is_clean() {
	[[ ! -e /sys/bus/pci/devices/$function/infiniband && $(alive) =~ ^0?$ ]]
}

again() {	# PORT
	unbind && is_clean && bind && serves "$1"
}

after_a_reset() {	# PORT
	unbind && echo 1 > "/sys/bus/pci/devices/$function/reset" && is_clean && bind && serves "$1"
}

# A context that is open keeps the driver: it goes when the program does.
with_a_user() {	# PORT
	local user waiter
	ibv_ud_pingpong -d "$(rdma_device)" -g 0 -p "$1" > /dev/null &
	user=$!
	wait_for_port "$1" "$user" || return 1
	unbind &
	waiter=$!
	kill -KILL "$user"
	{ wait "$user" || true; } 2> /dev/null
	wait "$waiter" && is_clean && bind && serves $(($1 + 1))
}

echo 1..5
for round in 1 2 3; do
	status=0
	again $((18700 + round)) || status=1
	report "$status" "unbound_and_bound_$round"
done
status=0
after_a_reset 18704 || status=1
report "$status" reset_between
status=0
with_a_user 18705 || status=1
report "$status" killed_user
exit "$failed"
