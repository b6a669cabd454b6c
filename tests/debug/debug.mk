# SPDX-License-Identifier: GPL-2.0-or-later
# The tests on a kernel with lockdep, KASAN, UBSAN, kmemleak and fault injection.

DEBUG_FILES := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/debug/*.c))

$(filter-out %/test_dirty_iommufd,$(DEBUG_FILES)): $(B)/tests/%: tests/%.c $(CONFORMANCE_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $< -o $@ $(CONFORMANCE_O) $(ORACLE_O) -lpthread

# What it says to iommufd's mock stands in a header of the kernel's source. The VMM's dirty
# source is linked, and nothing else of it.
$(B)/tests/debug/test_dirty_iommufd: tests/debug/test_dirty_iommufd.c $(VMM_A) $(CONFORMANCE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) -Iuserspace -I$(KERNEL_SOURCE)/drivers/iommu/iommufd \
		-idirafter $(KERNEL_SOURCE)/include/uapi $(U_LDFLAGS) $< -o $@ \
		$(B)/tests/conformance/lib/ktap.o $(VMM_A)

check-debug:
	@scripts/deps check
	@$(MAKE) --no-print-directory -j2 KVER=$${KVER:-$$(scripts/kver)} check-debug-run

check-debug-run: $(EMU_FILES) $(DEBUG_FILES) $(B)/tests/oracle/trace-report
	@mkdir -p $(B)/debug
	@BUILD=$(B) tests/debug/run $(if $(MACHINE),-m '$(MACHINE)') $(if $(TEST),-t '$(TEST)') \
		$(KVER) $(EMU_FILES) $(DEBUG_FILES)

.PHONY: check-debug check-debug-run
