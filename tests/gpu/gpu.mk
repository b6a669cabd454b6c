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

# Programs that run in the emulated host, outside the tree.
GPU_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/gpu/test_*.c))
GPU_LIB := tests/gpu/debian_guest.c tests/gpu/guest_gpu.c
$(GPU_TESTS): $(B)/tests/gpu/%: tests/gpu/%.c $(GPU_LIB) $(CONFORMANCE_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) -Itests/gpu -Iuserspace $(U_LDFLAGS) $< $(GPU_LIB) -o $@ \
		$(CONFORMANCE_O) $(ORACLE_O) -lpthread

GPU_FILES = $(GPU_TESTS) $(B)/trixie/userspace/dmapat-gpu-proc $(B)/trixie/userspace/dmapat-vmm

# A part of `make check`; its sum is the last line of build/tests/gpu/log.
check-gpu: modules $(GPU_TESTS) userspace-trixie
	@set -o pipefail; host=$$(tests/gpu/host-image) && guest=$$(tests/gpu/guest-image) && \
	KVER=$(KVER) BUILD=$(B) tests/emu/run -l tests/gpu/gpu.list -o $(B)/tests/gpu/out \
		$(if $(TEST),-t '$(TEST)') -d "$$host" -d "$$guest" $(GPU_FILES) | \
		tee $(B)/tests/gpu/log; status=$$?; $(foreach p,display,\
	sed -n 's/^# png $(p) //p' $(B)/tests/gpu/out/svm/*.log | base64 -d > $(B)/tests/gpu/$(p).png;) \
	exit $$status

.PHONY: gpu-guest check-gpu
