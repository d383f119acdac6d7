# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash disable=SC2034  # the variables are for the other parts
# The command line. What is wrong is said before anything is changed.

usage() {
	sed "s/@BASES@/$(kernel/bases | paste -sd ' ' | sed 's/ / or /g')/" <<'END'
usage: ./run bench [--quick] [--compare] [OPTION]...
       ./run test [--debug] [--full | --rounds N] [OPTION]... [NAME[@FLAVOUR]]...
       ./run shell [--nic MODEL] [--second-nic MODEL] [--kernel FLAVOUR] [--iommu MODE] [--nvme] [--switch] [--metal] [--hosts 2] [OPTION]... [-- COMMAND [ARGUMENT]...]

  bench   boots the patched kernel, measures registration, fault and revoke latency, prints the tables
          and writes build/report/ (bench.json, index.html, plots)
  test    runs all tests, or those named; the last line is "N passed, N failed, N skipped", the results
          are in build/report/test.xml
  shell   a shell in the guest; or COMMAND, whose output and exit status it returns (125: the lab failed)

bench:
  --quick             every figure, from a few samples
  --compare           the same on the stock kernel as well, and the ratios
test:
  --list              names, needs and purposes of the tests; runs none
  --debug             the guest tests on the lockdep and on the KASAN kernel as well (without the
                      long canaries and the tests of others' suites)
  --full              every round of the tests that go round, as races and canaries do; without it each
                      has the seconds that its rounds take on the lab's reference machine, divided by how
                      many times slower this one is, and makes at least the rounds that show its defect.
                      Tests that have not begun never get more than half of what is left of an hour.
  --rounds N          of the named tests that go round N rounds, whatever they take
shell:
  --nic MODEL         the emulated NIC: mlx5 (default), efa or irdma
  --second-nic MODEL  another one beside it
  --kernel FLAVOUR    stock, patched (default), lockdep or kasan
  --iommu MODE        pt (default): few large maps; translated: every map and unmap reaches the NIC;
                      none
  --nvme              a third exporter: an nvme with a controller memory buffer
  --switch            NIC and exporter below one PCIe switch, without an IOMMU
  --metal             without what the lab adds to a machine: control ports, witness, variables
  --hosts 2           a second guest, on the same fabric; "$PEER COMMAND" in the first runs COMMAND there
  -- COMMAND          in the guest; its standard input is empty
all:
  --mirror URL        the Debian repository (default: the machine's own apt sources)
  --base BASE         the kernel version, of those that have patches: @BASES@ (default: the newest
                      whose linux-source package Debian's archive has)
  --kernel-source X   a kernel source tree or tarball (default: Debian's linux-source package); for a version
                      without patches of its own, those of the nearest are tried
  --jobs N            parallel jobs of builds (default: the number of CPUs)
  --help              this text

Everything is made in build/, once; what has not changed is not made again. Logs are in build/log/.
The guest has the checkout at /project (read-only) and build/report at /results.
END
}

wrong() {
	echo "run: $1 (./run --help tells what there is)" >&2
	exit 2
}

one_of() {
	local option=$1 value=$2 choice
	shift 2
	for choice in "$@"; do
		[ "$value" != "$choice" ] || return 0
	done
	wrong "$option is one of: $*; not \"$value\""
}

parse_options() {
	command='' quick=0 compare=0 nic=mlx5 second_nic='' flavour=patched iommu='' nvme='' switch='' metal='' hosts=1 mirror='' kernel_source='' wanted_base=''
	jobs=$(nproc) list=0 debug=0 full=0 rounds='' names=() guest_command=()
	[ $# -gt 0 ] || { usage >&2 && exit 2; }
	case $1 in
	bench | test | shell) command=$1 ;;
	--help | -h | help) usage && exit 0 ;;
	*) wrong "there is no command \"$1\"" ;;
	esac
	shift
	while [ $# -gt 0 ]; do
		case $command:$1 in
		*:--help | *:-h) usage && exit 0 ;;
		*:--mirror | *:--base | *:--kernel-source | *:--jobs | test:--rounds | shell:--nic | shell:--second-nic | shell:--hosts | shell:--kernel | shell:--iommu)
			[ $# -gt 1 ] || wrong "$1 needs a value"
			parse_value "$1" "$2"
			shift
			;;
		bench:--quick) quick=1 ;;
		bench:--compare) compare=1 ;;
		test:--list) list=1 ;;
		test:--debug) debug=1 ;;
		test:--full) full=1 ;;
		shell:--nvme) nvme=1 ;;
		shell:--switch) switch=1 ;;
		shell:--metal) metal=1 ;;
		shell:--)
			shift
			[ $# -gt 0 ] || wrong "-- is followed by no command"
			guest_command=("$@")
			break
			;;
		*:-*) wrong "\"./run $command\" has no option \"$1\"" ;;
		test:*) names+=("$1") ;;
		*) wrong "\"./run $command\" takes no argument \"$1\"" ;;
		esac
		shift
	done
	check_options
}

# What does not go together.
check_options() {
	[ -z "$wanted_base" ] || [ -z "$kernel_source" ] ||
		wrong "--base is about Debian's source packages: --kernel-source says itself which version it is"
}

parse_value() {
	case $1 in
	--mirror)
		[[ $2 =~ ^https?://[^[:space:]]+$ ]] || wrong "--mirror takes an http or https URL, not \"$2\""
		mirror=$2
		;;
	--kernel-source)
		[ -r "$2" ] || wrong "--kernel-source: cannot read \"$2\""
		[ -f "$2" ] || [ -f "$2/Makefile" ] || wrong "--kernel-source: \"$2\" is no kernel source tree"
		kernel_source=$(readlink -f "$2")
		;;
	--base)
		# shellcheck disable=SC2046
		one_of --base "$2" $(kernel/bases)
		wanted_base=$2
		;;
	--jobs)
		[[ $2 =~ ^[1-9][0-9]{0,3}$ ]] || wrong "--jobs takes a positive number, not \"$2\""
		jobs=$2
		;;
	--rounds)
		[[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || wrong "--rounds takes a positive number, not \"$2\""
		rounds=$2
		;;
	--second-nic) one_of --second-nic "$2" mlx5 efa irdma && second_nic=$2 ;;
	--hosts) one_of --hosts "$2" 1 2 && hosts=$2 ;;
	--nic) one_of --nic "$2" mlx5 efa irdma && nic=$2 ;;
	--kernel) one_of --kernel "$2" stock patched lockdep kasan && flavour=$2 ;;
	--iommu)
		one_of --iommu "$2" pt passthrough translated none
		iommu=${2/passthrough/pt}
		;;
	esac
}
