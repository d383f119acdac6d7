#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The unit tests that CTest knows by the label host, as TAP.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=ctest.bash
. "$TESTS/host/ctest.bash"
status=0
ctest_as_tap --test-dir "$BUILD" --label-regex '^host$' || status=$?
echo "1..$ctest_count"
exit "$status"
