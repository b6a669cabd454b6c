// SPDX-License-Identifier: GPL-2.0-or-later
/* What the machine offers; see host.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/kvm_dmabuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../lib/buffer.h"
#include "../lib/leaf.h"
#include "../lib/vm.h"
#include "exporters.h"
#include "host.h"

#define EVENTS		"/sys/kernel/tracing/events"
#define PARAMETERS	"/sys/module/kvm/parameters/"

/* Linux 6.12's stable series and 6.15; older headers do not have it. */
#ifndef KVM_X86_QUIRK_IGNORE_GUEST_PAT
#define KVM_X86_QUIRK_IGNORE_GUEST_PAT	(1 << 9)
#endif

/* 'Y' or 'N'; 0: there is no such parameter. */
static char parameter(const char *name)
{
	char path[128], value = 0;
	int fd;

	snprintf(path, sizeof(path), "%s%s", PARAMETERS, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, &value, 1) != 1)
		value = 0;
	close(fd);
	return value;
}

static int extension(int which)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), r;

	if (kvm < 0)
		return -1;
	r = ioctl(kvm, KVM_CHECK_EXTENSION, which);
	close(kvm);
	return r;
}

static bool second_stage_ready(char why[HOST_WHY])
{
	const char *file = leaf_is_ept() ? "/sys/module/kvm_intel/parameters/ept" :
			   "/sys/module/kvm_amd/parameters/npt";
	char value = 0;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &value, 1) != 1)
		value = 0;
	if (fd >= 0)
		close(fd);
	if (value != 'Y' && value != '1') {
		snprintf(why, HOST_WHY, "%s: no second-stage paging: load kvm with it", file);
		return false;
	}
	if (parameter("tdp_mmu") != 'Y') {
		snprintf(why, HOST_WHY, PARAMETERS
			 "tdp_mmu is not Y: the shadow MMU does not trace that it zaps; load kvm with tdp_mmu=1");
		return false;
	}
	return true;
}

bool host_ready(char why[HOST_WHY])
{
	if (geteuid()) {
		snprintf(why, HOST_WHY, "uid %u: must be root", geteuid());
		return false;
	}
	if (access("/dev/kvm", R_OK | W_OK)) {
		snprintf(why, HOST_WHY, "/dev/kvm: %s: load kvm_intel or kvm_amd", strerror(errno));
		return false;
	}
	if (!second_stage_ready(why))
		return false;
	if (access(EVENTS, F_OK)) {
		snprintf(why, HOST_WHY, EVENTS
			 ": %s: mount -t tracefs nodev /sys/kernel/tracing", strerror(errno));
		return false;
	}
	if (access(EVENTS "/kvmmmu/kvm_tdp_mmu_spte_changed/enable", W_OK)) {
		snprintf(why, HOST_WHY, EVENTS
			 "/kvmmmu/kvm_tdp_mmu_spte_changed: %s: this kernel's kvm does not say what it maps",
			 strerror(errno));
		return false;
	}
	return true;
}

bool host_modules(enum cell_modules *modules, char why[HOST_WHY])
{
	if (extension(KVM_CAP_DMA_BUF) <= 0) {
		*modules = CELL_STOCK;
		return true;
	}
	switch (parameter("memtype_from_host")) {
	case 'Y':
		*modules = CELL_DMAPAT;
		return true;
	case 'N':
		*modules = CELL_DMAPAT_OFF;
		return true;
	default:
		snprintf(why, HOST_WHY, "kvm has KVM_CAP_DMA_BUF, but no " PARAMETERS
			 "memtype_from_host: are kvm.ko and kvm_intel.ko or kvm_amd.ko of one build?");
		return false;
	}
}

bool host_pat(uint64_t *pat, char why[HOST_WHY])
{
	ssize_t n;
	int fd;

	*pat = 0;
	if (leaf_is_ept())
		return true;
	if (witness_present()) {
		*pat = mock_host_pat();
		return true;
	}
	fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, pat, sizeof(*pat), TEST_MSR_PAT);
	if (n != sizeof(*pat))
		snprintf(why, HOST_WHY,
			 "/dev/cpu/0/msr: %s: NPT leaves select from IA32_PAT; load msr or dmapat_mock",
			 strerror(errno));
	if (fd >= 0)
		close(fd);
	return n == sizeof(*pat);
}

const char *host_quirk_off_missing(void)
{
	int quirks = extension(KVM_CAP_DISABLE_QUIRKS2);

	if (!leaf_is_ept())
		return "no quirk on AMD: NPT leaves never ignore the guest's PAT";
	if (quirks < 0 || !(quirks & KVM_X86_QUIRK_IGNORE_GUEST_PAT))
		return "this kvm does not offer KVM_X86_QUIRK_IGNORE_GUEST_PAT: the CPU has no self-snoop";
	return NULL;
}

int host_quirk_off(int vm_fd)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DISABLE_QUIRKS2,
		.args[0] = KVM_X86_QUIRK_IGNORE_GUEST_PAT,
	};

	return ioctl(vm_fd, KVM_ENABLE_CAP, &cap) ? errno : 0;
}
