/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What caches that real processors have would have done to a sequence of accesses:
 * each CPU agent has a write-back cache and write-combining buffers, the device
 * reads and writes memory. docs/coherence.md has the rules with their manual
 * sections. Nothing here holds a value: a byte is known by the write that it came
 * from. Called by tests/coherence.
 */
#ifndef TESTS_ORACLE_COHERENCE_H
#define TESTS_ORACLE_COHERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oracle_types.h"

#define COHERENCE_LINE	64u

enum coherence_agent {
	COHERENCE_GUEST,
	COHERENCE_GUEST2,	/* another virtual machine */
	COHERENCE_VMM,
	COHERENCE_MIGRATION,	/* the VMM's thread, on a CPU of its own */
	COHERENCE_GPU_PROCESS,
	COHERENCE_KERNEL,	/* the host's, through its own mapping */
	COHERENCE_N_CPUS,	/* all above are CPU agents */
	COHERENCE_DEVICE = COHERENCE_N_CPUS,
};

struct coherence_access {
	enum coherence_agent agent;
	bool write;
	/* effective type; the device has none, its value is not looked at */
	enum oracle_type type;
	/* UC that the page tables chose, not the MTRRs or the EPT leaf: caches are checked */
	bool uc_by_pat;
	uint64_t address;	/* physical */
	unsigned int length;	/* bytes, 1 to 64; may cross lines */
};

/* Writes count from 1, in the order in which they came; 0 is what was there before. */
struct coherence_write {
	enum coherence_agent agent;
	uint64_t address;
	unsigned int length;
	unsigned long order;	/* among all accesses, from 1 */
};

enum coherence_kind {
	COHERENCE_STALE,	/* a read did not get the latest write */
	COHERENCE_LOST,		/* a write-back or drain put older bytes over a write */
};

struct coherence_finding {
	enum coherence_kind kind;
	/* who read; whose line or buffer was written out */
	enum coherence_agent agent;
	uint64_t address;	/* physical, first byte concerned */
	unsigned int length;	/* bytes, within one line */
	unsigned long order;	/* of the read; 0: lost */
	unsigned int got;	/* write whose bytes were read, or put over the others */
	unsigned int missed;	/* write that should have been seen, or that is lost */
};

struct coherence_line;

struct coherence {
	bool device_snoops;
	bool self_snoop;
	struct coherence_line *lines;
	size_t n_lines;
	struct coherence_write *writes;		/* [0] is the state before */
	size_t n_writes;
	struct coherence_finding *findings;
	size_t n_findings;
	unsigned long n_accesses;
	unsigned long n_reads;
	unsigned long n_stale;			/* reads */
	unsigned long n_lost;			/* writes */
	bool out_of_memory;
};

/*
 * 0 or -ENOMEM. @device_snoops: its accesses look into the CPUs' caches; @self_snoop:
 * so do the CPUs' own UC and WC accesses, the best that a processor can do.
 */
int coherence_init(struct coherence *c, bool device_snoops, bool self_snoop);
void coherence_destroy(struct coherence *c);

/* 0, -EINVAL (length, type or agent that there is not; wraps), -ENOMEM */
int coherence_access(struct coherence *c, const struct coherence_access *access);

/* The agent empties its write-combining buffers: fence, locked instruction, I/O, hand-over. */
void coherence_drain(struct coherence *c, enum coherence_agent agent);

/*
 * The line of @address leaves all caches, a modified one by way of memory: eviction,
 * or CLFLUSH by any agent.
 */
void coherence_flush(struct coherence *c, uint64_t address);

/* The end: buffers drain, then all modified lines are written back. 0 or -ENOMEM */
int coherence_finish(struct coherence *c);

/* "guest", "guest2", "vmm", "migration", "gpu-process", "kernel", "device" */
const char *coherence_agent_name(enum coherence_agent agent);
/* -1: no agent's name */
int coherence_agent_parse(const char *name);

#endif /* TESTS_ORACLE_COHERENCE_H */
