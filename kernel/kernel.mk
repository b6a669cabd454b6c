# SPDX-License-Identifier: GPL-2.0-or-later
# The modules. scripts/build-modules knows how; it does nothing when the
# modules in build/modules/KVER are made from the present sources.

KVER ?= $(shell scripts/kver)
export KVER

modules:
	scripts/build-modules $(KVER) $(B)

install-modules: modules
	scripts/install-modules $(KVER) $(B) $(DESTDIR)

.PHONY: modules install-modules
