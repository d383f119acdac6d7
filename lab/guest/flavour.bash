# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# What a kernel's name says about how it runs, for boot and the tests' runner. In the guest, LAB_DEBUG=1 says the same.

# checks_itself FLAVOUR: it is a debug kernel, or one of those with a change (without-SLUG-kasan). No slug ends like that.
checks_itself() {
	[[ $1 =~ ^(.*-)?(lockdep|kasan)$ ]]
}
