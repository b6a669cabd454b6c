# SPDX-License-Identifier: GPL-2.0-or-later
# dmapat: see `make help`.

.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/bash

# What is slow to make (kernel source, module builds, images) is kept here,
# outside the tree, keyed by content.
DMAPAT_CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/dmapat
export DMAPAT_CACHE

B := build

# One line a file; V=1 shows the commands, -s nothing.
silent := $(findstring s,$(firstword -$(MAKEFLAGS)))
step = $(if $(V),,@$(if $(silent),,echo '  $(1) $(@:$(B)/%=%)';))

all: modules userspace

include kernel/kernel.mk
include userspace/userspace.mk
include tests/tests.mk
include bench/bench.mk

help:
	@echo 'deps         install what the build and the tests need (apt; root or sudo)'
	@echo 'modules      build/modules/KVER/*.ko   [KVER=newest 6.12 of the apt sources]'
	@echo 'userspace    dmapat-gpu-proc, dmapat-vmm'
	@echo 'userspace-trixie   the same with the libraries of Debian 13: build/trixie (root or sudo)'
	@echo 'demo         the whole path on an emulated VT-x machine, one table'
	@echo 'check        unit tests, then all tests on emulated VT-x and SVM'
	@echo 'check-fast   unit tests and fuzz targets alone: no root, no emulator'
	@echo 'fuzz         the fuzz targets for a longer time  [SECONDS=60 for each]'
	@echo 'conformance  memory types on every emulated CPU: KTAP, build/report/index.html'
	@echo 'check-mutants   broken modules: does the matrix fail in the right cells?'
	@echo 'check-gpu    Debian 13 guests of dmapat-vmm (root or sudo, for the disk images)'
	@echo 'check-venus  gpu-proc with the real render server, in a Debian 13 tree (root or sudo)'
	@echo 'check-debug     the tests of the modules on a kernel with lockdep, KASAN, UBSAN'
	@echo 'check-upstream  KVM selftests of the kernel, on stock modules and on ours'
	@echo 'bench        instruction counts, stock beside dmapat'
	@echo 'bench-migrate   the same guest moved by QEMU and by dmapat-vmm'
	@echo 'lint         checkpatch, cppcheck, clang-tidy, shellcheck'
	@echo 'install      programs, headers and man pages below PREFIX, modules for KVER'
	@echo 'uninstall    what install put there'
	@echo 'clean        remove build/ (the cache stays: $(DMAPAT_CACHE))'

deps:
	scripts/deps

clean:
	rm -rf $(B)

.PHONY: all help deps clean

install: install-modules install-userspace
uninstall: uninstall-modules uninstall-userspace

lint:
	@scripts/deps lint
	@scripts/lint $${KVER:-$$(scripts/kver)}

.PHONY: install uninstall lint
