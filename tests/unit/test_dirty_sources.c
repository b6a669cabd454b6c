// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any mix of dirty sources as one: all started or none, all synced, and whose pages they
 * are.
 */
#include "unit/dirty_fake.h"

#include "vmm/dirty_sources.h"

#define NR	4u

/* A source that reports its own number of pages, and fails when told. */
struct fake_source {
	struct dirty_source source;
	const struct dirty_sink *sink;
	unsigned int index, started, syncs, last;
	bool fail_start, fail_sync;
};

static unsigned int order[64], nr_order, nr_freed;

static void note(unsigned int what, unsigned int index)
{
	assert_true(nr_order < 64);
	order[nr_order++] = what * 10 + index;
}

enum { START, SYNC, STOP };

static int fake_start(struct dirty_source *s, const struct dirty_sink *sink, struct error *err)
{
	struct fake_source *f = container_of(s, struct fake_source, source);

	if (f->fail_start)
		return error__set(err, EIO, "no luck");
	assert_int_equal(f->started, 0);
	f->sink = sink;
	f->started = 1;
	note(START, f->index);
	return 0;
}

static int fake_sync(struct dirty_source *s, bool last, struct error *err)
{
	struct fake_source *f = container_of(s, struct fake_source, source);
	unsigned int i;

	assert_int_equal(f->started, 1);
	if (f->fail_sync)
		return error__set(err, ENXIO, "no answer");
	note(SYNC, f->index);
	f->syncs++;
	f->last += last;
	for (i = 0; i < f->index; i++)
		f->sink->page(f->sink, VM_SLOT_RAM, f->index * 10 + i);
	return 0;
}

static void fake_stop(struct dirty_source *s)
{
	struct fake_source *f = container_of(s, struct fake_source, source);

	assert_int_equal(f->started, 1);
	f->started = 0;
	note(STOP, f->index);
}

static void fake_free(struct dirty_source *s)
{
	struct fake_source *f = container_of(s, struct fake_source, source);

	assert_int_equal(f->started, 0);
	nr_freed++;
	free(f);
}

static const struct dirty_source_ops fake_ops = {
	.start = fake_start, .sync = fake_sync, .stop = fake_stop, .free = fake_free,
};

static struct fake_source *fakes[NR];

static void fill(struct dirty_sources *sources)
{
	unsigned int i;

	memset(sources, 0, sizeof(*sources));
	nr_order = nr_freed = 0;
	for (i = 0; i < NR; i++) {
		fakes[i] = calloc(1, sizeof(*fakes[i]));
		assert_non_null(fakes[i]);
		fakes[i]->index = i;
		fakes[i]->source.ops = &fake_ops;
		fakes[i]->source.floor = i;
		sprintf(fakes[i]->source.name, "source %u", i);
		assert_int_equal(dirty_sources__add(sources, &fakes[i]->source, NULL), 0);
	}
}

static void test_mix(void **state)
{
	static const unsigned int expected[] = { 0, 1, 2, 3, 10, 11, 12, 13, 10, 11, 12, 13,
						 23, 22, 21, 20 };
	struct dirty_sources sources;
	unsigned int i;

	(void)state;
	fill(&sources);
	assert_int_equal(dirty_sources__floor(&sources), 0 + 1 + 2 + 3);
	assert_int_equal(dirty_sources__start(&sources, &fake_sink, NULL), 0);
	assert_int_equal(dirty_sources__sync(&sources, false, NULL), 0);
	assert_int_equal(dirty_sources__sync(&sources, true, NULL), 0);
	for (i = 0; i < NR; i++) {
		assert_int_equal(fakes[i]->source.pages, 2 * i);
		assert_int_equal(fakes[i]->last, 1);
	}
	assert_int_equal(fake_kvm.handed, 2 * (1 + 2 + 3));
	assert_true(fake_reported[VM_SLOT_RAM][32] && !fake_reported[VM_SLOT_RAM][33]);
	dirty_sources__stop(&sources);
	dirty_sources__stop(&sources);
	assert_int_equal(nr_order, sizeof(expected) / sizeof(expected[0]));
	assert_memory_equal(order, expected, sizeof(expected));
	dirty_sources__free(&sources);
	assert_int_equal(nr_freed, NR);
	assert_int_equal(dirty_sources__sync(&sources, true, NULL), 0);
}

/* Whichever does not start: those before it are stopped again, those behind never begin. */
static void test_each_start_fails(void **state)
{
	struct dirty_sources sources;
	struct error err;
	unsigned int bad, i;
	char text[32];

	(void)state;
	for (bad = 0; bad < NR; bad++) {
		fill(&sources);
		fakes[bad]->fail_start = true;
		memset(&err, 0, sizeof(err));
		assert_int_equal(dirty_sources__start(&sources, &fake_sink, &err), -EIO);
		sprintf(text, "source %u: no luck", bad);
		assert_string_equal(err.msg, text);
		for (i = 0; i < NR; i++)
			assert_int_equal(fakes[i]->started, 0);
		assert_int_equal(nr_order, 2 * bad);
		/* The cause has gone. */
		fakes[bad]->fail_start = false;
		assert_int_equal(dirty_sources__start(&sources, &fake_sink, NULL), 0);
		dirty_sources__stop(&sources);
		dirty_sources__free(&sources);
		assert_int_equal(nr_freed, NR);
	}
}

static void test_sync_fails_midway(void **state)
{
	struct error err = { "" };
	struct dirty_sources sources;

	(void)state;
	fill(&sources);
	assert_int_equal(dirty_sources__start(&sources, &fake_sink, NULL), 0);
	fakes[2]->fail_sync = true;
	assert_int_equal(dirty_sources__sync(&sources, false, &err), -ENXIO);
	assert_string_equal(err.msg, "source 2: no answer");
	assert_int_equal(fakes[1]->syncs, 1);
	assert_int_equal(fakes[3]->syncs, 0);
	/* All are started still, and are stopped. */
	dirty_sources__stop(&sources);
	assert_int_equal(order[nr_order - 1], 10 * STOP);
	dirty_sources__free(&sources);
	assert_int_equal(nr_freed, NR);
}

static void test_too_many(void **state)
{
	struct dirty_sources sources;
	struct error err = { "" };
	struct fake_source *f;
	unsigned int i;

	(void)state;
	memset(&sources, 0, sizeof(sources));
	nr_freed = 0;
	assert_int_equal(dirty_sources__add(&sources, NULL, &err), -ENOMEM);
	for (i = 0; i <= DIRTY_SOURCES_MAX; i++) {
		f = calloc(1, sizeof(*f));
		assert_non_null(f);
		f->source.ops = &fake_ops;
		strcpy(f->source.name, "one more");
		memset(&err, 0, sizeof(err));
		assert_int_equal(dirty_sources__add(&sources, &f->source, &err),
				 i < DIRTY_SOURCES_MAX ? 0 : -E2BIG);
	}
	assert_string_equal(err.msg, "one more: more than 128 dirty sources");
	assert_int_equal(nr_freed, 1);
	dirty_sources__free(&sources);
	assert_int_equal(nr_freed, 1 + DIRTY_SOURCES_MAX);
}

/* Bits beyond the last page are nobody's. */
static void test_words(void **state)
{
	uint64_t words[3] = { 1ULL << 63 | 1, 0, ~0ULL };

	(void)state;
	dirty_sink__words(&fake_sink, VM_SLOT_WINDOW, 100, words, 131);
	assert_int_equal(fake_kvm.handed, 2 + 3);
	assert_true(fake_reported[1][100] && fake_reported[1][163]);
	assert_true(fake_reported[1][228] && fake_reported[1][230] && !fake_reported[1][231]);
	dirty_sink__words(&fake_sink, VM_SLOT_WINDOW, 0, words + 2, 64);
	assert_int_equal(fake_kvm.handed, 5 + 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRTY_TEST(test_mix),
		DIRTY_TEST(test_each_start_fails),
		DIRTY_TEST(test_sync_fails_midway),
		DIRTY_TEST(test_too_many),
		DIRTY_TEST(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
