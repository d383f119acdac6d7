# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2154  # build, command and flags come from run and options.bash
# Steps: one line each with progress and time, a log, a stamp of their inputs; and the processes they start.

jobs_running=()
# What a run that fails says last, if it knows more than the step does.
fail_hint=
terminal=0
[ ! -t 2 ] || terminal=1

engine_start() {
	mkdir -p "$build/log" "$build/stamps" "$build/run" "$build/report"
	exec {lock}> "$build/lock"
	if ! flock -n "$lock"; then
		echo "run: another run is at work in $build: wait for it, or use another checkout" >&2
		exit 1
	fi
	trap stop_jobs EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	SECONDS=0
	# Left by a run that was ended by force.
	rm -rf "$build"/run/*
}

# Every job is a process group of its own: it is ended as a whole, and its leader is waited for.
# shellcheck disable=SC2317  # called by trap
stop_jobs() {
	local job
	trap '' INT TERM HUP
	for job in "${jobs_running[@]}"; do
		kill -TERM -- "-$job" 2> /dev/null || true
	done
	for job in "${jobs_running[@]}"; do
		timeout 10 tail --pid="$job" -f /dev/null {lock}>&- || true
		kill -KILL -- "-$job" 2> /dev/null || true
		wait "$job" 2> /dev/null || true
	done
	jobs_running=()
	[ "$terminal" = 0 ] || echo >&2
}

# start_job COMMAND...: sets job
start_job() {
	set -m
	setpriv --pdeathsig TERM -- "$@" {lock}>&- &
	job=$!
	set +m
	jobs_running+=("$job")
}

forget_job() {
	local one rest=()
	for one in "${jobs_running[@]}"; do
		[ "$one" = "$1" ] || rest+=("$one")
	done
	jobs_running=("${rest[@]}")
}

end_job() {
	kill -TERM -- "-$1" 2> /dev/null || true
	wait "$1" 2> /dev/null || true
	forget_job "$1"
}

duration() {
	if [ "$1" -ge 60 ]; then
		printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
	else
		printf '%d s' "$1"
	fi
}

# line TITLE TEXT: the line that stays
line() {
	if [ "$terminal" = 1 ]; then
		printf '\r\033[K%-26s %s\n' "$1" "$2" >&2
	else
		printf '%-26s %s\n' "$1" "$2" >&2
	fi
}

# A job of its own: draws the line of a running step until it is ended.
# progress TITLE LOG FUNCTION
progress() {
	local title=$1 log=$2 function=$3 since=$SECONDS text columns
	trap - EXIT
	trap 'exit 0' TERM
	if [ "$terminal" = 0 ]; then
		while sleep 30 & wait $!; do
			line "$title" "$(duration $((SECONDS - since))): $("$function" "$log")"
		done
	fi
	columns=$(stty size <&2 | cut -d ' ' -f 2)
	while :; do
		text=$(printf '%-26s %s  %s' "$title" "$(duration $((SECONDS - since)))" \
			"$("$function" "$log")")
		printf '\r\033[K%s' "${text:0:$((columns > 20 ? columns - 1 : 99))}" >&2
		sleep 0.5 & wait $!
	done
}

last_line() {
	tail -n 1 -- "$1" 2> /dev/null | tr -d '\r' | tr -c '[:print:]\n' ' '
}

start_progress() {
	set -m
	progress "$@" {lock}>&- < /dev/null &
	progress_job=$!
	set +m
	jobs_running+=("$progress_job")
}

# fail TITLE LOG TEXT: how a run ends when a step does not
fail() {
	{
		line "$1" "$3"
		echo "The last lines of ${2#"$project/"}:"
		tail -n 25 -- "$2" | sed 's/^/    /'
		echo "run: the step \"$1\" failed; the whole log is $2"
		[ -z "$fail_hint" ] || echo "run: $fail_hint"
	} >&2
	[ "$command" != shell ] || exit 125
	exit 1
}

# step NAME TITLE INPUTS PROGRESS_FUNCTION COMMAND...
# COMMAND runs unless it has already succeeded with the same INPUTS (a hash).
step() {
	local name=$1 title=$2 inputs=$3 function=$4 stamp=$build/stamps/$1 log=$build/log/$1.log
	local since=$SECONDS status=0
	shift 4
	if [ -e "$stamp" ] && [ "$(< "$stamp")" = "$inputs" ]; then
		[ "$command" = shell ] || line "$title" unchanged
		return
	fi
	rm -f "$stamp"
	[ "$terminal" = 1 ] || line "$title" ...
	start_job "$@" > "$log" 2>&1 < /dev/null
	start_progress "$title" "$log" "$function"
	wait "$job" || status=$?
	end_job "$progress_job"
	forget_job "$job"
	[ "$status" = 0 ] || fail "$title" "$log" "failed with status $status after $(duration $((SECONDS - since)))"
	echo "$inputs" > "$stamp"
	line "$title" "done in $(duration $((SECONDS - since)))"
}

# guest_step NAME TITLE BOOT_ARGUMENT...: boots a guest and runs something in it, both of them steps.
# Sets guest_status; what the guest printed is in build/log/NAME.log.
guest_step() {
	local name=$1 title=$2 log=$build/log/$1.log since=$SECONDS
	shift 2
	[ "$terminal" = 1 ] || line "$title" ...
	# The reader is started while standard error is still the run's own.
	start_job "$project/lab/guest/boot" --name "$name" --ready-fd 8 "$@" \
		8> >(trap - EXIT && boot_line) > "$log" 2>&1 < /dev/null
	start_progress "$title" "$log" last_line
	guest_status=0
	wait "$job" || guest_status=$?
	end_job "$progress_job"
	forget_job "$job"
	if [ "$guest_status" = 0 ]; then
		line "$title" "done in $(duration $((SECONDS - since)))"
	fi
}

boot_line() {
	local seconds
	while read -r seconds; do
		line boot "done in $seconds s"
	done
}

# hash WORD...: of the words and of the files that words beginning with @ name
hash() {
	local word
	for word in "$@"; do
		case $word in
		@*)
			find -H "${word#@}" -type f ! -name '*.pyc' -print0 2> /dev/null | sort -z |
				xargs -0r sha256sum
			;;
		*) printf '%s\n' "$word" ;;
		esac
	done | sha256sum | cut -c 1-64
}

stamp_of() {
	cat "$build/stamps/$1"
}
