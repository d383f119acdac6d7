# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# What run and run-in-guest share: the manifest, one test's run, and the JUnit file of all of them.
# Sourced with TESTS set to this folder.

# shellcheck source=lab/guest/flavour.bash
. "$TESTS/../lab/guest/flavour.bash"

# shellcheck disable=SC2034  # for those who source this
declare -A WHERE IOMMU KERNEL SECONDS_OF COMMAND DESCRIPTION
NAMES=()

runner_read_manifest() {
	local name where iommu kernel seconds command description

	while IFS=$'\t' read -r name where iommu kernel seconds command description; do
		[[ -z $name || $name == \#* ]] && continue
		NAMES+=("$name")
		# shellcheck disable=SC2034
		WHERE[$name]=$where IOMMU[$name]=$iommu KERNEL[$name]=$kernel
		SECONDS_OF[$name]=$seconds COMMAND[$name]=$command DESCRIPTION[$name]=$description
	done < "${MANIFEST:-$TESTS/manifest}"
	[[ -z ${ROUNDS:-} ]] || runner_set_rounds "$ROUNDS"
}

# Tests that go round --iters times go round so often instead, whatever that takes, and may take longer in proportion.
runner_set_rounds() {
	local name

	for name in "${NAMES[@]}"; do
		[[ ${COMMAND[$name]} =~ --iters=([0-9]+) ]] || continue
		COMMAND[$name]=${COMMAND[$name]/${BASH_REMATCH[0]}/--iters=$1}
		SECONDS_OF[$name]=$((SECONDS_OF[$name] * (($1 + BASH_REMATCH[1] - 1) / BASH_REMATCH[1])))
		runner_set_budget "$name" ''
	done
}

# runner_set_budget NAME SECONDS: what the manifest says as --budget=CASESxSECONDS becomes --budget=SECONDS, of each case, or
# nothing.
runner_set_budget() {
	local words word kept=()

	read -ra words <<< "${COMMAND[$1]}"
	for word in "${words[@]}"; do
		if [[ $word != --budget=* ]]; then
			kept+=("$word")
		elif [[ -n $2 ]]; then
			kept+=("--budget=$2")
		fi
	done
	COMMAND[$1]=${kept[*]}
}

# runner_budget NAME PERCENT: that share of the budget of each case, on a kernel that checks itself of more. Sets budget.
runner_budget() {
	local hundredths

	budget=
	[[ ${COMMAND[$1]} =~ \ --budget=([0-9]+)x([0-9]+) ]] || return 0
	hundredths=$((BASH_REMATCH[2] * $2 * $(runner_slowness "${KERNEL[$1]}")))
	# 0 would be no budget at all.
	printf -v budget '%d.%02d' $((hundredths / 100)) $((hundredths > 0 ? hundredths % 100 : 1))
}

# The seconds that all cases of all these tests have together.
runner_budgets() {
	local name sum=0

	for name in "$@"; do
		[[ ${COMMAND[$name]} =~ \ --budget=([0-9]+)x([0-9]+) ]] || continue
		sum=$((sum + BASH_REMATCH[1] * BASH_REMATCH[2]))
	done
	echo "$sum"
}

# patience SECONDS: for what may take so long, on a machine that may be slow (SLOWNESS, of lab/guest/slowness).
patience() {
	echo $(($1 * ${SLOWNESS:-1}))
}

# How many times longer a test may take on a kernel that checks itself.
runner_slowness() {
	if checks_itself "$1"; then
		echo 5
	else
		echo 1
	fi
}

# NAME@KERNEL is the guest test NAME on another kernel than its own.
runner_add_variant() {
	local base=${1%@*} kernel=${1#*@}

	[[ ${WHERE[$base]:-} == guest* && $kernel =~ ^(stock|patched|lockdep|kasan|mutant-[a-z0-9-]+|without-[a-z0-9][a-z0-9-]*)$ ]] || return 0
	# shellcheck disable=SC2034
	WHERE[$1]=${WHERE[$base]} IOMMU[$1]=${IOMMU[$base]} KERNEL[$1]=$kernel
	SECONDS_OF[$1]=$((SECONDS_OF[$base] * $(runner_slowness "$kernel"))) COMMAND[$1]=${COMMAND[$base]} DESCRIPTION[$1]=${DESCRIPTION[$base]}
}

# A name that nobody has ends the program.
runner_check_names() {
	local name

	for name in "$@"; do
		[[ $name != *@* ]] || runner_add_variant "$name"
		if [[ -z ${COMMAND[$name]:-} ]]; then
			echo "$0: there is no test \"$name\" (--list shows those that are there)" >&2
			exit 2
		fi
	done
}

# Where the build is: said by PROGRAMS, else the usual places.
runner_programs() {
	local folder

	for folder in ${PROGRAMS:+"$PROGRAMS"} "$TESTS/../build/programs" "$TESTS/../build"; do
		[[ -d $folder/tests ]] && { realpath "$folder"; return; }
	done
	echo "$0: the programs are not built: cmake -S . -B build && cmake --build build, or say PROGRAMS=FOLDER" >&2
	return 1
}

# A test that cannot run here is skipped on metal; the lab lacks nothing, so there it fails.
runner_lack() {
	if [[ -n ${LAB_KERNEL:-} ]]; then
		echo "Bail out! $1"
		return 1
	fi
	echo "1..0 # SKIP $1"
	return 4
}

# For scripts that need both: sets device to the RDMA device, or ends the script.
runner_needs_devices() {
	device=${IB_DEV:-$({ ibv_devices 2> /dev/null || true; } | awk 'NR > 2 { print $1; exit }')}
	if [[ -z $device || -z ${EXPORTER:-} ]]; then
		runner_lack "there is no RDMA device (ibv_devices), or no PCI function is bound to vfio-pci (EXPORTER=BDF)"
		exit
	fi
}

# Prints TAP. $1: name, the rest: more arguments for the command.
runner_command() {
	local -a words
	local program budget=

	[[ -n ${FULL:-} ]] || runner_budget "$1" "${BUDGET:-100}"
	runner_set_budget "$1" "$budget"
	read -ra words <<< "${COMMAND[$1]}"
	shift
	if [[ -f $TESTS/${words[0]} && -x $TESTS/${words[0]} ]]; then
		program=$TESTS/${words[0]}
	else
		program=$BUILD/tests/${words[0]}
		if [[ ! -x $program ]]; then
			runner_lack "${words[0]} was not built: the build's configuration says what it lacked"
			return
		fi
		if [[ -z ${EXPORTER:-} ]]; then
			runner_lack "no PCI function is bound to vfio-pci: bind one, or say EXPORTER=BDF"
			return
		fi
		words+=("$@")
	fi
	"$program" "${words[@]:1}"
}

# Runs the named tests; status 1 if one of them failed, SKIPPED_STATUS (default 0) if every case of all was skipped.
# $1 and $2: options for every program of the build, or empty.
runner_run() {
	local exporter=$1 device=$2 name status failed=0 ran=0 started
	local -a arguments=()
	shift 2

	[[ -n $exporter ]] && arguments+=(--exporter "$exporter")
	[[ -n $device ]] && arguments+=(--ib-dev "$device")
	BUILD=$(runner_programs)
	export BUILD TESTS
	export -f runner_lack runner_needs_devices patience
	export CMOCKA_MESSAGE_OUTPUT=TAP PYTHONUNBUFFERED=1
	RUNNER_SCRATCH=$(mktemp -d)
	trap 'rm -rf "$RUNNER_SCRATCH"' EXIT
	for name in "$@"; do
		printf '# %s: %s\n' "$name" "${DESCRIPTION[$name]}"
		started=$EPOCHREALTIME
		status=0
		runner_limited "$name" "${arguments[@]}" 2>&1 | tee "$RUNNER_SCRATCH/output" || status=$?
		awk -v name="$name" -v status="$status" -v limit="$(patience "${SECONDS_OF[$name]}")" \
			-v started="${started/,/.}" -v ended="${EPOCHREALTIME/,/.}" -f "$TESTS/tap_to_junit.awk" \
			"$RUNNER_SCRATCH/output" > "$RUNNER_SCRATCH/$name.xml" || failed=1
		runner_was_skipped "$RUNNER_SCRATCH/$name.xml" || ran=1
		runner_write_junit "$@"
	done
	[[ $failed == 0 ]] || return 1
	[[ $ran == 1 ]] || return "${SKIPPED_STATUS:-0}"
}

# Every case of that <testsuite>
runner_was_skipped() {
	local suite

	read -r suite < "$1"
	[[ $suite =~ \ tests=\"([0-9]+)\".*\ skipped=\"([0-9]+)\" && ${BASH_REMATCH[1]} == "${BASH_REMATCH[2]}" ]]
}

# In a process of its own, so that timeout can end it with all that it started.
runner_limited() {
	# shellcheck disable=SC2016  # for the inner shell to expand
	timeout --kill-after="$(patience 10)" "$(patience "${SECONDS_OF[$1]}")" bash -c '
		. "$TESTS/runner.bash"; runner_read_manifest; runner_check_names "$1"; runner_command "$@"' "$0" "$@"
}

# Whoever reads it never sees half of it.
runner_write_junit() {
	local name

	[[ -n ${JUNIT:-} ]] || return 0
	{
		echo '<?xml version="1.0" encoding="UTF-8"?>'
		echo '<testsuites>'
		for name in "$@"; do
			[[ -f $RUNNER_SCRATCH/$name.xml ]] && cat "$RUNNER_SCRATCH/$name.xml"
		done
		echo '</testsuites>'
	} > "$JUNIT.new"
	mv "$JUNIT.new" "$JUNIT"
}
