# SPDX-License-Identifier: GPL-2.0-or-later
# KVM's own selftests, on stock modules and on ours, compared.

$(B)/tests/upstream/wrap: tests/upstream/wrap.c
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $< -o $@

UPSTREAM_RUN = BUILD=$(B) tests/upstream/run $(if $(MACHINE),-m '$(MACHINE)') $(if $(TEST),-t '$(TEST)')
UPSTREAM_NEEDS = modules $(B)/tests/upstream/wrap $(B)/tests/oracle/trace-report

check-upstream: $(UPSTREAM_NEEDS)
	@$(UPSTREAM_RUN) $(KVER)

# A part of `make check`; its sum is in build/upstream-quick/summary.
check-upstream-quick: $(UPSTREAM_NEEDS)
	@BUILD=$(B) tests/upstream/selftest $(KVER) > $(B)/tests/upstream/selftest.log; \
		cat $(B)/tests/upstream/selftest.log
	@$(UPSTREAM_RUN) -q -a $(B)/tests/upstream/selftest.log $(KVER)

.PHONY: check-upstream check-upstream-quick
