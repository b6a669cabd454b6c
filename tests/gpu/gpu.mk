# SPDX-License-Identifier: GPL-2.0-or-later
# Debian 13 guests of dmapat-vmm with virtio-gpu, in the emulated SVM machine: the host's and the
# guest's trees are disk images, the programs in them are made in a Debian 13 tree.

# Programs that need Mesa's or other libraries of Debian 13: made by `make gpu-guest` in the tree.
GPU_GUEST := $(B)/tests/gpu/guest/vk_compute

$(B)/tests/gpu/guest/vk_compute_shader.h: tests/gpu/guest/vk_compute.comp
	@mkdir -p $(@D)
	$(call step,GLSL)glslangValidator --quiet -V --vn vk_compute_shader -o $@ $<

$(B)/tests/gpu/guest/vk_compute: tests/gpu/guest/vk_compute.c $(B)/tests/gpu/guest/vk_compute_shader.h
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) -I$(@D) $(U_LDFLAGS) $< -o $@ -lvulkan

gpu-guest: $(GPU_GUEST)

gpu-guest-trixie:
	@$(IN_TRIXIE) make -s --no-print-directory B=$(B)/trixie KERNEL_SOURCE= userspace gpu-guest

# The guest's second disk: what changes more often than the images.
GPU_DISK := $(B)/tests/gpu/programs.ext4
$(GPU_DISK): gpu-guest-trixie
	@rm -rf $(@D)/programs && mkdir -p $(@D)/programs
	@cp $(GPU_GUEST:$(B)/%=$(B)/trixie/%) $(@D)/programs
	@rm -f $@ && truncate -s 8M $@ && mke2fs -q -t ext4 -O ^has_journal -d $(@D)/programs $@

# Programs that run in the emulated host, outside the tree.
GPU_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/gpu/test_*.c))
GPU_LIB := tests/gpu/debian_guest.c tests/gpu/guest_gpu.c
$(GPU_TESTS): $(B)/tests/gpu/%: tests/gpu/%.c $(GPU_LIB) $(CONFORMANCE_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) -Itests/gpu -Iuserspace $(U_LDFLAGS) $< $(GPU_LIB) -o $@ \
		$(CONFORMANCE_O) $(ORACLE_O) -lcjson -lpthread

GPU_FILES = $(GPU_TESTS) $(GPU_DISK) $(B)/trixie/userspace/dmapat-gpu-proc $(B)/trixie/userspace/dmapat-vmm

# A part of `make check`; its sum is the last line of build/tests/gpu/log.
check-gpu: modules $(GPU_TESTS) $(GPU_DISK)
	@set -o pipefail; host=$$(tests/gpu/host-image) && guest=$$(tests/gpu/guest-image) && \
	KVER=$(KVER) BUILD=$(B) tests/emu/run -l tests/gpu/gpu.list -o $(B)/tests/gpu/out \
		$(if $(TEST),-t '$(TEST)') -d "$$host" -d "$$guest" $(GPU_FILES) | \
		tee $(B)/tests/gpu/log; status=$$?; $(foreach p,display venus,\
	sed -n 's/^# png $(p) //p' $(B)/tests/gpu/out/svm/*.log | base64 -d > $(B)/tests/gpu/$(p).png;) \
	exit $$status

.PHONY: gpu-guest gpu-guest-trixie check-gpu
