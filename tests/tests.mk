# SPDX-License-Identifier: GPL-2.0-or-later
# Tests by what they need: unit tests run anywhere, the rest in the emulators.

# The last one is for Debian 13's virglrenderer: check-venus.
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%, \
	$(filter-out %/test_gpu_venus.c,$(wildcard tests/unit/test_*.c)))

# The oracle is made from the manuals; nothing of the product is linked into it.
T_CFLAGS = $(filter-out -Iuserspace%,$(U_CFLAGS)) -Itests -Itests/oracle -Itests/conformance
ORACLE_O := $(patsubst %.c,$(B)/%.o,$(filter-out %/trace_report.c,$(wildcard tests/oracle/*.c)))

$(B)/tests/oracle/%.o: tests/oracle/%.c
	@mkdir -p $(@D)
	$(call step,CC)$(CC) $(T_CFLAGS) -c $< -o $@

$(B)/tests/oracle/trace-report: $(B)/tests/oracle/trace_report.o $(ORACLE_O)
	$(call step,LD)$(CC) $(U_LDFLAGS) $^ -o $@

# Unit tests see the programs as libraries: all of a program but its main().
$(B)/tests/unit/%: tests/unit/%.c $(VMM_A) $(GPU_A) $(LIB_A)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(U_CFLAGS) $(U_LDFLAGS) -Itests $< -o $@ $(VMM_A) $(GPU_A) $(LIB_A) $(U_LIBS) -lcmocka

# Tests of the oracle see the oracle alone.
$(B)/tests/unit/test_oracle_%: tests/unit/test_oracle_%.c $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $< -o $@ $(ORACLE_O) -lcmocka

# Programs that run in the emulated machines.
CONFORMANCE := $(patsubst %.c,$(B)/%,$(wildcard tests/conformance/*.c))
HEAPS := $(patsubst %.c,$(B)/%,$(wildcard tests/heaps/*.c))
CONFORMANCE_O := $(patsubst tests/%,$(B)/tests/%.o,$(basename $(wildcard tests/conformance/lib/*.[cS])))

$(B)/tests/conformance/lib/%.o: tests/conformance/lib/%.c
	@mkdir -p $(@D)
	$(call step,CC)$(CC) $(T_CFLAGS) -c $< -o $@

$(B)/tests/conformance/lib/%.o: tests/conformance/lib/%.S
	@mkdir -p $(@D)
	$(call step,LD)$(CC) -c $< -o $@

$(CONFORMANCE) $(HEAPS): $(B)/tests/%: tests/%.c $(CONFORMANCE_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $< -o $@ $(CONFORMANCE_O) $(ORACLE_O) \
		$(T_PRODUCT) -lpthread

# One of them tests a part of the VMM on a real KVM.
MEMORY_TRANSACTION := $(B)/tests/conformance/test_memory_transaction
$(MEMORY_TRANSACTION): $(VMM_A)
$(MEMORY_TRANSACTION): private T_CFLAGS += -Iuserspace
$(MEMORY_TRANSACTION): private T_PRODUCT = $(VMM_A)

EMU_FILES = $(CONFORMANCE) $(HEAPS) $(GUEST_FILES) $(B)/userspace/dmapat-gpu-proc $(B)/userspace/dmapat-vmm
-include tests/guest/guest.mk
-include tests/report/report.mk
-include tests/coherence/coherence.mk
-include tests/conformance/matrix/matrix.mk
-include tests/upstream/upstream.mk
-include tests/debug/debug.mk
-include tests/linux/linux.mk
-include tests/fuzz/fuzz.mk
-include tests/gpu/gpu.mk

EMU_RUN = KVER=$(KVER) BUILD=$(B) tests/emu/run $(if $(MACHINE),-m '$(MACHINE)') $(if $(TEST),-t '$(TEST)')

# The two programs share function names: each is tested alone.
$(B)/tests/unit/test_gpu_%: tests/unit/test_gpu_%.c $(GPU_A) $(LIB_A)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(U_CFLAGS) $(U_LDFLAGS) -Itests $< -o $@ $(GPU_A) $(LIB_A) $(U_LIBS) -lcmocka

check-fast: $(UNIT) $(FUZZ_FILES)
	@tests/run-unit $(UNIT)
	@$(FUZZ_CHECK)

# venus with the real render server, in a Debian 13 tree. Root or sudo.
VENUS_TEST := $(B)/trixie/tests/unit/test_gpu_venus
check-venus:
	@$(IN_TRIXIE) sh -c 'make -s --no-print-directory B=$(B)/trixie KERNEL_SOURCE= $(VENUS_TEST) && \
		tests/run-unit $(VENUS_TEST)'

check-emu: modules $(EMU_FILES) $(B)/tests/oracle/trace-report
	@$(EMU_RUN) $(EMU_FILES)

# All of them, and one sum of all. As for the demo: only after scripts/deps does a
# fresh machine know which kernel there is.
check:
	@scripts/deps check
	@$(MAKE) --no-print-directory -j2 KVER=$${KVER:-$$(scripts/kver)} check-all

check-all: $(UNIT) $(FUZZ_FILES) conformance-build $(B)/tests/upstream/wrap
	@rm -rf $(B)/upstream-quick $(B)/tests/linux/log $(B)/tests/gpu/log
	@mkdir -p $(B)/check
	@tests/run-unit $(UNIT) | tee $(B)/check/unit.log
	@$(FUZZ_CHECK) | tee $(B)/check/fuzz.log
	@$(MAKE) --no-print-directory check-venus | tee $(B)/check/venus.log
	@BUILD=$(B) tests/emu/selftest $(KVER) | tee $(B)/check/selftest.log
	@echo 'conformance: KTAP in $(B)/report/conformance.ktap'
	@$(CONFORMANCE_RUN) $(EMU_FILES) 2>&1 > /dev/null || true
	@$(MAKE) --no-print-directory KVER=$(KVER) check-upstream-quick || true
	@$(MAKE) --no-print-directory KVER=$(KVER) check-linux || true
	@$(MAKE) --no-print-directory KVER=$(KVER) check-gpu || true
	@$(EMU_RUN) -a $(B)/check/unit.log -a $(B)/check/fuzz.log -a $(B)/check/venus.log -a $(B)/check/selftest.log \
		-a $(B)/conformance/summary -a $(B)/upstream-quick/summary -a $(B)/tests/linux/log \
		-a $(B)/tests/gpu/log $(EMU_FILES)

# The matrix, the coherence checker, the three-way agreement: KTAP on stdout.
CONFORMANCE_TOOLS = $(B)/tests/oracle/trace-report $(B)/tests/coherence/coherence-check \
	$(B)/tests/report/conformance-report
CONFORMANCE_RUN = KVER=$(KVER) BUILD=$(B) tests/conformance/run $(if $(MACHINE),-m '$(MACHINE)')

conformance:
	@scripts/deps check >&2
	@$(MAKE) --no-print-directory -j2 KVER=$${KVER:-$$(scripts/kver)} conformance-build >&2
	@$(MAKE) --no-print-directory KVER=$${KVER:-$$(scripts/kver)} conformance-run

conformance-build: modules $(EMU_FILES) $(CONFORMANCE_TOOLS)

conformance-run:
	@$(CONFORMANCE_RUN) $(EMU_FILES)

# Broken modules: does the matrix fail, and in the right cells? MUTANT='leaf_*'
check-mutants:
	@scripts/deps check
	@$(MAKE) --no-print-directory -j2 KVER=$${KVER:-$$(scripts/kver)} conformance-build
	@KVER=$${KVER:-$$(scripts/kver)} && KVER=$$KVER BUILD=$(B) tests/mutants/run $$KVER \
		$(wildcard tests/mutants/$(or $(MUTANT),*).patch) -- \
		$$($(MAKE) -s --no-print-directory KVER=$$KVER print-emu-files)

print-emu-files:
	@echo $(EMU_FILES)

.PHONY: check check-all check-fast check-emu conformance conformance-build conformance-run \
	check-mutants print-emu-files

include demo/demo.mk

-include $(wildcard $(B)/tests/*/*.d $(B)/tests/*/*/*.d)
