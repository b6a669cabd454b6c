# SPDX-License-Identifier: GPL-2.0-or-later
# The modules. scripts/build-modules knows how; it does nothing when the
# modules in build/modules/KVER are made from the present sources.

# Asked for once, and only where it is needed: on a fresh machine the answer is
# not known before `make deps`.
ifndef KVER
KVER = $(eval KVER := $(shell scripts/kver))$(KVER)
endif

# What the build takes from that kernel's source.
KERNEL_SOURCE = $(eval KERNEL_SOURCE := $(shell \
	DMAPAT_CACHE='$(DMAPAT_CACHE)' scripts/kernel-source $(KVER)))$(KERNEL_SOURCE)

modules:
	@scripts/build-modules $(KVER) $(B)

install-modules: modules
	scripts/install-modules $(KVER) $(B) $(DESTDIR)

uninstall-modules:
	@scripts/install-modules $(KVER) - $(DESTDIR)

.PHONY: modules install-modules uninstall-modules
