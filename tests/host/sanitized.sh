#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# lib and the device models under AddressSanitizer and UndefinedBehaviorSanitizer, as TAP: their unit tests, and every fuzz
# target for a number of runs (lab/nic/testing/fuzz-for-a-while: FUZZ_RUNS, FUZZ_SEED). Builds them beside the usual build.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=ctest.bash
. "$TESTS/host/ctest.bash"
project=$(cd "$TESTS/.." && pwd)
kernel=$(sed -n 's/^KERNEL_SOURCE:[A-Z]*=//p' "$BUILD/CMakeCache.txt" 2> /dev/null || true)
folder=$(dirname "$(realpath "$BUILD")")/sanitized
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [[ ! -d $kernel ]]; then
	echo "1..0 # SKIP $BUILD was configured without KERNEL_SOURCE: there are no device models"
	exit 4
fi
echo 'int LLVMFuzzerTestOneInput(const char *data, long size) { return !data && size; }' > "$scratch/one.c"
if ! clang -fsanitize=fuzzer,address,undefined "$scratch/one.c" -o "$scratch/one" > "$scratch/log" 2>&1; then
	echo "1..0 # SKIP clang, or its runtime for the sanitizers (libclang-rt-dev), is not installed"
	exit 4
fi

build() {
	cmake -S "$project" -B "$folder" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DFUZZ=ON \
		-DKERNEL_SOURCE="$kernel" -DDMABUF_LAB=ON &&
		ninja -C "$folder" -j "${JOBS:-2}" lib/all lab/nic/all
}

ctest_count=1
if ! build > "$scratch/log" 2>&1; then
	grep -E 'error:|warning:|CMake Error|FAILED' "$scratch/log" | head -n 40 | sed 's/^/# /' || true
	tail -n 20 "$scratch/log" | sed 's/^/# /'
	printf '%s\n' 'not ok 1 - build' 1..1
	exit 1
fi
echo "ok 1 - build"
# Where LLVM's own symbolizer is missing.
export ASAN_OPTIONS=allow_addr2line=1 UBSAN_OPTIONS=print_stacktrace=1
status=0
for part in lib lab/nic; do
	ctest_as_tap --test-dir "$folder/$part" --label-regex '^host$|^fuzz$' --parallel "${JOBS:-2}" || status=$?
done
echo "1..$ctest_count"
exit "$status"
