# SPDX-License-Identifier: GPL-2.0-or-later
# A stock Debian kernel as guest of dmapat-vmm, in the emulated SVM machine.

$(B)/tests/linux/test_linux_guest: tests/linux/test_linux_guest.c $(CONFORMANCE_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $< -o $@ $(CONFORMANCE_O) $(ORACLE_O) -lzstd -lpthread

LINUX_OUT = $(B)/tests/linux/out
LINUX_FILES = $(B)/tests/linux/test_linux_guest $(B)/userspace/dmapat-vmm \
	$(B)/tests/linux/guest-initrd $$(tests/emu/stock-kernel $(KVER))/vmlinuz

$(B)/tests/linux/guest-initrd: tests/linux/mkguest tests/linux/guest-init tests/emu/stock-kernel
	@mkdir -p $(@D)
	$(call step,GUEST)tests/linux/mkguest $@ "$$(tests/emu/stock-kernel $(KVER))"

# A part of `make check`; its sum is the last line of build/tests/linux/log.
check-linux: modules $(B)/tests/linux/test_linux_guest $(B)/userspace/dmapat-vmm \
		$(B)/tests/linux/guest-initrd
	@KVER=$(KVER) BUILD=$(B) tests/emu/run -l tests/linux/linux.list -o $(LINUX_OUT) $(LINUX_FILES) \
		> $(B)/tests/linux/log; status=$$?; cat $(B)/tests/linux/log; exit $$status

.PHONY: check-linux
