#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A process that opened an RDMA device and ended is freed by the kernel: its task_struct is followed from its exit
# to its release by two probes. (A verbs context that the driver refused kept a reference of the task, and mlx5's
# provider has several refused on the way to the one that it gets.)
set -euo pipefail

tracing=/sys/kernel/tracing
group=task_is_freed
opens=8
patience=$(patience 30)

if [[ ! -w $tracing/kprobe_events ]]; then
	echo "1..0 # SKIP no kprobe events in $tracing: the kernel has none, or this is not root"
	exit 4
fi

# shellcheck disable=SC2317,SC2329  # called by trap
end() {
	echo 0 > "$tracing/instances/$group/events/$group/enable"
	rmdir "$tracing/instances/$group"
	echo "-:$group/exited" >> "$tracing/kprobe_events"
	echo "-:$group/released" >> "$tracing/kprobe_events"
}

{
	echo "p:$group/exited exit_signals task=%di:x64"
	echo "p:$group/released __put_task_struct task=%di:x64"
} >> "$tracing/kprobe_events"
mkdir "$tracing/instances/$group"
trap end EXIT
echo 1 > "$tracing/instances/$group/events/$group/enable"

# How many ibv_devinfo have exited, and how many of them were not released since
count() {
	awk '/ibv_devinfo-.* exited: / { exited++; kept[$NF] = 1 }
		/ released: / { delete kept[$NF] }
		END { print exited + 0, length(kept) }' "$tracing/instances/$group/trace"
}

for ((i = 0; i < opens; i++)); do
	devices=$(ibv_devinfo)
done
[[ $devices == hca_id:* ]] || { echo "Bail out! ibv_devinfo opens no device" && exit 1; }

# The release comes after an RCU grace period or two, which nothing announces.
since=$SECONDS
read -r exited kept < <(count)
while [[ $kept != 0 ]] && ((SECONDS - since < patience)); do
	read -r -t 0.2 < <(exec tail -f /dev/null) || true
	read -r exited kept < <(count)
done
echo 1..2
if [[ $exited == "$opens" ]]; then
	echo "ok 1 - every exit was seen"
else
	echo "not ok 1 - every exit was seen: $exited of $opens"
fi
if [[ $kept == 0 ]]; then
	echo "ok 2 - no task is kept"
else
	echo "not ok 2 - no task is kept: $kept of $exited are, after $patience s"
fi
[[ $exited == "$opens" && $kept == 0 ]]
