/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exporters of the matrix: one line each in exporters.c. Called by main.c and
 * stage.c.
 */
#ifndef TESTS_MATRIX_EXPORTERS_H
#define TESTS_MATRIX_EXPORTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "oracle_types.h"

struct exporter;

/* How buffers of a kind are made, and what they can do. */
struct source {
	/* The DMA-buf; the program ends where it cannot be had. */
	int (*allocate)(const struct exporter *exporter, size_t size);
	/* What this machine lacks for it, with what to do, in a static buffer; NULL: nothing. */
	const char *(*missing)(const struct exporter *exporter);
	/* Gives the buffer other pages: 0 or errno. NULL: its buffers stay where they are. */
	int (*move)(const struct exporter *exporter, int fd);
};

struct exporter {
	const char *name;
	enum oracle_type memtype;	/* of its CPU mappings */
	unsigned int page;		/* level of the largest leaf that it allows: 1 or 2 */
	const struct source *source;
	const char *heap;		/* node below /dev/dma_heap, for a heap */
};

/* The table; ends with an entry without a name. */
extern const struct exporter exporters[];

/* "4K", "2M" */
const char *exporter_page_name(const struct exporter *exporter);

/*
 * Does the host map [@at, @at + @size), a mapping of @exporter's buffer, with the type and
 * page size of the table? Asks the mock module; touches each page. One KTAP result.
 */
void exporter_witness(const struct exporter *exporter, const char *modules,
		      const volatile void *at, size_t size);

/* Is there /dev/dmapat-mock, which can tell what page tables hold? */
bool witness_present(void);

#endif /* TESTS_MATRIX_EXPORTERS_H */
