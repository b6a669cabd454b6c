# SPDX-License-Identifier: GPL-2.0-or-later
# libFuzzer targets: tests/fuzz/fuzz_NAME.c, with the programs built once more for them.
# Each begins with the inputs in tests/fuzz/corpus/NAME, which tests/fuzz/corpus.c makes.

FUZZ_CC := clang
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
# No _FORTIFY_SOURCE: it hides calls from the sanitizers.
F_CFLAGS = -std=gnu11 -O1 -g -Wall -Werror -D_GNU_SOURCE -MMD -MP $(FUZZ_SANITIZE) \
	-Iuserspace -Iuserspace/lib -Itests -Itests/fuzz -isystem kernel/include/uapi \
	$(shell pkg-config --cflags $(PKGS) 2>/dev/null)

FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ := $(FUZZ_NAMES:%=$(B)/tests/fuzz/fuzz_%)
fuzz_objs = $(patsubst %.c,$(B)/fuzz/%.o,$(filter-out %/main.c,$(wildcard userspace/$(1)/*.c)))

FUZZ_LIB_A := $(B)/fuzz/userspace/lib/libdmapat.a
FUZZ_GPU_A := $(B)/fuzz/userspace/gpu-proc/gpu-proc.a
$(FUZZ_LIB_A): $(call fuzz_objs,lib)
FUZZ_VMM_A := $(B)/fuzz/userspace/vmm/vmm.a
$(FUZZ_GPU_A): $(call fuzz_objs,gpu-proc)
$(FUZZ_VMM_A): $(call fuzz_objs,vmm)
$(B)/fuzz/userspace/vmm/acpi.o: $(B)/userspace/vmm/acpi_dsdt.hex
$(B)/fuzz/userspace/vmm/acpi.o: F_CFLAGS += -I$(B)/userspace/vmm
$(B)/fuzz/userspace/vmm/dirty_iommufd.o: F_CFLAGS += -idirafter $(KERNEL_SOURCE)/include/uapi

$(B)/fuzz/userspace/%.o: userspace/%.c
	@mkdir -p $(@D)
	$(call step,CC)$(FUZZ_CC) $(F_CFLAGS) -fsanitize=fuzzer-no-link -c $< -o $@

$(FUZZ_LIB_A) $(FUZZ_GPU_A) $(FUZZ_VMM_A):
	@mkdir -p $(@D)
	$(call step,AR)rm -f $@ && ar rcs $@ $^

FUZZ_PEER_O := $(patsubst %,$(B)/fuzz/tests/%.o,peer peer_commands wire blob_memory)

$(B)/fuzz/tests/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(call step,CC)$(FUZZ_CC) $(F_CFLAGS) -fsanitize=fuzzer-no-link -c $< -o $@

$(FUZZ): $(B)/tests/fuzz/fuzz_%: $(B)/fuzz/tests/fuzz_%.o
	@mkdir -p $(@D)
	$(call step,LD)$(FUZZ_CC) $(FUZZ_SANITIZE) $(FUZZ_WRAP) -fsanitize=fuzzer $^ -o $@ $(U_LIBS)

$(B)/tests/fuzz/fuzz_virtqueue: $(FUZZ_LIB_A)
$(B)/tests/fuzz/fuzz_session $(B)/tests/fuzz/fuzz_gpu: $(FUZZ_PEER_O) $(FUZZ_GPU_A) $(FUZZ_LIB_A)
$(B)/tests/fuzz/fuzz_frontend: $(B)/fuzz/tests/wire.o $(FUZZ_VMM_A) $(FUZZ_LIB_A)
$(B)/tests/fuzz/fuzz_frontend: private FUZZ_WRAP = -Wl,--wrap=poll,--wrap=clock_gettime -lcmocka
# The other side takes its turn when the program waits.
$(B)/tests/fuzz/fuzz_session $(B)/tests/fuzz/fuzz_gpu: private FUZZ_WRAP = \
	-Wl,--wrap=poll,--wrap=epoll_wait,--wrap=clock_gettime

$(B)/tests/fuzz/corpus: tests/fuzz/corpus.c tests/fuzz/peer_commands.c
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(filter-out -MMD -MP,$(U_CFLAGS)) $(U_LDFLAGS) -Itests/fuzz $^ -o $@

# The inputs in the tree, made anew: after a target reads its input in another way.
fuzz-corpus: $(B)/tests/fuzz/corpus
	@rm -rf tests/fuzz/corpus && $< tests/fuzz/corpus

# Bounded and the same each time: a part of `make check-fast` and `make check`.
FUZZ_FILES := $(FUZZ) $(B)/tests/fuzz/corpus
FUZZ_CHECK := tests/fuzz/run check $(B) $(FUZZ_NAMES)

check-fuzz: $(FUZZ_FILES)
	@$(FUZZ_CHECK)

# SECONDS for each: make fuzz SECONDS=600 FUZZ_NAMES=session
fuzz: $(FUZZ)
	@FUZZ_SECONDS=$(or $(SECONDS),60) tests/fuzz/run long $(B) $(FUZZ_NAMES)

.PHONY: fuzz-corpus check-fuzz fuzz

-include $(wildcard $(B)/fuzz/*/*.d $(B)/fuzz/*/*/*.d)
