#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A step is done again when something that it is made of has changed: files and folders that no list names, too. On a
# checkout that is made up. As TAP.
set -euo pipefail

project=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
mkdir -p build/stamps tools lib kernel tests/kernel/old
touch CMakeLists.txt tools/tool.c lib/lib.c kernel/CMakeLists.txt tests/kernel/old/Kbuild
export build=$scratch/build version=7.3 kernels=build/kernel/7.3 jobs=1
touch build/stamps/source-7.3 build/stamps/kernel-7.3-patched
n=0 failed=0
# shellcheck source=/dev/null
for part in engine steps; do
	. "$project/lab/steps/$part.bash"
done

# In place of the engine's: what decides whether the step is done.
# shellcheck disable=SC2317,SC2329  # the steps call it
step() {
	inputs_of_step=$3
}

# changes STEP WHAT FILE: the inputs of a step do, or do not, when the file is written
changes() {
	local before verdict=does-not
	read -ra call <<< "$1"
	"${call[@]}"
	before=$inputs_of_step
	mkdir -p "$(dirname "$3")"
	echo "$n" >> "$3"
	"${call[@]}"
	[[ $inputs_of_step == "$before" ]] || verdict=does
	n=$((n + 1))
	if [[ $verdict == "$2" ]]; then
		echo "ok $n - $3 and ${call[0]}"
	else
		echo "not ok $n - $3 and ${call[0]}: a change of it ${verdict/-/ } make it done again"
		failed=1
	fi
}

for file in CMakeLists.txt lib/lib.c tools/tool.c kernel/CMakeLists.txt kernel/new/header.h new-folder/new.c new-file; do
	changes step_programs does "$file"
done
changes step_programs does-not build/report/page
for file in tests/kernel/old/new.c tests/kernel/new/Kbuild; do
	changes 'step_test_modules patched' does "$file"
done
changes 'step_test_modules patched' does-not tools/tool.c
echo "1..$n"
exit "$failed"
