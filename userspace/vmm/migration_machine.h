/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What two machines have to have in common before a guest can move from one to
 * the other: memory, buffers with their types, vCPUs, CPU features, KVM's
 * abilities. The source sends it in the HELLO record, the destination compares.
 * Filled by migration_vm.c; used by migration_send.c and migration_recv.c.
 */
#ifndef VMM_MIGRATION_MACHINE_H
#define VMM_MIGRATION_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/error.h"

#define MIGRATION_PAGE_SIZE	4096u
#define MIGRATION_PAGE_SHIFT	12

#define MIGRATION_MAX_REGIONS	80
#define MIGRATION_MAX_CPU_WORDS	32
#define MIGRATION_NAME_MAX	32

enum migration_region_kind {
	MIGRATION_RAM,		/* of a memfd: pages that nobody touched are holes and zero */
	MIGRATION_BUFFER,	/* a DMA-buf in the window */
};

struct migration_region {
	char name[MIGRATION_NAME_MAX];
	enum migration_region_kind kind;
	uint32_t memtype;	/* DMABUF_MEMTYPE_*, WB for RAM */
	uint64_t gpa;		/* page aligned */
	uint64_t size;		/* bytes, page aligned, not 0 */

	/* Of this side alone, not in the stream. */
	uint8_t *hva;
	int fd;			/* memfd or DMA-buf; -1: holes and fences unknown */
	uint32_t slot;		/* memslot that the dirty log names */
	uint64_t slot_page;	/* first page of the region in it */
};

enum migration_cpu_reg { MIGRATION_EAX, MIGRATION_EBX, MIGRATION_ECX, MIGRATION_EDX };

/* One register full of CPUID feature bits. */
struct migration_cpu_word {
	uint32_t leaf;
	uint32_t subleaf;
	uint32_t reg;		/* enum migration_cpu_reg */
	uint32_t value;
};

struct migration_machine {
	uint32_t nr_vcpus;
	bool bind;		/* KVM binds DMA-bufs */
	uint64_t window_gpa;
	uint64_t window_size;
	uint32_t nr_regions;	/* by gpa, ascending, none overlapping */
	struct migration_region regions[MIGRATION_MAX_REGIONS];
	char cpu_vendor[13];
	uint32_t nr_cpu_words;
	struct migration_cpu_word cpu_words[MIGRATION_MAX_CPU_WORDS];
};

/* What else the source says in its HELLO. */
struct migration_terms {
	uint32_t timeout_ms;	/* for both sides */
	uint64_t hash_seed;	/* of the page hashes; random, unknown to the guest */
	uint32_t channels;	/* connections, this one included: 1 to MIGRATION_MAX_CHANNELS */
	uint64_t join_id;	/* random: what the others introduce themselves by */
};

/* Returns an allocated payload of *@len bytes, NULL without memory. */
uint8_t *migration_machine__encode(const struct migration_machine *m,
				   const struct migration_terms *terms, uint32_t *len);

/* -EPROTO with the reason where the payload makes no sense. */
int migration_machine__decode(struct migration_machine *m, struct migration_terms *terms,
			      const uint8_t *payload, uint32_t len, struct error *err);

/*
 * Can the guest of @src run on @dst? -EXDEV and both values of the first thing
 * that differs.
 */
int migration_machine__compare(const struct migration_machine *src,
			       const struct migration_machine *dst, struct error *err);

static inline uint64_t migration_region__pages(const struct migration_region *r)
{
	return r->size >> MIGRATION_PAGE_SHIFT;
}

#endif /* VMM_MIGRATION_MACHINE_H */
