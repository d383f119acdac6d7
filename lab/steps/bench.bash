# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2154  # project, build and options come from run and options.bash
# ./run bench

check_bench() {
	[ -x benchmarks/run-in-guest ] || wrong "benchmarks/run-in-guest is not there"
}

# measure FLAVOUR FOLDER [NIC]: FOLDER is below build/report; with a NIC only what stands beside the first's
measure() {
	local applied=$series title="run ($1${3:+, $3})" log=bench-$1${3:+-$3} options=()
	[ "$1" != stock ] || applied=none
	[ -z "${3:-}" ] || options=(--nic "$3" --env BESIDE=1)
	mkdir -p "$build/report/$2"
	rm -f "$build/report/$2/bench.json"
	guest_step "$log" "$title" --linux "$version" --kernel "$1" --iommu pt --env QUICK="$quick" --env SERIES="$applied" --env ORIGIN="$origin" --env BASE="$base" \
		"${options[@]}" --env RESULTS="/results/$2" -- /project/benchmarks/run-in-guest
	[ "$guest_status" = 0 ] || fail "$title" "$build/log/$log.log" "failed with status $guest_status"
	[ -s "$build/report/$2/bench.json" ] ||
		fail "$title" "$build/log/$log.log" "left no figures in build/report/$2/bench.json"
}

run_bench() {
	local beside flavours=(patched) report=(build/report/bench.json)
	[ "$compare" = 0 ] || flavours+=(stock)
	prepare "${flavours[@]}"
	step_irdma patched
	step_perftest
	measure patched .
	for beside in irdma efa; do
		measure patched "$beside" "$beside"
		report+=(--beside "build/report/$beside/bench.json")
	done
	if [ "$compare" = 1 ]; then
		measure stock stock
		report+=(--compare build/report/stock/bench.json)
	fi
	step report "report" "$RANDOM.$EPOCHREALTIME" last_line \
		"${enter[@]}" -- python3 benchmarks/report/report.py "${report[@]}"
	echo
	sed "s|/project/|$project/|" "$build/log/report.log"
	line all "done in $(duration "$SECONDS")"
}
