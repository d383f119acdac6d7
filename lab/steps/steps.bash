# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2154  # project, build and options come from run and options.bash
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

step_source() {
	local order bases=() arguments=(build/kernel) binds=()
	for order in kernel/*/order; do
		[ ! -e "$order" ] || bases+=("$(basename "$(dirname "$order")")")
	done
	if [ -n "$kernel_source" ]; then
		binds=(--bind "$kernel_source:/mnt/$(basename "$kernel_source")")
		arguments+=("/mnt/$(basename "$kernel_source")")
	fi
	step source "kernel source" "$(hash @kernel/fetch "${bases[*]}" "$(source_identity)")" last_line \
		"${enter[@]}" "${binds[@]}" -- kernel/fetch "${arguments[@]}"
	base=$(< "$build/kernel/base")
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
	local patches content
	mapfile -t patches < <(base_patches)
	content=$(hash "${patches[@]/#/@}")
	step patches "kernel patches" "$(hash @kernel/apply "$content" "$(stamp_of source)")" last_line \
		"${enter[@]}" -- kernel/apply "kernel/$base" build/kernel/src build/kernel/patched-src
	# shellcheck disable=SC2034  # for the commands
	series=$base-${content:0:8}
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
	step "kernel-$1" "kernel ($1)" "$(hash "$(stamp_of "kernel-$2")")" last_line \
		install -D -m 644 "build/kernel/$2/arch/x86/boot/bzImage" "build/kernel/$1/arch/x86/boot/bzImage"
}

# base_kernel FLAVOUR: the kernel that a mutant, or one without a patch, differs from
base_kernel() {
	case $1 in
	without-*-lockdep) echo lockdep ;;
	without-*-kasan) echo kasan ;;
	mutant-* | without-*) echo patched ;;
	*) echo "$1" ;;
	esac
}

# changes_of FLAVOUR: what makes its tree another than that kernel's, a line each: [--reverse] PATCH
changes_of() {
	local slug
	case $1 in
	mutant-*) echo "kernel/$base/broken/mutant/${1#mutant-}.patch" ;;
	without-*)
		slug=${1#without-} slug=${slug%-lockdep} slug=${slug%-kasan}
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
# without-SLUG-lockdep and -kasan: that kernel in place of the patched one.
step_changed_kernel() {
	local kernel changes
	kernel=$(base_kernel "$1")
	mapfile -t changes < <(changes_of "$1")
	[ -e "${changes[-1]}" ] || wrong "$1: there is no ${changes[-1]}"
	step_kernel "$kernel"
	! irdma_alone "${changes[-1]}" || { step_same_kernel "$1" "$kernel" && return; }
	step "kernel-$1" "kernel ($1)" "$(hash @kernel/mutate "@${changes[-1]}" "$(stamp_of "kernel-$kernel")")" \
		kernel_progress "${enter[@]}" -- kernel/mutate "${changes[@]}" \
		build/kernel/patched-src "build/kernel/$kernel" "build/kernel/$1" "$jobs"
}

declare -A kernel_made

# step_kernel FLAVOUR
step_kernel() {
	local tree=build/kernel/patched-src after=patches fragments=()
	[ -z "${kernel_made[$1]:-}" ] || return 0
	kernel_made[$1]=1
	[[ $1 != mutant-* && $1 != without-* ]] || { step_changed_kernel "$1" && return; }
	if [ "$1" = stock ]; then
		tree=build/kernel/src after=source
	elif [ -e "kernel/$base/config" ]; then
		fragments=("kernel/$base/config")
	fi
	step "kernel-$1" "kernel ($1)" "$(hash @kernel/build @kernel/config/base.config \
		"@kernel/config/$1.config" "${fragments[@]/#/@}" "$(stamp_of "$after")")" kernel_progress \
		"${enter[@]}" -- kernel/build "$1" "$tree" "build/kernel/$1" "$jobs" "${fragments[@]}"
}

# step_irdma FLAVOUR: the driver that Kconfig offers only with ice, and what stands in for that
step_irdma() {
	local tree=build/kernel/patched-src kernel changes
	kernel=$(base_kernel "$1")
	[ "$1" != stock ] || tree=build/kernel/src
	mapfile -t changes < <(changes_of "$1")
	[ ${#changes[@]} -eq 0 ] || irdma_alone "${changes[-1]}" || changes=()
	step "irdma-$1" "irdma ($1)" "$(hash @lab/nic/irdma/ice-stand-in "${changes[@]/#kernel/@kernel}" \
		"$(stamp_of "kernel-$kernel")")" last_line "${enter[@]}" -- lab/nic/irdma/ice-stand-in/build \
		"$tree" "build/kernel/$kernel" "build/irdma/$1" "$jobs" "${changes[@]}"
}

# step_test_modules FLAVOUR...: kernel modules of the tests, once for those that are made of the same kernel
step_test_modules() {
	local one flavour tree
	for flavour in $(for one in "$@"; do base_kernel "$one"; done | sort -u); do
		tree=build/kernel/patched-src
		[ "$flavour" != stock ] || tree=build/kernel/src
		step "test-modules-$flavour" "test modules ($flavour)" \
			"$(hash @tests/kernel/build-modules @tests/kernel/function-hook @tests/kernel/moving-exporter \
				"$(stamp_of "kernel-$flavour")")" last_line "${enter[@]}" -- tests/kernel/build-modules \
			"$tree" "build/kernel/$flavour" "build/test-modules/$flavour" "$jobs"
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
	step kselftests "kernel selftests" "$(hash @tests/kernel/build-kselftests "$(stamp_of patches)")" last_line \
		"${enter[@]}" -- tests/kernel/build-kselftests build/kernel/patched-src build/kselftests "$jobs"
}

step_programs() {
	step programs "programs" "$(hash @CMakeLists.txt @kernel/CMakeLists.txt @lib @benchmarks @docs @tests @lab/nic @lab/steps/build-programs \
		"$(stamp_of source)")" ninja_progress \
		"${enter[@]}" -- lab/steps/build-programs build/programs build/kernel/src "$jobs"
}

# prepare FLAVOUR...: all that a guest with these kernels needs
prepare() {
	local one
	step_host
	step_root
	step_source
	step_patches
	for one in "$@"; do
		step_kernel "$one"
		[[ " $nic $second_nic " != *" irdma "* ]] || step_irdma "$one"
	done
	step_programs
}
