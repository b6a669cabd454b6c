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
	echo "demo: first act: $$((SECONDS - start)) s" && \
	$(MAKE) -s --no-print-directory KVER=$$kver demo-guest && \
	echo "demo: $$((SECONDS - start)) s in all"

demo-parts: modules stock-kernel $(DEMO_FILES) $(B)/tests/oracle/trace-report

# The second act: its images and programs take minutes the first time, and say so.
DEMO_GUEST_FILES = $(B)/tests/gpu/test_venus $(GPU_DISK) $(B)/trixie/userspace/dmapat-gpu-proc \
	$(B)/trixie/userspace/dmapat-vmm

demo-guest: modules $(B)/tests/gpu/test_venus $(GPU_DISK)
	@host=$$(tests/gpu/host-image) && guest=$$(tests/gpu/guest-image) && \
	BUILD=$(B) demo/guest $(KVER) "$$host" "$$guest" $(DEMO_GUEST_FILES)

stock-kernel:
	@tests/emu/stock-kernel $(KVER) > /dev/null

.PHONY: demo demo-parts demo-guest stock-kernel

-include $(wildcard $(B)/demo/*.d)
