# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2154  # project, build and options come from run and options.bash
# ./run shell

check_shell() {
	if [ ${#guest_command[@]} -eq 0 ] && { [ ! -t 0 ] || [ ! -t 1 ]; }; then
		wrong "a shell needs a terminal; give a command: ./run shell -- COMMAND"
	fi
	[ -z "$switch" ] || [ "${iommu:-none}$second_nic$hosts" = none1 ] ||
		wrong "--switch goes with --iommu none, one NIC and one host"
	[ -z "$metal" ] || [ "$hosts" = 1 ] || wrong "--metal goes with one host"
}

run_shell() {
	local arguments applied status=0
	prepare "$flavour"
	arguments=(--name shell --linux "$version" --kernel "$flavour" ${iommu:+--iommu "$iommu"} --nic "$nic" ${second_nic:+--second-nic "$second_nic"})
	applied=$series
	[ "$flavour" != stock ] || applied=none
	arguments+=(--env SERIES="$applied" --env ORIGIN="$origin" --env BASE="$base")
	[ "$hosts" = 1 ] || arguments+=(--hosts "$hosts")
	[ -z "$nvme" ] || arguments+=(--nvme)
	[ -z "$switch" ] || arguments+=(--switch)
	[ -z "$metal" ] || arguments+=(--metal)
	if [ ${#guest_command[@]} -gt 0 ]; then
		start_job "$project/lab/guest/boot" "${arguments[@]}" -- "${guest_command[@]}" < /dev/null
		wait "$job" || status=$?
		forget_job "$job"
		exit "$status"
	fi
	# The guest owns the terminal, Ctrl-C included; boot ends what it started.
	trap '' INT
	"$project/lab/guest/boot" "${arguments[@]}" {lock}>&- || status=$?
	exit "$status"
}
