# SPDX-License-Identifier: GPL-2.0-or-later
# Both programs and the library that they share. A new .c file in one of the
# folders is built without a change here.

PREFIX ?= /usr/local
CC ?= gcc
PKGS := libdrm libseccomp libcap-ng libzstd libxxhash libcjson libpng vulkan
# For --context=venus. Debian 12's is too old.
VIRGL := $(if $(shell pkg-config --exists 'virglrenderer >= 1.1' && echo 1),virglrenderer)
PKGS += $(VIRGL)

U_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wformat=2 -fstack-protector-strong \
	-D_GNU_SOURCE -D_FORTIFY_SOURCE=2 -fPIE -MMD -MP \
	-Iuserspace -Iuserspace/lib -isystem kernel/include/uapi \
	$(VIRGL:virglrenderer=-DHAVE_VIRGLRENDERER) \
	$(shell pkg-config --cflags $(PKGS) 2>/dev/null)
U_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
U_LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread

u_objs = $(patsubst %.c,$(B)/%.o,$(filter-out %/main.c,$(wildcard userspace/$(1)/*.c)))

LIB_A := $(B)/userspace/lib/libdmapat.a
GPU_A := $(B)/userspace/gpu-proc/gpu-proc.a
VMM_A := $(B)/userspace/vmm/vmm.a

userspace: $(B)/userspace/dmapat-gpu-proc $(B)/userspace/dmapat-vmm

$(B)/userspace/vmm/acpi_dsdt.hex: userspace/vmm/acpi_dsdt.asl
	@mkdir -p $(@D)
	$(call step,IASL)iasl -p $(basename $@) -tc $< > $(basename $@).log || { cat $(basename $@).log; exit 1; }

$(B)/userspace/vmm/acpi.o: $(B)/userspace/vmm/acpi_dsdt.hex
$(B)/userspace/vmm/acpi.o: U_CFLAGS += -I$(B)/userspace/vmm

$(B)/userspace/%.o: userspace/%.c
	@mkdir -p $(@D)
	$(call step,CC)$(CC) $(U_CFLAGS) -c $< -o $@

# linux/iommufd.h is younger than Debian 12's user headers: the kernel's, where there is none.
$(B)/userspace/vmm/dirty_iommufd.o: U_CFLAGS += -idirafter $(KERNEL_SOURCE)/include/uapi

$(LIB_A): $(call u_objs,lib)
$(GPU_A): $(call u_objs,gpu-proc)
$(VMM_A): $(call u_objs,vmm)
$(LIB_A) $(GPU_A) $(VMM_A):
	@mkdir -p $(@D)
	$(call step,AR)rm -f $@ && ar rcs $@ $^

$(B)/userspace/dmapat-gpu-proc: $(B)/userspace/gpu-proc/main.o $(GPU_A) $(LIB_A)
	$(call step,LD)$(CC) $(U_LDFLAGS) $^ -o $@ $(U_LIBS)

$(B)/userspace/dmapat-vmm: $(B)/userspace/vmm/main.o $(VMM_A) $(LIB_A)
	$(call step,LD)$(CC) $(U_LDFLAGS) $^ -o $@ $(U_LIBS)

-include $(wildcard $(B)/userspace/*/*.d)

# Both programs as Debian 13 has the libraries: virglrenderer with venus, which Debian 12's is
# too old for. Made in a tree of its own; the kernel's user headers are new enough there. The
# last two are for check-venus.
TRIXIE_PACKAGES := build-essential pkg-config acpica-tools glslang-tools linux-libc-dev \
	libdrm-dev libseccomp-dev libcap-ng-dev libzstd-dev libxxhash-dev libcjson-dev \
	libpng-dev libvirglrenderer-dev libvulkan-dev libcmocka-dev virgl-server
IN_TRIXIE = scripts/in-debian "$$(scripts/debian-tree trixie dev $(TRIXIE_PACKAGES))"

userspace-trixie:
	@$(IN_TRIXIE) make -s --no-print-directory B=$(B)/trixie KERNEL_SOURCE= userspace

install-userspace: userspace
	install -D -t $(DESTDIR)$(PREFIX)/bin $(B)/userspace/dmapat-gpu-proc $(B)/userspace/dmapat-vmm
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/linux kernel/include/uapi/linux/*.h
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 docs/man/*.1

uninstall-userspace:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,dmapat-gpu-proc dmapat-vmm)
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/include/linux/,$(notdir $(wildcard kernel/include/uapi/linux/*.h)))
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/man/man1/,$(notdir $(wildcard docs/man/*.1)))

.PHONY: userspace userspace-trixie install-userspace uninstall-userspace
