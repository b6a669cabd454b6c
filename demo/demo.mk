# SPDX-License-Identifier: GPL-2.0-or-later
# The demo: its driver runs inside the emulated machine, demo/run outside. It
# begins with what a fresh machine lacks.

DEMO_O := $(patsubst %.c,$(B)/%.o,$(wildcard demo/*.c))
DEMO_FILES = $(B)/demo/driver $(B)/tests/guest/payload.elf $(B)/userspace/dmapat-gpu-proc \
	$(B)/userspace/dmapat-vmm

$(B)/demo/%.o: demo/%.c
	@mkdir -p $(@D)
	$(call step,CC)$(CC) $(T_CFLAGS) -Idemo -c $< -o $@

$(B)/demo/driver: $(DEMO_O)
	$(call step,LD)$(CC) $(U_LDFLAGS) $^ -o $@ $(U_LIBS)

# KVER again after scripts/deps: a machine that has never read its package lists
# does not know it before.
demo:
	@start=$$SECONDS; \
	echo "demo: packages, modules, programs (what is missing or has changed)" && \
	scripts/deps demo && \
	echo "demo: packages are there ($$((SECONDS - start)) s)" && \
	kver=$${KVER:-$$(scripts/kver)} && \
	$(MAKE) -s --no-print-directory -j2 KVER=$$kver demo-parts && \
	echo "demo: built ($$((SECONDS - start)) s)" && \
	BUILD=$(B) demo/run $$kver $(DEMO_FILES) && \
	echo "demo: $$((SECONDS - start)) s in all"

demo-parts: modules stock-kernel $(DEMO_FILES) $(B)/tests/oracle/trace-report

stock-kernel:
	@tests/emu/stock-kernel $(KVER) > /dev/null

.PHONY: demo demo-parts stock-kernel

-include $(wildcard $(B)/demo/*.d)
