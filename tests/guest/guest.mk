# SPDX-License-Identifier: GPL-2.0-or-later
# The guest payload: freestanding 64-bit code, started by dmapat-vmm.

GUEST_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -mno-red-zone -mgeneral-regs-only -MMD -MP \
	-Iuserspace -Itests/guest
GUEST_LDFLAGS = -nostdlib -static -no-pie -Wl,-T,tests/guest/payload.lds \
	-Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096
GUEST_FILES := $(B)/tests/guest/payload.elf
GUEST_OBJS := $(patsubst %,$(B)/%.o,$(basename $(wildcard tests/guest/*.[cS])))

guest: $(GUEST_FILES)

$(B)/tests/guest/%.o: tests/guest/%.c
	@mkdir -p $(@D)
	$(call step,CC)$(CC) $(GUEST_CFLAGS) -c $< -o $@

$(B)/tests/guest/%.o: tests/guest/%.S
	@mkdir -p $(@D)
	$(call step,CC)$(CC) $(GUEST_CFLAGS) -c $< -o $@

$(GUEST_FILES): $(GUEST_OBJS) tests/guest/payload.lds
	$(call step,LD)$(CC) $(GUEST_LDFLAGS) $(GUEST_OBJS) -o $@

.PHONY: guest

-include $(wildcard $(B)/tests/guest/*.d)
