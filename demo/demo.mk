# SPDX-License-Identifier: GPL-2.0-or-later
# The demo: its driver runs inside the emulated machine, demo/run outside. It
# begins with what a fresh machine lacks.

DEMO_O := $(patsubst %.c,$(B)/%.o,$(wildcard demo/*.c))
DEMO_FILES = $(B)/demo/driver $(B)/tests/guest/payload.elf $(B)/userspace/dmapat-gpu-proc \
	$(B)/userspace/dmapat-vmm

$(B)/demo/%.o: demo/%.c
	@mkdir -p $(@D)
	$(CC) $(T_CFLAGS) -Idemo -c $< -o $@

$(B)/demo/driver: $(DEMO_O)
	$(CC) $(U_LDFLAGS) $^ -o $@ $(U_LIBS)

demo:
	@scripts/deps
	@$(MAKE) --no-print-directory -j2 demo-parts
	@BUILD=$(B) demo/run $(KVER) $(DEMO_FILES)

demo-parts: modules stock-kernel $(DEMO_FILES) $(B)/tests/oracle/trace-report

stock-kernel:
	@tests/emu/stock-kernel $(KVER) > /dev/null

.PHONY: demo demo-parts stock-kernel

-include $(wildcard $(B)/demo/*.d)
