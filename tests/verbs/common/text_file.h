/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Files of sysfs, debugfs and tracefs that take a word. */
#ifndef TESTS_VERBS_COMMON_TEXT_FILE_H
#define TESTS_VERBS_COMMON_TEXT_FILE_H

/* Opens the file with O_WRONLY and flags, and writes text by one write(). 0, or -errno of either. */
int text_file_write(const char *path, const char *text, int flags);

#endif
