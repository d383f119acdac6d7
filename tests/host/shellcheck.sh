#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Every shell script of the project is clean by shellcheck, as TAP.
set -euo pipefail

cd "$(dirname "$0")/../.."
if ! command -v shellcheck > /dev/null; then
	echo "1..0 # SKIP shellcheck is not installed"
	exit 4
fi
# The first that knows a function which is called by its name only.
version=$(shellcheck --version | sed -n 's/^version: //p')
if [[ $(printf '%s\n' 0.10 "$version" | sort -V | head -n 1) != 0.10 ]]; then
	echo "1..0 # SKIP shellcheck $version is older than 0.10"
	exit 4
fi
n=0 failed=0
while IFS= read -r -d '' script; do
	case $script in
	*.bash) ;;
	*) head -n 1 "$script" | grep -aqE '^#!.*\b(ba)?sh$' || continue ;;
	esac
	n=$((n + 1))
	if shellcheck --external-sources --severity=style --color=never "$script" | sed 's/^/# /'; then
		echo "ok $n - $script"
	else
		echo "not ok $n - $script"
		failed=1
	fi
done < <(find . -path ./build -prune -o -path ./.git -prune -o -type f \( -perm -u+x -o -name '*.bash' \) -print0 | sort -z)
echo "1..$n"
exit "$failed"
