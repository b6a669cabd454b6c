# SPDX-License-Identifier: GPL-2.0-or-later
# dmapat-conformance and its witnesses. Included by tests/tests.mk.

include tests/conformance/matrix/timing.mk
