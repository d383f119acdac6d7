#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# usage: fails_on_mutant.sh CASE EVIDENCE PROGRAM [ARGUMENT]...
#
# A test of a test: on a kernel that was broken on purpose the case CASE of PROGRAM fails, and what it prints matches
# EVIDENCE (an extended regular expression; _ stands for a space). A program that cannot run, or is ended by a limit,
# has found nothing.
set -euo pipefail

wanted=$1 evidence=${2//_/ }
shift 2
program=$BUILD/tests/$1
arguments=(--exporter "$EXPORTER")
# A script takes it from its environment.
if [[ -x $TESTS/$1 ]]; then
	program=$TESTS/$1
	arguments=()
fi
shift
status=0
# What a broken kernel does is nobody's result.
output=$(env -u RESULTS "$program" "${arguments[@]}" "$@" 2>&1) || status=$?
printf '%s\n' "$output" | sed 's/^/# /'
echo 1..1
if [[ $status == 1 ]] && grep -qE "^not ok [0-9]+ - $wanted\$" <<< "$output" &&
	grep -qE -- "$evidence" <<< "$output"; then
	echo "ok 1 - $wanted fails"
else
	echo "not ok 1 - $wanted fails with \"$evidence\": exit status $status"
	exit 1
fi
