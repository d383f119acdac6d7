/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* cmocka and the headers that it wants before it. */
#ifndef LIB_TESTS_TEST_H
#define LIB_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
