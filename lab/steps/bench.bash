# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2154  # project, build and options come from run and options.bash
# ./run bench

check_bench() {
	[ -x benchmarks/run-in-guest ] || wrong "benchmarks/run-in-guest is not there"
}

# measure FLAVOUR FOLDER: FOLDER is below build/report
measure() {
	local applied=$series title="run ($1)"
	[ "$1" != stock ] || applied=none
	mkdir -p "$build/report/$2"
	rm -f "$build/report/$2/bench.json"
	guest_step "bench-$1" "$title" --kernel "$1" --iommu pt --env QUICK="$quick" --env SERIES="$applied" \
		--env RESULTS="/results/$2" -- /project/benchmarks/run-in-guest
	[ "$guest_status" = 0 ] || fail "$title" "$build/log/bench-$1.log" "failed with status $guest_status"
	[ -s "$build/report/$2/bench.json" ] ||
		fail "$title" "$build/log/bench-$1.log" "left no figures in build/report/$2/bench.json"
}

run_bench() {
	local flavours=(patched) report=(build/report/bench.json)
	[ "$compare" = 0 ] || flavours+=(stock)
	prepare "${flavours[@]}"
	measure patched .
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
