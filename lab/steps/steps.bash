# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2154,SC2034  # project, build and options come from run and options.bash, and some goes there
# The steps that prepare a run, each with what it depends on.

enter=("$project/lab/rootfs/enter")

# Objects that a kernel of kernel/config takes, nearly: for the percentage only.
KERNEL_OBJECTS=2000

step_host() {
	local missing
	missing=$("$project/lab/steps/host-packages" --missing)
	[ -z "$missing" ] || step host "host packages" "$(hash "$missing" "$RANDOM")" last_line \
		"$project/lab/steps/host-packages" "$missing"
}

step_root() {
	[ -e "$build/root" ] || rm -f "$build/stamps/root"
	step root "root" "$(hash @lab/rootfs/build @lab/rootfs/packages)" last_line \
		"$project/lab/rootfs/build" "$build/root" "$mirror"
}

source_identity() {
	if [ -z "$kernel_source" ]; then
		echo debian
	elif [ -d "$kernel_source" ]; then
		hash "$kernel_source" "$(find "$kernel_source" -name .git -prune -o -type f -printf '%P %s %T@\n' | sort)"
	else
		hash "$kernel_source" "$(stat -c '%s %Y' "$kernel_source")"
	fi
}

# step_version: sets version, that of the kernel's source, base, that whose patches go on it, and kernels, the folder of
# what is made of both.
step_version() {
	local name=version${wanted_base:+-$wanted_base} out arguments=() binds=()
	if [ -n "$kernel_source" ]; then
		name="version-given"
		binds=(--bind "$kernel_source:/mnt/$(basename "$kernel_source")")
		arguments=("/mnt/$(basename "$kernel_source")")
	elif [ -n "$wanted_base" ]; then
		arguments=(--base "$wanted_base")
	fi
	out=build/kernel/$name
	mkdir -p build/kernel
	# Without the source, what the archive had once does not count.
	{ read -r version base < "$out" && [ -e "build/kernel/$version/src" ]; } 2> /dev/null || rm -f "$build/stamps/$name"
	step "$name" "kernel version" "$(hash @kernel/choose @kernel/fetch "$(kernel/bases)" "$(source_identity)")" last_line \
		"${enter[@]}" "${binds[@]}" -- kernel/choose "$out" "${arguments[@]}"
	read -r version base < "$out"
	kernels=build/kernel/$version
	fetch=("${binds[@]}" -- kernel/fetch "$kernels" "$version")
	[ -z "$kernel_source" ] || fetch+=("${arguments[@]}")
}

step_source() {
	[ -e "$kernels/src" ] || rm -f "$build/stamps/source-$version"
	step "source-$version" "kernel source" "$(hash @kernel/fetch "$(source_identity)")" last_line "${enter[@]}" "${fetch[@]}"
	# What a guest, or a program by hand, takes: that of the last run.
	ln -sfn "$version" build/kernel/current
	origin=$(< "$kernels/origin")
	kernel_is="Linux $(< "$kernels/version") with the patches of $base, from $origin"
	[ "$command" = shell ] || line "kernel base" "$kernel_is"
}

# The first word of each line of a list, without comments.
words_of() {
	sed -E 's/(^|[[:space:]])#.*//; s/^[[:space:]]*//; s/[[:space:]].*//; /^$/d' "$1"
}

# The patches of the base in order, a file a line; a series may name another base's.
base_patches() {
	local topic line
	while read -r topic; do
		while read -r line; do
			realpath -m --relative-to=. "kernel/$base/$topic/$line"
		done < <(words_of "kernel/$base/$topic/series")
	done < <(words_of "kernel/$base/order")
}

step_patches() {
	local apply=kernel/apply patches content
	[ "$version" = "$base" ] || apply=kernel/try-patches
	mapfile -t patches < <(base_patches)
	content=$(hash "${patches[@]/#/@}")
	step "patches-$version" "kernel patches" "$(hash "@$apply" @kernel/apply "$content" "$(stamp_of "source-$version")")" \
		last_line "${enter[@]}" -- "$apply" "kernel/$base" "$kernels/src" "$kernels/patched-src"
	series=$base-${content:0:8}
	[ "$version" = "$base" ] || fail_hint="Linux $(< "$kernels/version") has no patches of its own; those of $base, which were \
tried, may not be enough for it: make kernel/$version (kernel/README.md says how), or give another source with --kernel-source"
}

kernel_progress() {
	local objects
	objects=$(grep -cE '^  (CC|AS|LD|AR) ' "$1" 2> /dev/null) || true
	objects=$((objects * 100 / KERNEL_OBJECTS))
	printf '%d%%  %s' $((objects > 99 ? 99 : objects)) "$(last_line "$1")"
}

# irdma_alone PATCH: it changes nothing but the module that is built apart
irdma_alone() {
	! sed -n 's,^+++ b/,,p' "$1" | grep -qv '^drivers/infiniband/hw/irdma/'
}

# step_same_kernel FLAVOUR BASE: what makes it another is in irdma
step_same_kernel() {
	step "kernel-$version-$1" "kernel ($1)" "$(hash "$(stamp_of "kernel-$version-$2")")" last_line \
		install -D -m 644 "$kernels/$2/arch/x86/boot/bzImage" "$kernels/$1/arch/x86/boot/bzImage"
}

# base_kernel FLAVOUR: the kernel that a mutant, or one without a patch, differs from
base_kernel() {
	case $1 in
	mutant-*-lockdep | without-*-lockdep) echo lockdep ;;
	mutant-*-kasan | without-*-kasan) echo kasan ;;
	mutant-* | without-*) echo patched ;;
	*) echo "$1" ;;
	esac
}

# changes_of FLAVOUR: what makes its tree another than that kernel's, a line each: [--reverse] PATCH
changes_of() {
	local slug=${1#*-}
	slug=${slug%-lockdep} slug=${slug%-kasan}
	case $1 in
	mutant-*) echo "kernel/$base/broken/mutant/$slug.patch" ;;
	without-*)
		if [ -e "kernel/$base/broken/without/$slug.patch" ]; then
			echo "kernel/$base/broken/without/$slug.patch"
		else
			echo --reverse
			base_patches | grep -E "/$slug\.patch\$" || echo "kernel/$base/*/$slug.patch"
		fi
		;;
	esac
}

# mutant-NAME: the patched kernel with broken/mutant/NAME.patch of its base.
# without-SLUG: without that patch of a topic: with broken/without/SLUG.patch, or reverted.
# mutant-NAME-lockdep, without-SLUG-kasan...: that kernel in place of the patched one.
step_changed_kernel() {
	local kernel changes
	kernel=$(base_kernel "$1")
	mapfile -t changes < <(changes_of "$1")
	[ -e "${changes[-1]}" ] || wrong "$1: there is no ${changes[-1]}"
	step_kernel "$kernel"
	! irdma_alone "${changes[-1]}" || { step_same_kernel "$1" "$kernel" && return; }
	step "kernel-$version-$1" "kernel ($1)" "$(hash @kernel/mutate "@${changes[-1]}" "$(stamp_of "kernel-$version-$kernel")")" \
		kernel_progress "${enter[@]}" -- kernel/mutate "${changes[@]}" \
		"$kernels/patched-src" "$kernels/$kernel" "$kernels/$1" "$jobs"
}

declare -A kernel_made

# step_kernel FLAVOUR
step_kernel() {
	local tree=$kernels/patched-src after=patches-$version fragments=()
	[ -z "${kernel_made[$1]:-}" ] || return 0
	kernel_made[$1]=1
	[[ $1 != mutant-* && $1 != without-* ]] || { step_changed_kernel "$1" && return; }
	if [ "$1" = stock ]; then
		tree=$kernels/src after=source-$version
	elif [ -e "kernel/$base/config" ]; then
		fragments=("kernel/$base/config")
	fi
	step "kernel-$version-$1" "kernel ($1)" "$(hash @kernel/build @kernel/same-paths @kernel/config/base.config \
		"@kernel/config/$1.config" "${fragments[@]/#/@}" "$(stamp_of "$after")")" kernel_progress \
		"${enter[@]}" -- kernel/build "$1" "$tree" "$kernels/$1" "$jobs" "${fragments[@]}"
}

# step_irdma FLAVOUR: the driver that Kconfig offers only with ice, and what stands in for that
step_irdma() {
	local tree=$kernels/patched-src kernel changes
	kernel=$(base_kernel "$1")
	[ "$1" != stock ] || tree=$kernels/src
	mapfile -t changes < <(changes_of "$1")
	[ ${#changes[@]} -eq 0 ] || irdma_alone "${changes[-1]}" || changes=()
	step "irdma-$version-$1" "irdma ($1)" "$(hash @lab/nic/irdma/ice-stand-in "${changes[@]/#kernel/@kernel}" \
		"$(stamp_of "kernel-$version-$kernel")")" last_line "${enter[@]}" -- lab/nic/irdma/ice-stand-in/build \
		"$tree" "$kernels/$kernel" "$kernels/irdma/$1" "$jobs" "${changes[@]}"
}

# step_test_modules FLAVOUR...: kernel modules of the tests, once for those that are made of the same kernel
step_test_modules() {
	local one flavour tree inputs=(tests/kernel/build-modules tests/kernel/*/ kernel/same-paths)
	for flavour in $(for one in "$@"; do base_kernel "$one"; done | sort -u); do
		tree=$kernels/patched-src
		[ "$flavour" != stock ] || tree=$kernels/src
		step "test-modules-$version-$flavour" "test modules ($flavour)" \
			"$(hash "${inputs[@]/#/@}" "$(stamp_of "kernel-$version-$flavour")")" last_line \
			"${enter[@]}" -- tests/kernel/build-modules \
			"$tree" "$kernels/$flavour" "$kernels/test-modules/$flavour" "$jobs"
	done
}

ninja_progress() {
	sed -nE 's/^\[([0-9]+)\/([0-9]+)\] (.*)/\1 \2 \3/p' "$1" 2> /dev/null | tail -n 1 |
		awk '{ n = $1; of = $2; $1 = $2 = ""; printf "%d%% %s", n * 100 / of, $0 }'
}

step_rdma_core() {
	step rdma-core "rdma-core" "$(hash @rdma-core-patches @lab/rootfs/fetch-source)" ninja_progress \
		"${enter[@]}" -- rdma-core-patches/build build/rdma-core "$jobs"
}

step_perftest() {
	step perftest "perftest" "$(hash @benchmarks/perftest-patches @lab/rootfs/fetch-source)" last_line \
		"${enter[@]}" -- benchmarks/perftest-patches/build build/perftest "$jobs"
}

step_kselftests() {
	step "kselftests-$version" "kernel selftests" "$(hash @tests/kernel/build-kselftests "$(stamp_of "patches-$version")")" last_line \
		"${enter[@]}" -- tests/kernel/build-kselftests "$kernels/patched-src" "$kernels/kselftests" "$jobs"
}

# All of the checkout but what runs have made: CMake reads from most folders, and a list of them would lack the next one.
# What has not changed, ninja does not build.
program_inputs() {
	local entry
	for entry in *; do
		[ "$entry" = build ] || printf '@%s\n' "$entry"
	done
}

step_programs() {
	local inputs others=(build/kernel/*/src)
	mapfile -t inputs < <(program_inputs)
	step "programs-$version" "programs" "$(hash "${inputs[@]}" "${others[*]}" "$(stamp_of "source-$version")")" ninja_progress \
		"${enter[@]}" -- lab/steps/build-programs "$kernels/programs" "$kernels/src" "$jobs" "${others[@]}"
	# The device models are made for the kernel's own layouts; a guest and the documents find all of it here.
	[ -L build/programs ] || rm -rf build/programs
	ln -sfn "kernel/$version/programs" build/programs
}

# prepare FLAVOUR...: all that a guest with these kernels needs
prepare() {
	local one
	step_host
	step_root
	step_version
	step_source
	step_patches
	for one in "$@"; do
		step_kernel "$one"
		[[ " $nic $second_nic " != *" irdma "* ]] || step_irdma "$one"
	done
	step_programs
}
