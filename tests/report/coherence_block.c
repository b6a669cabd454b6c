// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks of coherence-check's output; see coherence_block.h.
 */
#include "coherence_block.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"

#define HEAD	"scenario "
#define PICTURE	"lines "
#define STALE	"stale read "
#define LOST	"lost write "
#define LINES	".wfSL"

static bool parse_head(const char *text, struct coherence_block *block)
{
	static const char *const modules[] = { "stock", "dmapat" };
	static const char *const expects[] = { "none", "stale" };
	static const char *const oks[] = { "0", "1" };
	struct field fields[] = {
		{ .name = "cpu" }, { .name = "modules" }, { .name = "host" },
		{ .name = "memtype" }, { .name = "accesses" }, { .name = "reads" },
		{ .name = "stale" }, { .name = "lost" }, { .name = "expect" }, { .name = "ok" },
	};
	size_t n = sizeof(fields) / sizeof(fields[0]);
	size_t name = strcspn(text, " \t\r\n");
	int module, expect, ok;

	memset(block, 0, sizeof(*block));
	if (!name || name >= sizeof(block->name) || !fields_parse(text + name, fields, n))
		return false;
	memcpy(block->name, text, name);
	module = field_choice(fields, n, "modules", modules, 2);
	expect = field_choice(fields, n, "expect", expects, 2);
	ok = field_choice(fields, n, "ok", oks, 2);
	if (module < 0 || expect < 0 || ok < 0 || strlen(field(fields, n, "host")) >= CELL_NAME ||
	    !field_type(fields, n, "memtype", &block->memtype) ||
	    block->memtype == ORACLE_INVALID ||
	    !field_number(fields, n, "accesses", UINT64_MAX, &block->accesses) ||
	    !field_number(fields, n, "reads", UINT64_MAX, &block->reads) ||
	    !field_number(fields, n, "stale", UINT64_MAX, &block->stale) ||
	    !field_number(fields, n, "lost", UINT64_MAX, &block->lost))
		return false;
	block->dmapat = module == 1;
	block->expect_stale = expect == 1;
	block->said_ok = ok == 1;
	strcpy(block->host, field(fields, n, "host"));
	return true;
}

void coherence_free(struct coherence_block *block)
{
	free(block->lines);
	texts_free(&block->findings);
	texts_free(&block->remarks);
}

/* The block that the lines belong to; open: there is one. */
struct reader {
	struct coherence_block block;
	bool open;
};

/* false: the line is not understood. */
static bool take_line(struct reader *reader, const char *line)
{
	if (!strncmp(line, HEAD, strlen(HEAD))) {
		reader->open = parse_head(line + strlen(HEAD), &reader->block);
		return reader->open;
	}
	if (!reader->open)
		return false;
	if (!strncmp(line, PICTURE, strlen(PICTURE))) {
		if (reader->block.lines)
			return false;
		reader->block.lines = copy_text(line + strlen(PICTURE));
	} else if (!strncmp(line, STALE, strlen(STALE)) || !strncmp(line, LOST, strlen(LOST))) {
		texts_add(&reader->block.findings, "%s", line);
	} else {
		texts_add(&reader->block.remarks, "%s", line);
	}
	return true;
}

void coherence_read(FILE *file, void (*add)(void *arg, const struct coherence_block *block),
		    void (*bad)(void *arg, const char *line), void *arg)
{
	struct reader reader = { .open = false };
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while ((length = getline(&line, &size, file)) >= 0) {
		bool whole = line[length - 1] == '\n';

		line[strcspn(line, "\r\n")] = '\0';
		if (reader.open && !strncmp(line, HEAD, strlen(HEAD)))
			add(arg, &reader.block);
		if (!take_line(&reader, line) || !whole)
			bad(arg, line);
	}
	if (reader.open)
		add(arg, &reader.block);
	free(line);
}

void coherence_judge(struct coherence_block *block)
{
	const char *lines = block->lines ? block->lines : "";
	uint64_t found = block->stale + block->lost;

	if (!block->said_ok)
		why_add(&block->why, "coherence-check says ok=0");
	if (block->expect_stale && !found)
		why_add(&block->why, "0 stale reads and 0 lost writes, expected some");
	if (!block->expect_stale && found)
		why_add(&block->why, "%" PRIu64 " stale reads and %" PRIu64 " lost writes, expected none",
			block->stale, block->lost);
	/* whatever the scenario expects */
	if (block->dmapat && block->expect_stale)
		why_add(&block->why, "expect=stale with dmapat's modules, where none may be");
	if (!block->accesses || !block->reads || block->reads > block->accesses)
		why_add(&block->why, "%" PRIu64 " accesses, %" PRIu64 " of them reads: nothing was looked at",
			block->accesses, block->reads);
	if (!*lines || lines[strspn(lines, LINES)])
		why_add(&block->why, "picture '%.20s', expected characters of '" LINES "'", lines);
	/* the picture is of the same accesses as the counts */
	if ((!block->stale && strchr(lines, 'S')) || (!block->lost && strchr(lines, 'L')) ||
	    (found && !strpbrk(lines, "SL")))
		why_add(&block->why, "picture and counts disagree: stale=%" PRIu64 " lost=%" PRIu64,
			block->stale, block->lost);
	if (block->findings.n < found)
		why_add(&block->why, "%zu findings are named, expected %" PRIu64,
			block->findings.n, found);
	block->ok = !*block->why.text;
}
