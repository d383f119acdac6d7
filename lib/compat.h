/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What glibc has only since 2.32 to 2.36, for systems with an older one. CMake says what the C library has; a program
 * uses the usual names.
 */
#ifndef LIB_COMPAT_H
#define LIB_COMPAT_H

#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

/* "EINVAL"; "0" of 0, NULL of what is no errno. */
const char *compat_strerrorname(int errnum);
/* By the system call; without it every descriptor of the range is closed by itself. flags: 0. */
int compat_close_range(unsigned int first, unsigned int last, int flags);
int compat_pidfd_open(pid_t pid, unsigned int flags);

#ifndef HAVE_STRERRORNAME_NP
#define strerrorname_np(errnum) compat_strerrorname(errnum)
#endif

#ifndef HAVE_CLOSE_RANGE
#define close_range(first, last, flags) compat_close_range(first, last, flags)
#endif

#ifdef HAVE_PIDFD_OPEN
#include <sys/pidfd.h>
#else
#define pidfd_open(pid, flags) compat_pidfd_open(pid, flags)
#endif

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#endif
