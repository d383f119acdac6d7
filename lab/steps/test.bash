# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2154  # project, build and options come from run and options.bash
# ./run test: tests that need the same guest share a boot; every result goes into one file.

# Beside the limits of the tests themselves.
BOOT_SECONDS=300
# What a run of all tests is to fit in, where its kernels come from the cache.
RUN_SECONDS=3600

# "ID SECONDS TESTS" of each group that has run.
group_times=()

# Every guest test of the patched kernel that does not take longer than five minutes on it.
add_debug_kernels() {
	local variants
	mapfile -t variants < <(printf '%s\n' "$plan" | awk -F '\t' '
		$2 ~ /^guest/ && $4 == "patched" && $5 <= 300 && $1 !~ /@/ { all[n++] = $1 }
		END {
			for (i = 0; i < n; i++) print all[i] "@lockdep"
			for (i = 0; i < n; i++) print all[i] "@kasan"
		}')
	[ ${#variants[@]} -gt 0 ] || return 0
	plan+=$'\n'$(tests/run --list "${variants[@]}")
}

check_test() {
	local name
	if [ -n "$rounds" ]; then
		[ ${#names[@]} -gt 0 ] || wrong "--rounds wants the names of the tests that are to go round so often"
		[ "$debug" = 0 ] || wrong "--rounds goes with names such as race-slow@kasan, not with --debug"
		[ "$full" = 0 ] || wrong "--rounds and --full exclude each other"
		export ROUNDS=$rounds
	fi
	plan=$(tests/run --list "${names[@]}") || exit 2
	[ "$debug" = 0 ] || add_debug_kernels
	if [ "$list" = 1 ]; then
		printf '%s\n' "$plan" | awk -F '\t' '{
			need = $2 == "host" ? "host" : $2 ", " $3 ", " $4
			printf "%-24s %-28s %s\n", $1, need, $6 }'
		exit 0
	fi
	for name in "${names[@]}"; do
		[ "$(printf '%s\n' "${names[@]}" | grep -cxF -- "$name")" = 1 ] || wrong "\"$name\" is named twice"
	done
}

junit() {
	"${enter[@]}" -- python3 lab/steps/junit.py "$@"
}

# budget_percent NAME...: what those of these tests that go round get of their budgets; these are all that are still to come
budget_percent() {
	local percent=$((100 / SLOWNESS)) sum half
	# Chosen tests, and those of the debug kernels, may take their time.
	if [ ${#names[@]} -eq 0 ] && [ "$debug" = 0 ]; then
		sum=$(tests/run --budgets "$@")
		half=$(((RUN_SECONDS - SECONDS) / 2))
		[ "$half" -gt 0 ] || half=0
		[ $((sum * percent / 100)) -le "$half" ] || percent=$((half * 100 / sum))
	fi
	echo "$percent"
}

# Measured anew before each group: other load comes and goes.
measure_slowness() {
	SLOWNESS=$(lab/guest/slowness)
	export SLOWNESS
	[ "$SLOWNESS" = 1 ] || line "this machine" "$SLOWNESS times slower than the reference, and so long are the limits"
}

# run_group WHERE IOMMU KERNEL NAME...
run_group() {
	local where=$1 iommu=$2 kernel=$3 id=test-$1 title="tests ($3, $2)" nic=mlx5 second=() round=0 limit missing one log
	local since=$SECONDS count
	shift 3
	count=$#
	case $where in
	guest) id=test-$kernel-$iommu ;;
	guest-*)
		nic=${where#guest-}
		case $nic in
		pair) nic=mlx5 second=(--hosts 2) ;;
		metal) nic=mlx5 second=(--metal) ;;
		pair-*) nic=${nic#pair-} second=(--hosts 2) ;;
		switch) nic=mlx5 second=(--switch) ;;
		switch-*) nic=${nic#switch-} second=(--switch) ;;
		esac
		id=test-${where#guest-}-$kernel-$iommu title="tests (${where#guest-}, $kernel, $iommu)"
		[[ $nic != *+* ]] || second=(--second-nic "${nic#*+}")
		nic=${nic%+*}
		;;
	esac
	while [ $# -gt 0 ]; do
		round=$((round + 1))
		one=$id
		[ "$round" = 1 ] || one=$id-$round
		log=$build/log/$one.log
		rm -f "$build/report/junit/$one.xml"
		measure_slowness
		if [ "$where" = host ]; then
			host_tests "$one" "$@"
		else
			limit=$(printf '%s\n' "$plan" | awk -F '\t' -v names=" $* " -v boot="$BOOT_SECONDS" \
				'index(names, " " $1 " ") { sum += $5 } END { print sum + boot }')
			guest_step "$one" "$title" --linux "$version" --kernel "$kernel" --iommu "$iommu" --nic "$nic" "${second[@]}" --nvme \
				--timeout "$limit" --env SERIES="$series" --env ORIGIN="$origin" --env BASE="$base" --env JUNIT="/results/junit/$one.xml" \
				"${round_options[@]}" --env BUDGET="$(budget_percent "${to_come[@]}")" -- /project/tests/run-in-guest "$@"
		fi
		# A guest that failed is a failure of its own, even when its tests had all passed.
		[ "$guest_status" != 125 ] || junit died "build/report/junit/$one-guest.xml" "guest-$one" \
			"${log#"$project/"}"
		missing=$(junit missing "build/report/junit/$one.xml" "$@")
		[ -n "$missing" ] || break
		# shellcheck disable=SC2086
		set -- $missing
		line "$id" "$1 ended with no result"
		junit died "build/report/junit/$one-$1.xml" "$1" "${log#"$project/"}"
		shift
	done
	group_times+=("$id $((SECONDS - since)) $count")
}

# What each boot and its tests took.
print_groups() {
	local id seconds count
	while read -r id seconds count; do
		printf 'GROUP    %12s  %s (%s)\n' "$(duration "$seconds")" "$id" "$count"
	done < <([ ${#group_times[@]} -eq 0 ] || printf '%s\n' "${group_times[@]}")
}

host_tests() {
	local log=$build/log/$1.log since=$SECONDS
	export JUNIT=/project/build/report/junit/$1.xml PROGRAMS=/project/build/programs JOBS=$jobs
	shift
	[ "$terminal" = 1 ] || line "tests (host)" ...
	ENTER_KEEP="JUNIT PROGRAMS JOBS SLOWNESS" start_job "${enter[@]}" -- tests/run "$@" > "$log" 2>&1 < /dev/null
	start_progress "tests (host)" "$log" last_line
	guest_status=0
	wait "$job" || guest_status=$?
	end_job "$progress_job"
	forget_job "$job"
	line "tests (host)" "done in $(duration $((SECONDS - since)))"
}

# A cell that is red is a failed test already.
level_page() {
	compgen -G "$build/report/levels-*.json" > /dev/null || compgen -G "$build/report/devices-*.json" > /dev/null || return 0
	"${enter[@]}" -- python3 benchmarks/report/levels.py build/report || true
}

run_test() {
	local groups flavours where iommu kernel group_names one status=0 to_come=() round_options=()
	groups=$(printf '%s\n' "$plan" | awk -F '\t' '{
		key = $2 " " $3 " " $4
		if (!(key in names)) order[n++] = key
		names[key] = names[key] " " $1
	} END { for (i = 0; i < n; i++) print order[i] names[order[i]] }')
	flavours=$(printf '%s\n' "$plan" | awk -F '\t' '$2 ~ /^guest/ && !seen[$4]++ { print $4 }')
	# shellcheck disable=SC2086
	prepare $flavours
	for one in $(printf '%s\n' "$plan" | awk -F '\t' '$2 ~ /^guest-(pair-|switch-|.*\+)?irdma/ && !seen[$4]++ { print $4 }'); do
		step_irdma "$one"
	done
	# shellcheck disable=SC2086
	step_test_modules $flavours
	step_rdma_core
	step_perftest
	step_kselftests
	rm -rf "$build/report/junit" "$build/report/test.xml" "$build/report/rounds" "$build/report"/levels* "$build/report"/devices-*
	mkdir -p "$build/report/junit"
	[ -z "$rounds" ] || round_options=(--env ROUNDS="$rounds")
	[ "$full" = 0 ] || round_options=(--env FULL=1)
	mapfile -t to_come < <(printf '%s\n' "$groups" | cut -d ' ' -f 4- | tr ' ' '\n')
	while read -r where iommu kernel group_names <&3; do
		# shellcheck disable=SC2086
		run_group "$where" "$iommu" "$kernel" $group_names
		# shellcheck disable=SC2206
		group_names=($group_names)
		to_come=("${to_come[@]:${#group_names[@]}}")
	done 3<<< "$groups"
	line all "done in $(duration "$SECONDS")"
	level_page
	print_groups
	junit merge build/report/junit build/report/test.xml "$kernel_is" build/report/rounds || status=1
	exit "$status"
}
