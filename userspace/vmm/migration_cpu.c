// SPDX-License-Identifier: GPL-2.0-or-later
/* CPUID feature words; see migration_cpu.h. */
#include "vmm/migration_cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/util.h"

#define CPUID_MAX	256

/*
 * Words that consist of feature bits, each of which a guest may use if it is set
 * (SDM vol. 2A, CPUID; APM vol. 3, appendix E). @ignore: bits that say what the
 * guest or its APIC switched on, not what the CPU can do.
 */
static const struct feature_word {
	uint32_t leaf;
	uint32_t subleaf;
	enum migration_cpu_reg reg;
	uint32_t ignore;
} feature_words[] = {
	/* OSXSAVE; TSC_DEADLINE and HYPERVISOR, which every guest of this VMM has */
	{ 0x1, 0, MIGRATION_ECX, 1u << 27 | 1u << 24 | 1u << 31 },
	{ 0x1, 0, MIGRATION_EDX, 1u << 9 },		/* APIC */
	{ 0x7, 0, MIGRATION_EBX, 0 },
	{ 0x7, 0, MIGRATION_ECX, 1u << 4 },		/* OSPKE */
	{ 0x7, 0, MIGRATION_EDX, 0 },
	{ 0x7, 1, MIGRATION_EAX, 0 },
	{ 0x7, 1, MIGRATION_EDX, 0 },
	{ 0x7, 2, MIGRATION_EDX, 0 },
	{ 0xd, 0, MIGRATION_EAX, 0 },			/* XCR0 */
	{ 0xd, 0, MIGRATION_EDX, 0 },
	{ 0xd, 1, MIGRATION_EAX, 0 },
	{ 0x40000001, 0, MIGRATION_EAX, 0 },		/* KVM_FEATURE_* */
	{ 0x80000001, 0, MIGRATION_ECX, 0 },
	{ 0x80000001, 0, MIGRATION_EDX, 0 },
	{ 0x80000007, 0, MIGRATION_EDX, 0 },
	{ 0x80000008, 0, MIGRATION_EBX, 0 },
	{ 0x80000021, 0, MIGRATION_EAX, 0 },
};

_Static_assert(ARRAY_SIZE(feature_words) <= MIGRATION_MAX_CPU_WORDS, "all words fit");

static uint32_t reg_of(const struct kvm_cpuid_entry2 *entry, enum migration_cpu_reg reg)
{
	switch (reg) {
	case MIGRATION_EAX:
		return entry->eax;
	case MIGRATION_EBX:
		return entry->ebx;
	case MIGRATION_ECX:
		return entry->ecx;
	case MIGRATION_EDX:
		return entry->edx;
	}
	return 0;
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid_entry2 *entries, uint32_t n,
					   uint32_t leaf, uint32_t subleaf)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (entries[i].function == leaf && entries[i].index == subleaf)
			return &entries[i];
	return NULL;
}

void migration_cpu__words(struct migration_machine *m, const struct kvm_cpuid_entry2 *entries,
			  uint32_t n)
{
	const struct kvm_cpuid_entry2 *entry = find(entries, n, 0, 0);
	const struct feature_word *w;
	uint32_t i;

	memset(m->cpu_vendor, 0, sizeof(m->cpu_vendor));
	if (entry) {
		memcpy(m->cpu_vendor, &entry->ebx, 4);
		memcpy(m->cpu_vendor + 4, &entry->edx, 4);
		memcpy(m->cpu_vendor + 8, &entry->ecx, 4);
	}
	m->nr_cpu_words = ARRAY_SIZE(feature_words);
	for (i = 0; i < ARRAY_SIZE(feature_words); i++) {
		w = &feature_words[i];
		entry = find(entries, n, w->leaf, w->subleaf);
		m->cpu_words[i] = (struct migration_cpu_word) {
			.leaf = w->leaf,
			.subleaf = w->subleaf,
			.reg = w->reg,
			.value = entry ? reg_of(entry, w->reg) & ~w->ignore : 0,
		};
	}
}

int migration_cpu__host_words(struct migration_machine *m, int sys_fd, struct error *err)
{
	struct kvm_cpuid2 *cpuid;
	int ret = 0;

	cpuid = calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return error__set(err, ENOMEM, "no memory for CPUID");
	cpuid->nent = CPUID_MAX;
	if (ioctl(sys_fd, KVM_GET_SUPPORTED_CPUID, cpuid))
		ret = error__set(err, errno, "KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
	else
		migration_cpu__words(m, cpuid->entries, cpuid->nent);
	free(cpuid);
	return ret;
}
