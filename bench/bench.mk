# SPDX-License-Identifier: GPL-2.0-or-later
# Costs in instructions, on Bochs: repeatable on any machine.

$(B)/bench/bench_kvm: bench/bench_kvm.c $(CONFORMANCE_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $< -o $@ $(CONFORMANCE_O) $(ORACLE_O)

bench:
	@scripts/deps check
	@$(MAKE) --no-print-directory bench-run

bench-run: modules $(B)/bench/bench_kvm
	bench/run $(KVER) $(B) $(B)/bench/bench_kvm

.PHONY: bench bench-run
