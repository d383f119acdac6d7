#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Which kernel source is taken and which patches go on it, whatever Debian's archive has by now, as TAP. The archive is a
# folder of small packages, read by the real apt; the patches are for a source of two files.
#
# Some functions are called by their name, from verdict():
# shellcheck disable=SC2329
set -euo pipefail

if ! command -v apt-get dpkg-scanpackages dpkg-deb > /dev/null; then
	echo "1..0 # SKIP apt-get, dpkg-scanpackages or dpkg-deb is not installed"
	exit 4
fi
scripts=$(cd "$(dirname "$0")/../../kernel" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
n=0 failed=0

# verdict NAME COMMAND...: it succeeds
verdict() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@" > "$work/verdict" 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$work/verdict" "$work/output"
		failed=1
	fi
}

# A checkout with patches for two versions: the same change, whose surroundings differ.
mkdir -p checkout/kernel
cp -r "$scripts"/{bases,choose,fetch,apply,series,lib,try-patches} checkout/kernel/

# source_tree FOLDER VERSION [LINE]: LINE stands where a patch changes something
source_tree() {
	mkdir -p "$1/mm"
	printf 'VERSION = %s\nPATCHLEVEL = %s\nSUBLEVEL = %s\nEXTRAVERSION =\n' "${2%%.*}" "$(cut -d . -f 2 <<< "$2")" \
		"$(cut -d . -f 3 <<< "$2")" > "$1/Makefile"
	printf 'int before;\n%s\nint after;\n' "${3:-int same;}" > "$1/mm/one.c"
	printf 'int two;\n' > "$1/mm/two.c"
	# A tarball's other Makefiles must not be taken for that at the top.
	printf 'VERSION = 1\nPATCHLEVEL = 0\n' > "$1/mm/Makefile"
}

# patches_of BASE LINE
patches_of() {
	local folder=checkout/kernel/$1
	mkdir -p "$folder/topic"
	echo topic > "$folder/order"
	printf 'first.patch\nsecond.patch\n' > "$folder/topic/series"
	printf 'tree: none\nkind: feature\n' > "$folder/topic/topic"
	printf 'A topic\n\nIt is made up.\n' > "$folder/topic/cover"
	printf '%s\n' '---' '--- a/mm/two.c' '+++ b/mm/two.c' '@@ -1 +1,2 @@' ' int two;' '+int first;' > "$folder/topic/first.patch"
	printf '%s\n' '---' '--- a/mm/one.c' '+++ b/mm/one.c' '@@ -1,3 +1,4 @@' ' int before;' " $2" '+int second;' ' int after;' \
		> "$folder/topic/second.patch"
}
patches_of 7.3 'int same;'
patches_of 7.2 'int same;'

# archive VERSION...: what the archive has from now on, as linux-source-BASE; a word with = has the line for mm/one.c
archive() {
	local one version base package
	rm -rf archive package apt
	mkdir -p archive apt/lists/partial apt/cache/archives/partial
	for one in "$@"; do
		version=${one%%=*} base=$(cut -d . -f 1,2 <<< "${one%%=*}")
		package=linux-source-$base
		mkdir -p package/DEBIAN package/usr/src tree
		printf 'Package: %s\nVersion: %s-1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: Linux %s\n' \
			"$package" "$version" "$version" > package/DEBIAN/control
		source_tree "tree/$package" "$version" "$([[ $one != *=* ]] || echo "${one#*=}")"
		tar -cJf "package/usr/src/$package.tar.xz" -C tree "$package"
		dpkg-deb --root-owner-group -b package archive > /dev/null
		rm -rf package tree
	done
	(cd archive && dpkg-scanpackages -m . > Packages 2> /dev/null)
	echo "deb [trusted=yes] file:$work/archive ./" > apt/sources.list
	cat > apt/conf <<-END
		Dir::Etc::sourcelist "$work/apt/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State::lists "$work/apt/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$work/apt/cache";
	END
	export APT_CONFIG=$work/apt/conf
}

# choose [ARGUMENT]...: sets status; what it chose is in chosen, what it said in output
choose() {
	status=0
	rm -f chosen
	checkout/kernel/choose chosen "$@" > output 2>&1 || status=$?
	[ -e chosen ] || echo nothing > chosen
}

# chose "VERSION BASE" [TEXT]: and has said TEXT
chose() {
	[ "$status" = 0 ] && [ "$(< chosen)" = "$1" ] && grep -qF -- "${2:-}" output
}

# refused TEXT: and left no choice
refused() {
	[ "$status" != 0 ] && [ "$(< chosen)" = nothing ] && grep -qF -- "$1" output
}

# prepare VERSION BASE [SOURCE]: fetch and the patches, as the steps of a run do it; sets status
prepare() {
	local apply=apply
	[ "$1" = "$2" ] || apply=try-patches
	status=0
	{
		checkout/kernel/fetch "kernel/$1" "$1" "${@:3}" &&
			"checkout/kernel/$apply" "checkout/kernel/$2" "kernel/$1/src" "kernel/$1/patched-src"
	} > output 2>&1 || status=$?
}

# is_patched VERSION
is_patched() {
	[ "$status" = 0 ] && grep -qx 'int first;' "kernel/$1/patched-src/mm/two.c" &&
		grep -qx 'int second;' "kernel/$1/patched-src/mm/one.c" && ! grep -q 'first' "kernel/$1/src/mm/two.c"
}

archive 7.3.4 7.2.12 6.12.9
choose
verdict "the newest version with patches is taken" chose "7.3 7.3" "Linux 7.3, with the patches of 7.3"
choose --base 7.2
verdict "--base takes that one" chose "7.2 7.2"
prepare 7.2 7.2
verdict "its source comes from the archive, and its patches apply" is_patched 7.2
verdict "where it is from is known" test "$(cat kernel/7.2/origin kernel/7.2/version)" = linux-source-7.2_7.2.12-1_all7.2.12
choose --base 6.12
verdict "a version without patches takes the lowest that has any, if none is lower" chose "6.12 7.2" \
	"the lowest version that has any"

archive 7.2.12 6.12.9
choose
verdict "7.3 is gone from the archive: 7.2 is taken" chose "7.2 7.2"
choose --base 7.3
verdict "--base 7.3 says that it is gone, and what can be done" refused \
	"Debian's archive has no linux-source-7.3 any more (it has: 7.2 6.12): give that source with --kernel-source DIR|TARBALL"

archive 7.4.1 7.2.12
choose
verdict "a newer one without patches does not count as long as one with patches is there" chose "7.2 7.2"

archive 7.10.1 7.4.1 6.12.9
choose
verdict "all with patches are gone: the newest is tried with the nearest lower one's" chose "7.10 7.3" \
	"the nearest lower version that has any"
verdict "and it is said that they are gone" grep -q "none of the sources that patches were made for (7.3 7.2)" output
prepare 7.10 7.3
verdict "patches that fit apply to a version that they were not made for" is_patched 7.10

archive '7.4.1=int other;'
choose
verdict "of one version only, that is taken" chose "7.4 7.3"
prepare 7.4 7.3
verdict "a patch that does not fit ends it" test "$status" != 0
verdict "the first one is named" grep -q 'second.patch does not apply' output
verdict "and what can be done" grep -q 'Make kernel/7.4 from kernel/7.3' output
verdict "and which sources would do" grep -q 'with --kernel-source DIR|TARBALL: 7.3 or 7.2' output
verdict "nothing half-made stays" test "$(cd kernel/7.4 && echo *)" = 'origin src version'

archive
choose
verdict "an archive without any says what can be done" refused "give a kernel source with --kernel-source DIR|TARBALL"

source_tree given/linux-7.2.13 7.2.13
choose given/linux-7.2.13
verdict "a given tree says which version it is" chose "7.2 7.2"
prepare 7.2 7.2 given/linux-7.2.13
verdict "it is taken without the archive" is_patched 7.2
verdict "and named" test "$(cat kernel/7.2/origin kernel/7.2/version)" = linux-7.2.137.2.13
source_tree given/linux-7.5 7.5.0
tar -cJf given/linux-7.5.tar.xz -C given linux-7.5/mm linux-7.5/Makefile
choose given/linux-7.5.tar.xz
verdict "a given tarball says which version it is" chose "7.5 7.3"
prepare 7.5 7.3 given/linux-7.5.tar.xz
verdict "it is taken as well" is_patched 7.5
mkdir given/empty
printf 'all:\n' > given/empty/Makefile
choose given/empty
verdict "a folder that is no kernel is refused" refused "empty holds no Linux source tree: give the folder or the tarball of one"
tar -cf given/empty.tar -C given empty
choose given/empty.tar
verdict "so is a tarball" refused "empty.tar holds no Linux source tree"
prepare 7.3 7.3 given/linux-7.5
verdict "a source that changed under way is refused" grep -q 'given/linux-7.5 is Linux 7.5, not Linux 7.3' output

# What is wrong with the command line is said before anything is made.
cp -r "$scripts"/../run checkout/
mkdir -p checkout/lab
cp -r "$scripts"/../lab/steps checkout/lab/

# run_says STATUS TEXT ARGUMENT...
run_says() {
	status=0
	checkout/run "${@:3}" > output 2>&1 || status=$?
	[ "$status" = "$1" ] && grep -qF -- "$2" output && [ ! -e checkout/build ]
}
verdict "./run --help names the versions" run_says 0 "of those that have patches: 7.3 or 7.2" --help
verdict "./run refuses others" run_says 2 '--base is one of: 7.3 7.2; not "7.9"' bench --base 7.9
verdict "./run wants a version" run_says 2 "--base needs a value" test --base
verdict "./run takes no version of a given source" run_says 2 \
	"--base is about Debian's source packages: --kernel-source says itself which version it is" \
	shell --base 7.2 --kernel-source "$work/given/linux-7.5" -- true

echo "1..$n"
exit "$failed"
