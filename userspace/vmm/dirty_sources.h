/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All dirty sources of a migration, as one: started together or not at all, synced
 * one after the other, stopped and freed together. Filled and used by migration_vm.c.
 */
#ifndef VMM_DIRTY_SOURCES_H
#define VMM_DIRTY_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/dirty_source.h"
#include "vmm/error.h"

#define DIRTY_SOURCES_MAX	128	/* the buffers of a migration, gpu-procs, vCPUs, devices */

struct dirty_sources {
	struct dirty_sink counter;		/* what the sources are given */
	const struct dirty_sink *sink;		/* whom it passes the pages on to */
	struct dirty_source *syncing;		/* whose pages they are */
	struct dirty_source *all[DIRTY_SOURCES_MAX];
	unsigned int nr;
	unsigned int nr_started;
};

/* Takes @s over in every case. -ENOMEM for NULL: whoever created it had no memory. */
int dirty_sources__add(struct dirty_sources *sources, struct dirty_source *s, struct error *err);

/* On failure none is started. @err begins with the source's name. */
int dirty_sources__start(struct dirty_sources *sources, const struct dirty_sink *sink,
			 struct error *err);
/* On failure the others have not been asked; all are still started. */
int dirty_sources__sync(struct dirty_sources *sources, bool last, struct error *err);
/* In reverse order; nothing where nothing is started. */
void dirty_sources__stop(struct dirty_sources *sources);
void dirty_sources__free(struct dirty_sources *sources);

/* Pages that the last sync will hand over, written or not. */
uint64_t dirty_sources__floor(const struct dirty_sources *sources);

#endif /* VMM_DIRTY_SOURCES_H */
