# SPDX-License-Identifier: GPL-2.0-or-later
# Costs in instructions, on Bochs: repeatable on any machine.

BENCH := $(B)/bench/bench_kvm $(B)/bench/bench_dirty
BENCH_MIGRATE := $(B)/bench/bench_migrate

$(BENCH) $(BENCH_MIGRATE): $(B)/bench/%: bench/%.c $(CONFORMANCE_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $< -o $@ $(CONFORMANCE_O) $(ORACLE_O)

# The tests do not run them, but keep them building.
check-all: $(BENCH) $(BENCH_MIGRATE)

bench:
	@scripts/deps check
	@$(MAKE) --no-print-directory bench-run

bench-run: modules $(BENCH)
	bench/run $(KVER) $(B) $(BENCH)

# Beside QEMU's migration, in QEMU: its clock counts instructions, too.
bench-migrate:
	@scripts/deps check
	@$(MAKE) --no-print-directory bench-migrate-run

bench-migrate-run: modules $(BENCH_MIGRATE) $(GUEST_FILES) $(B)/userspace/dmapat-vmm
	bench/migrate $(KVER) $(B) $(BENCH_MIGRATE) $(GUEST_FILES) $(B)/userspace/dmapat-vmm

.PHONY: bench bench-run bench-migrate bench-migrate-run
