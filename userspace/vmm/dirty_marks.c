// SPDX-License-Identifier: GPL-2.0-or-later
/* What the VMM's own devices write; see dirty_marks.h. */
#include "vmm/dirty_marks.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/dirty_pages.h"
#include "vmm/dirty_source.h"
#include "vmm/util.h"
#include "vmm/vm.h"

struct dirty_marks {
	struct dirty_source source;
	struct vm *vm;
	const struct dirty_sink *sink;
	struct dirty_pages pages;
};

void dirty_marks__add(struct dirty_marks *marks, uint32_t slot, uint64_t page)
{
	dirty_pages__add(&marks->pages, slot, page);
}

/* Devices mark from now on, or no more. */
static void dirty_marks__publish(struct vm *vm, struct dirty_marks *marks)
{
	pthread_mutex_lock(&vm->dirty_lock);
	vm->dirty_marks = marks;
	pthread_mutex_unlock(&vm->dirty_lock);
}

static int dirty_marks__start(struct dirty_source *s, const struct dirty_sink *sink,
			      struct error *err)
{
	struct dirty_marks *marks = container_of(s, struct dirty_marks, source);

	if (dirty_pages__init(&marks->pages, marks->vm))
		return error__set(err, ENOMEM, "no memory for the marks");
	marks->sink = sink;
	dirty_marks__publish(marks->vm, marks);
	return 0;
}

/* A device marks after it wrote: what is taken here is read with what was written. */
static int dirty_marks__sync(struct dirty_source *s, bool last, struct error *err)
{
	struct dirty_marks *marks = container_of(s, struct dirty_marks, source);

	(void)last;
	(void)err;
	dirty_pages__drain(&marks->pages, marks->sink);
	return 0;
}

static void dirty_marks__stop(struct dirty_source *s)
{
	struct dirty_marks *marks = container_of(s, struct dirty_marks, source);

	dirty_marks__publish(marks->vm, NULL);
	dirty_pages__exit(&marks->pages);
}

static void dirty_marks__free(struct dirty_source *s)
{
	free(container_of(s, struct dirty_marks, source));
}

static const struct dirty_source_ops dirty_marks__ops = {
	.start = dirty_marks__start,
	.sync = dirty_marks__sync,
	.stop = dirty_marks__stop,
	.free = dirty_marks__free,
};

struct dirty_source *dirty_marks__create(struct vm *vm)
{
	struct dirty_marks *marks = calloc(1, sizeof(*marks));

	if (!marks)
		return NULL;
	*marks = (struct dirty_marks) {
		.source = { .ops = &dirty_marks__ops, .name = "VMM: devices", .exact = true },
		.vm = vm,
	};
	return &marks->source;
}
