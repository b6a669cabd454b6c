/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each party says of one buffer's memory type: KVM, the VMM for the guest's
 * driver, the page tables of the GPU process and of the VMM, the guest's own tables.
 */
#ifndef TESTS_CONFORMANCE_AGREE_H
#define TESTS_CONFORMANCE_AGREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../oracle/oracle_cell.h"

/* An access that Bochs traced: 8 bytes at @linear. Phase 0: not traced. */
struct agree_access {
	uint64_t phase;
	uint64_t linear;
};

/* UC- counts as UC; ORACLE_INVALID: no answer, or no type. */
struct agree {
	const char *name;		/* the buffer's */
	const char *stage;		/* "source", "destination" */
	const char *bind;		/* "require", "off" */
	enum oracle_type memtype;	/* what all must be */
	enum oracle_type kernel;	/* bound: KVM_SET_DMA_BUF; else KVM_GET_MEMTYPE */
	enum oracle_type leaf;		/* KVM_GET_MEMTYPE */
	enum oracle_type map_info;	/* what the number means to a driver */
	enum oracle_type gpu_pte;
	enum oracle_type vmm_pte;
	enum oracle_type guest_pat;
	struct agree_access gpu, vmm, guest;
};

/*
 * The answers of query-memtype: @line is what the control socket said. Also the
 * guest-physical address, and the first 8 bytes as the VMM read them, in hexadecimal.
 * The test ends where the buffer is not in it.
 */
void agree_query(struct agree *agree, const char *line, uint64_t *gpa, char sample[17]);

/*
 * The type that the process' page tables select for all of [addr, +size); @pid 0: this
 * process. ORACLE_INVALID, after a note that says why: not mapped, or not one type.
 */
enum oracle_type agree_pte(pid_t pid, uint64_t addr, uint64_t size);

/*
 * Prints the "# agree …" line, and one result: do all of them say @agree->memtype?
 * @cell: the guest's access as its driver makes it.
 */
bool agree_check(const struct agree *agree, const struct cell *cell);

#endif /* TESTS_CONFORMANCE_AGREE_H */
