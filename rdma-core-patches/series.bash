# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2034,SC2154  # passed is for whoever sources this, the others are set there
# What the checks of a patch series of user space share: steps, and a tree that has a tag for each of them. Sourced with
# work (a folder), series (a folder) and patches (its files) set by whoever calls.

failures=0
number=0
passed=true
started=${EPOCHREALTIME/,/.}

# elapsed SINCE
elapsed() {
	awk -v a="$1" -v b="${EPOCHREALTIME/,/.}" 'BEGIN { printf "%.1f s", b - a }'
}

# step NAME COMMAND...: one line with the verdict and the time; the log is shown if it failed. Sets passed. It
# returns no status: in a condition, the shell would ignore the failures in COMMAND.
step() {
	local name=$1 begin=${EPOCHREALTIME/,/.} log status
	shift
	number=$((number + 1))
	log=$work/log/$(printf %03d "$number").log
	printf '%-66s ' "$name"
	set +e
	(
		set -e
		"$@"
	) > "$log" 2>&1
	status=$?
	set -e
	passed=true
	if [ "$status" -eq 0 ]; then
		printf 'ok      %s\n' "$(elapsed "$begin")"
		return
	fi
	passed=false
	failures=$((failures + 1))
	printf 'FAILED  %s\n' "$(elapsed "$begin")"
	tail -n 25 "$log" | sed 's/^/    /'
	echo "    (all of it: $log)"
}

# The verdict so far, as the exit status.
verdict() {
	if [ "$failures" -gt 0 ]; then
		echo "$failures of $number steps failed, $(elapsed "$started")"
		exit 1
	fi
	echo "$number steps passed, $(elapsed "$started")"
	exit 0
}

patches_of() {	# SERIES
	sed -E 's/(^|[[:space:]])#.*//; s/[[:space:]].*//; /^$/d' "$1/series"
}

in_tree() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null git -C "$work/tree" \
		-c user.name=check -c user.email=check@localhost -c gc.auto=0 -c safe.directory='*' "$@"
}

# A tarball's tree as one commit.
make_tree() {	# TARBALL
	rm -rf "$work/tree"
	mkdir -p "$work/tree"
	tar -x -f "$1" --strip-components=1 -C "$work/tree"
	in_tree init -q
	in_tree add -A -f
	in_tree commit -q -m base
	in_tree tag step-0
}

apply_one() {	# NUMBER
	in_tree am --quiet --keep-cr "$series/${patches[$1 - 1]}" && in_tree tag "step-$1"
}

# A file that does not change keeps its time, so a build makes what this step touches and no more.
at_step() {
	in_tree checkout -q "step-$1"
}

touched_in() {	# NUMBER
	in_tree diff --name-only "step-$(($1 - 1))" "step-$1"
}

# What COMMAND FILE says of a file as it is at a step, without the numbers of lines.
complaints() {	# NUMBER FILE COMMAND...
	local step=$1 file=$2
	shift 2
	in_tree cat-file -e "step-$step:$file" 2> /dev/null || return 0
	rm -rf "$work/lint"
	mkdir -p "$work/lint/$(dirname "$file")"
	in_tree show "step-$step:$file" > "$work/lint/$file"
	(cd "$work/lint" && { "$@" "$file" 2>&1 || true; }) | sed -E 's/:[0-9]+(:[0-9]+)?:/:/g' | sort
}

# complaints_are_old NUMBER PATTERN COMMAND...: COMMAND FILE says nothing of the files whose names match PATTERN that it
# did not say before the step.
complaints_are_old() {
	local step=$1 pattern=$2 file new=0
	shift 2
	command -v "$1" > /dev/null || { echo "$1 is not installed" && return 1; }
	while read -r file; do
		[[ $file =~ $pattern ]] || continue
		echo "$file"
		complaints $((step - 1)) "$file" "$@" > "$work/complaints.before"
		complaints "$step" "$file" "$@" > "$work/complaints.after"
		! comm -13 "$work/complaints.before" "$work/complaints.after" | grep . || new=1
	done < <(touched_in "$step")
	return "$new"
}
