# SPDX-License-Identifier: GPL-2.0-or-later
# A stock Debian kernel as guest of dmapat-vmm, in the emulated SVM machine.

LINUX = $(patsubst %.c,$(B)/%,$(wildcard tests/linux/test_*.c))

$(LINUX): $(B)/tests/%: tests/%.c $(wildcard tests/linux/*.h) $(CONFORMANCE_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) -Iuserspace/lib $(U_LDFLAGS) $< -o $@ $(CONFORMANCE_O) $(ORACLE_O) -lzstd -lpng -lpthread

# Not ours, and as Debian has it.
VIRTIOFSD = $(firstword $(wildcard /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd) /usr/lib/qemu/virtiofsd)

LINUX_OUT = $(B)/tests/linux/out
LINUX_FILES = $(LINUX) $(B)/userspace/dmapat-vmm $(B)/userspace/dmapat-gpu-proc $(VIRTIOFSD) \
	$(B)/tests/linux/guest-initrd $(B)/tests/linux/gpu-initrd $$(tests/emu/stock-kernel $(KVER))/vmlinuz

$(B)/tests/linux/guest-initrd: tests/linux/mkguest tests/linux/guest-init tests/emu/stock-kernel
	@mkdir -p $(@D)
	$(call step,GUEST)tests/linux/mkguest $@ "$$(tests/emu/stock-kernel $(KVER))"

# Static: the guest has no libraries.
$(B)/tests/gpu/guest/blob_test: tests/gpu/guest/blob_test.c tests/gpu/guest/virtgpu.h userspace/lib/virtio_gpu_heap.h
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(filter-out -fPIE -MMD -MP,$(T_CFLAGS)) -Iuserspace/lib -static $< -o $@

$(B)/tests/linux/gpu-initrd: tests/linux/mkguest tests/linux/gpu-init $(B)/tests/gpu/guest/blob_test tests/emu/stock-kernel
	@mkdir -p $(@D)
	$(call step,GUEST)tests/linux/mkguest -i tests/linux/gpu-init $@ \
		"$$(tests/emu/stock-kernel $(KVER))" $(B)/tests/gpu/guest/blob_test

# A part of `make check`; its sum is the last line of build/tests/linux/log.
check-linux: modules $(LINUX) $(B)/userspace/dmapat-vmm $(B)/userspace/dmapat-gpu-proc \
		$(B)/tests/linux/guest-initrd $(B)/tests/linux/gpu-initrd $(B)/tests/oracle/trace-report
	@KVER=$(KVER) BUILD=$(B) tests/emu/run -l tests/linux/linux.list $(if $(MACHINE),-m '$(MACHINE)') $(if $(TEST),-t '$(TEST)') -o $(LINUX_OUT) $(LINUX_FILES) \
		> $(B)/tests/linux/log; status=$$?; cat $(B)/tests/linux/log; exit $$status

.PHONY: check-linux
