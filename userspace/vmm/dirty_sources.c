// SPDX-License-Identifier: GPL-2.0-or-later
/* All dirty sources of a migration; see dirty_sources.h. */
#include "vmm/dirty_sources.h"

#include <errno.h>
#include <string.h>

#include "vmm/util.h"

int dirty_sources__add(struct dirty_sources *sources, struct dirty_source *s, struct error *err)
{
	if (!s)
		return error__set(err, ENOMEM, "no memory for a dirty source");
	if (sources->nr == DIRTY_SOURCES_MAX) {
		error__set(err, E2BIG, "%s: more than %d dirty sources", s->name,
			   DIRTY_SOURCES_MAX);
		s->ops->free(s);
		return -E2BIG;
	}
	sources->all[sources->nr++] = s;
	return 0;
}

static void dirty_sources__count(const struct dirty_sink *sink, uint32_t slot, uint64_t page)
{
	const struct dirty_sources *sources = container_of(sink, struct dirty_sources, counter);

	sources->syncing->pages++;
	sources->sink->page(sources->sink, slot, page);
}

/* Which of them it was. */
static int dirty_sources__failed(const struct dirty_source *s, int ret, const struct error *why,
				 struct error *err)
{
	return error__set(err, -ret, "%s: %s", s->name, why->msg);
}

int dirty_sources__start(struct dirty_sources *sources, const struct dirty_sink *sink,
			 struct error *err)
{
	struct error why = { "" };
	struct dirty_source *s;
	int ret;

	sources->sink = sink;
	sources->counter.page = dirty_sources__count;
	for (; sources->nr_started < sources->nr; sources->nr_started++) {
		s = sources->all[sources->nr_started];
		ret = s->ops->start(s, &sources->counter, &why);
		if (ret) {
			dirty_sources__stop(sources);
			return dirty_sources__failed(s, ret, &why, err);
		}
	}
	return 0;
}

int dirty_sources__sync(struct dirty_sources *sources, bool last, struct error *err)
{
	struct error why = { "" };
	struct dirty_source *s;
	unsigned int i;
	int ret;

	for (i = 0; i < sources->nr_started; i++) {
		s = sources->all[i];
		sources->syncing = s;
		ret = s->ops->sync(s, last, &why);
		if (ret)
			return dirty_sources__failed(s, ret, &why, err);
	}
	return 0;
}

void dirty_sources__stop(struct dirty_sources *sources)
{
	struct dirty_source *s;

	while (sources->nr_started) {
		s = sources->all[--sources->nr_started];
		s->ops->stop(s);
	}
}

void dirty_sources__free(struct dirty_sources *sources)
{
	while (sources->nr) {
		sources->nr--;
		sources->all[sources->nr]->ops->free(sources->all[sources->nr]);
	}
}

uint64_t dirty_sources__floor(const struct dirty_sources *sources)
{
	uint64_t floor = 0;
	unsigned int i;

	for (i = 0; i < sources->nr; i++)
		floor += sources->all[i]->floor;
	return floor;
}
