# SPDX-License-Identifier: GPL-2.0-or-later
# Costs in instructions, on Bochs: repeatable on any machine.

BENCH := $(B)/bench/bench_kvm $(B)/bench/bench_dirty

$(BENCH): $(B)/bench/%: bench/%.c $(CONFORMANCE_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $< -o $@ $(CONFORMANCE_O) $(ORACLE_O)

bench:
	@scripts/deps check
	@$(MAKE) --no-print-directory bench-run

bench-run: modules $(BENCH)
	bench/run $(KVER) $(B) $(BENCH)

.PHONY: bench bench-run
