#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# When perftest is run again (verbs/pair.bash), as TAP: when it could not measure its clock, and not when it failed.
set -euo pipefail

tests=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
patience() {
	echo "$1"
}
# shellcheck source=tests/verbs/pair.bash
. "$tests/verbs/pair.bash"

# pair() of verbs/pair.bash without programs: each call takes the next word of $runs, SERVER_STATUS:CLIENT_STATUS:CLOCK.
# shellcheck disable=SC2317,SC2329  # perftest_pair calls it
pair() {
	local run=${runs[calls]:-0:0:good}
	calls=$((calls + 1))
	IFS=: read -r server_status client_status clock <<< "$run"
	: > "$scratch/client.log"
	[[ $clock == good ]] || echo 'Correlation coefficient r^2: 0.8 < 0.9' > "$scratch/client.log"
}

# takes CALLS NAME RUN...
takes() {
	local expected=$1 name=$2
	shift 2
	runs=("$@") calls=0
	perftest_pair 18601 '' '' none
	n=$((n + 1))
	if [[ $calls == "$expected" ]]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name: it was run $calls times, not $expected"
		failed=1
	fi
}

takes 1 'a run that is good' 0:0:good
takes 3 'a clock that is not measured twice' 0:0:bad 0:0:bad 0:0:good
takes 1 'a server that crashes and complains of its clock' 139:0:bad
takes 1 'a client that hangs and complains of its clock' 0:124:bad
takes 2 'a client that crashes in the second run' 0:0:bad 0:134:bad
echo "1..$n"
exit "$failed"
