/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a cell is made of: a virtual machine under one rule, one exporter's buffer in
 * a memslot of it, and what has been done to them. moments.c changes it, group.c looks
 * at it, main.c owns it.
 *
 * The buffer has eight pages of its exporter's size. Six are looked at, one for each guest
 * PAT type; one before and one behind them show where a binding ends.
 */
#ifndef TESTS_MATRIX_STAGE_H
#define TESTS_MATRIX_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oracle_cell.h"
#include "../lib/vm.h"
#include "exporters.h"

#define STAGE_PAGES	6

struct stage {
	enum cell_modules modules;
	enum cell_vendor vendor;
	uint64_t host_pat;		/* 0 where no leaf depends on it (EPT) */
	struct test_vm vm;
	uint8_t *hva;			/* of the slot; aligned to 2 MiB */
	uint64_t gpa;			/* of the slot */
	uint32_t slot_flags;
	uint64_t pat_msr;		/* the guest's */
	bool mtrrs_set;
	const struct exporter *exporter;
	int fd;				/* its buffer */
	bool bound;			/* the six pages are */
	bool bound_beside;		/* the page before and the page behind are */
	unsigned int values;		/* for values that are stored */
};

/* Makes the virtual machine and watches its leaves. */
void stage_open(struct stage *stage, enum cell_modules modules, uint64_t host_pat);
void stage_close(struct stage *stage);

void stage_take(struct stage *stage, const struct exporter *exporter);
void stage_drop(struct stage *stage);

/* Maps the buffer and asks the page-table witness: one result. */
void stage_witness(struct stage *stage);

/*
 * Before each moment: the slot at home and not logged, the buffer freshly mapped, PAT and
 * MTRRs as a reset leaves them, the six pages bound or not, nothing mapped into the
 * guest. false: it could not be reached; what failed is noted.
 */
bool stage_reset(struct stage *stage, bool bound);

/* Steps, for moments. 0 or errno. */
int stage_map(struct stage *stage);		/* the buffer at its hva, anew */
int stage_bind(struct stage *stage);
int stage_unbind(struct stage *stage);
int stage_bind_beside(struct stage *stage);
int stage_slot(struct stage *stage, uint64_t gpa, uint32_t flags);
int stage_pat(struct stage *stage, uint64_t pat_msr);
int stage_mtrrs(struct stage *stage, bool set);

#define STAGE_HOME	0x100000000ULL		/* gpa of the slot */
#define STAGE_ELSEWHERE	0x140000000ULL
#define STAGE_SLOT	1
#define STAGE_SLOT_SIZE	0x1400000UL

/* Where page @page, 0 to 5, is looked at: its first 8 bytes; of the last one's last 4 KiB. */
uint64_t stage_offset(const struct stage *stage, unsigned int page);	/* in the slot */
uint64_t stage_gva(const struct stage *stage, unsigned int page);
volatile uint64_t *stage_host(const struct stage *stage, unsigned int page);
uint64_t stage_gfn(const struct stage *stage, unsigned int page);

/* What the guest's tables and its PAT select for a page. */
enum oracle_type stage_guest_type(const struct stage *stage, unsigned int page);

/* A value that was not stored before. */
uint64_t stage_value(struct stage *stage);

/*
 * The guest loads, stores and loads at @n of the six pages, from @first on; the host has
 * stored something before. 0 or errno of the vCPU; @data_ok: what each loaded was what
 * the other stored.
 */
int stage_touch(struct stage *stage, unsigned int first, unsigned int n,
		bool data_ok[STAGE_PAGES]);

#endif /* TESTS_MATRIX_STAGE_H */
