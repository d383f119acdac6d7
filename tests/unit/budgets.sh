#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# How the runner hands out budgets and limits, by a manifest that is made up, and what becomes of the rounds that are
# reported; and whether the real manifest keeps its own rules. As TAP.
#
# The cases are called by their names:
# shellcheck disable=SC2317,SC2329
set -euo pipefail

project=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
cd "$project"
# The file of the run that this is a part of is not to be written, for one.
unset ROUNDS FULL BUDGET SLOWNESS MANIFEST LAB_KERNEL JUNIT PROGRAMS
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n=0 failed=0

check() {	# NAME: the function of that name
	n=$((n + 1))
	if ("$1") > "$scratch/said" 2>&1; then
		echo "ok $n - $1"
	else
		sed 's/^/# /' "$scratch/said"
		echo "not ok $n - $1"
		failed=1
	fi
}

# What is not as it should be ends the case.
is() {	# FOUND EXPECTED
	[[ $1 != "$2" ]] || return 0
	printf 'found "%s", expected "%s"\n' "$1" "$2"
	exit 1
}

has() {	# FILE LINE
	! grep -qF "$2" "$1" || return 0
	printf 'no "%s" in:\n' "$2"
	cat "$1"
	exit 1
}

mkdir -p "$scratch/build/tests/verbs"
cat > "$scratch/build/tests/verbs/says" <<'END'
#!/bin/bash
echo "1..1"
echo "# said: $*"
echo "ok 1 - case"
END
chmod +x "$scratch/build/tests/verbs/says"
tab=$'\t'
cat > "$scratch/manifest" <<END
goes-round${tab}guest${tab}pt${tab}patched${tab}100${tab}verbs/says --iters=200 --budget=4x20 --floor=5 last${tab}it goes round
goes-too${tab}guest${tab}pt${tab}patched${tab}100${tab}verbs/says --iters=10 --budget=1x40 --floor=2${tab}it goes round, too
does-not${tab}guest${tab}pt${tab}patched${tab}100${tab}verbs/says${tab}it does not
END
export MANIFEST=$scratch/manifest

# said NAME [VARIABLE=VALUE]...: the arguments that its program gets
said() {
	local name=$1
	shift
	env "$@" PROGRAMS="$scratch/build" EXPORTER=x tests/run-in-guest "$name" | sed -n 's/^# said: //p'
}

whole_budget() {
	is "$(said goes-round)" "--iters=200 --budget=20.00 --floor=5 last --exporter x"
	is "$(said does-not)" "--exporter x"
}

share_of_the_budget() {
	is "$(said goes-round BUDGET=33)" "--iters=200 --budget=6.60 --floor=5 last --exporter x"
}

# None at all would be every round.
floor_alone() {
	is "$(said goes-round BUDGET=0)" "--iters=200 --budget=0.01 --floor=5 last --exporter x"
}

every_round() {
	is "$(said goes-round FULL=1)" "--iters=200 --floor=5 last --exporter x"
	is "$(said goes-round FULL=1 BUDGET=0)" "--iters=200 --floor=5 last --exporter x"
}

so_many_rounds() {
	is "$(said goes-round ROUNDS=7)" "--iters=7 --floor=5 last --exporter x"
	is "$(ROUNDS=400 tests/run --list goes-round | cut -f 5)" 200
}

more_where_the_kernel_checks_itself() {
	is "$(said goes-round@lockdep)" "--iters=200 --budget=100.00 --floor=5 last --exporter x"
}

sum_of_the_budgets() {
	is "$(tests/run --budgets)" 120
	is "$(tests/run --budgets goes-too does-not)" 40
	is "$(tests/run --budgets does-not)" 0
	is "$(ROUNDS=5 tests/run --budgets)" 0
}

# percent SECONDS_GONE SLOWNESS NAME...
percent() {
	local gone=$1
	SLOWNESS=$2
	shift 2
	# shellcheck disable=SC2034  # for what is sourced
	names=() debug=0
	# shellcheck source=lab/steps/test.bash
	. lab/steps/test.bash
	# Time stands still.
	unset SECONDS
	SECONDS=$gone
	budget_percent "$@"
}

slower_machines_have_less() {
	is "$(percent 0 1 goes-round goes-too)" 100
	is "$(percent 0 3 goes-round goes-too)" 33
}

# 120 s are wanted: of 200 that are left they get 100, of none nothing, and the floor remains.
what_is_left_is_shared() {
	is "$(percent 3400 1 goes-round goes-too)" 83
	is "$(percent 3400 1 goes-too)" 100
	is "$(percent 3400 3 goes-round goes-too)" 33
	is "$(percent 9999 1 goes-round goes-too)" 0
	is "$(percent 9999 1 does-not)" 100
}

limits_grow_with_slowness() {
	is "$(SLOWNESS=4 TESTS=tests bash -c '. tests/runner.bash; patience 60')" 240
	is "$(TESTS=tests bash -c '. tests/runner.bash; patience 60')" 60
	cat > "$scratch/build/tests/verbs/hangs" <<-'END'
		#!/bin/bash
		read -r -t 3 < <(exec tail -f /dev/null) || true
		echo "1..1"
		echo "ok 1 - case"
	END
	chmod +x "$scratch/build/tests/verbs/hangs"
	printf 'hangs\tguest\tpt\tpatched\t1\tverbs/hangs\tit takes three seconds\n' > "$scratch/manifest-hangs"
	export MANIFEST=$scratch/manifest-hangs PROGRAMS=$scratch/build EXPORTER=x
	is "$(tests/run-in-guest hangs 2>&1 | grep -o 'did not end within .*')" "did not end within 1 s"
	is "$(SLOWNESS=60 tests/run-in-guest hangs | tail -n 1)" "ok 1 - case"
}

slowness_is_measured() {
	is "$(REFERENCE_MS=100000 lab/guest/slowness)" 1
	is "$(REFERENCE_MS=1 lab/guest/slowness)" 20
}

# What a program prints of its rounds is in the JUnit file, and those who made fewer are listed.
rounds_are_reported() {
	mkdir "$scratch/junit"
	printf '%s\n' 1..3 '# rounds: 137 of 200 (budget 20 s)' 'ok 1 - short' '# rounds: 200 of 200 (budget 20 s)' 'ok 2 - whole' \
		'ok 3 - without' > "$scratch/tap"
	printf '%s\n' '# # rounds: 3 of 20' '# not ok 1 - inner' 1..1 'ok 1 - inner fails' > "$scratch/tap-mutant"
	awk -v name=one -v status=0 -v started=0 -v ended=2.5 -f tests/tap_to_junit.awk "$scratch/tap" > "$scratch/junit/one.xml"
	awk -v name=two -v status=0 -v started=0 -v ended=7 -f tests/tap_to_junit.awk "$scratch/tap-mutant" > "$scratch/junit/two.xml"
	has "$scratch/junit/one.xml" \
		'<testcase classname="one" name="short"><system-out>rounds: 137 of 200 (budget 20 s)</system-out></testcase>'
	has "$scratch/junit/one.xml" '<testcase classname="one" name="without"/>'
	python3 lab/steps/junit.py merge "$scratch/junit" "$scratch/test.xml" made-up "$scratch/rounds" > "$scratch/merged"
	is "$(cat "$scratch/rounds")" "one: short: 137 of 200 (budget 20 s)"$'\n'"two: inner fails: 3 of 20"
	is "$(grep '^rounds: ' "$scratch/merged")" \
		"rounds: 2 tests made fewer rounds than wanted, see $scratch/rounds; ./run test --full makes all"
	is "$(grep -c '^SLOWEST' "$scratch/merged")" 2
	is "$(grep '^SLOWEST' "$scratch/merged" | head -n 1 | tr -s ' ')" "SLOWEST 7.0 s two"
	is "$(tail -n 1 "$scratch/merged")" "4 passed, 0 failed, 0 skipped"
}

# ---- the real manifest ----

# Budget and floor go together, and the floor is below what is wanted.
manifest_is_consistent() {
	awk -F '\t' '
		/^#/ || !/--(budget|floor)=/ { next }
		$6 !~ / --iters=[0-9]+ --budget=[0-9]+x[0-9]+ --floor=[0-9]+( |$)/ { print $1 ": " $6; bad = 1; next }
		{
			match($6, /--iters=[0-9]+/); wanted = substr($6, RSTART + 8, RLENGTH - 8)
			match($6, /--floor=[0-9]+/); floor = substr($6, RSTART + 8, RLENGTH - 8)
			if (floor + 0 >= wanted + 0 || floor + 0 < 2) { print $1 ": a floor of " floor " of " wanted; bad = 1 }
			rows++
		}
		END { exit bad || !rows }' tests/manifest
}

# A canary whose mutant is shown in so many rounds makes as many.
floors_show_the_mutants() {
	awk -F '\t' '
		function number(option,	found) {
			if (!match($6, "--" option "=[0-9]+"))
				return 0
			found = substr($6, RSTART, RLENGTH)
			sub(/.*=/, "", found)
			return found + 0
		}
		# The program and its trigger
		{ key = $6; sub(/^.* verbs\//, "verbs/", key); sub(/ --iters.*/, "", key) }
		$6 ~ /^lab\/fails_on_mutant.sh .*--iters=/ { shown[key] = number("iters"); next }
		number("floor") && (!(key in least) || number("floor") < least[key]) { least[key] = number("floor") }
		END {
			for (key in shown) {
				if (!(key in least) || least[key] >= shown[key])
					continue
				print key ": a floor of " least[key] ", and its mutant is shown in " shown[key] " rounds"
				bad = 1
			}
			for (key in shown) pairs += key in least
			exit bad || pairs < 4
		}' tests/manifest
}

# All that go round, on the reference machine, take a quarter of an hour at most.
budgets_fit() {
	local sum
	sum=$(MANIFEST='' tests/run --budgets)
	echo "the budgets are $sum s"
	[[ $sum -gt 0 && $sum -le 900 ]]
}

cases=(whole_budget share_of_the_budget floor_alone every_round so_many_rounds more_where_the_kernel_checks_itself
	sum_of_the_budgets slower_machines_have_less what_is_left_is_shared limits_grow_with_slowness slowness_is_measured
	rounds_are_reported manifest_is_consistent floors_show_the_mutants budgets_fit)
echo "1..${#cases[@]}"
for one in "${cases[@]}"; do
	check "$one"
done
exit "$failed"
