// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cells of the conformance matrix as text, and the rule that says what each must
 * show. See oracle_cell.h.
 */
#include "oracle_cell.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX	"# cell "

static const char *const modules_names[] = {
	[CELL_DMAPAT] = "dmapat",
	[CELL_DMAPAT_OFF] = "dmapat-off",
	[CELL_STOCK] = "stock",
	[CELL_STOCK_QUIRK_OFF] = "stock-quirk-off",
};

static const char *const vendor_names[] = { [CELL_INTEL] = "intel", [CELL_AMD] = "amd" };
static const char *const page_names[] = { "4K", "2M" };
static const char *const bool_names[] = { "0", "1" };
static const char *const access_names[] = { "access", "fault" };
static const char *const data_names[] = { "wrong", "ok" };

/* The words of a line, in the order in which they are printed. */
enum word {
	WORD_MODULES, WORD_VENDOR, WORD_HOST, WORD_MEMTYPE, WORD_PAGE, WORD_BOUND, WORD_PAT,
	WORD_MOMENT, WORD_WANT_LEVEL, WORD_WANT, WORD_GOT, WORD_SPTE, WORD_LEVEL, WORD_HOST_PAT,
	WORD_DATA, WORD_PHASE, WORD_LINEAR, N_WORDS
};

/* All but phase and linear, which come both or not at all. */
#define WORDS_NEEDED	((1u << WORD_PHASE) - 1)

static const char *const words[] = {
	[WORD_MODULES] = "modules", [WORD_VENDOR] = "vendor", [WORD_HOST] = "host",
	[WORD_MEMTYPE] = "memtype", [WORD_PAGE] = "page", [WORD_BOUND] = "bound",
	[WORD_PAT] = "pat", [WORD_MOMENT] = "moment", [WORD_WANT_LEVEL] = "want-level",
	[WORD_WANT] = "want", [WORD_GOT] = "got", [WORD_SPTE] = "spte", [WORD_LEVEL] = "level",
	[WORD_HOST_PAT] = "host-pat", [WORD_DATA] = "data", [WORD_PHASE] = "phase",
	[WORD_LINEAR] = "linear",
};

const char *cell_modules_name(enum cell_modules modules)
{
	return modules_names[modules];
}

const char *cell_vendor_name(enum cell_vendor vendor)
{
	return vendor_names[vendor];
}

void cell_print(FILE *out, const struct cell *cell)
{
	fprintf(out, PREFIX "modules=%s vendor=%s host=%s memtype=%s page=%s bound=%d pat=%s",
		modules_names[cell->modules], vendor_names[cell->vendor], cell->host,
		oracle_type_name(cell->memtype), page_names[cell->page - 1], cell->bound,
		oracle_type_name(cell->pat));
	fprintf(out, " moment=%s want-level=%u want=%s got=%s spte=0x%" PRIx64 " level=%u",
		cell->moment, cell->want_level, access_names[cell->want_fault],
		access_names[cell->fault], cell->spte, cell->level);
	fprintf(out, " host-pat=0x%" PRIx64 " data=%s", cell->host_pat, data_names[cell->data_ok]);
	if (cell->phase)
		fprintf(out, " phase=0x%" PRIx64 " linear=0x%" PRIx64, cell->phase, cell->linear);
	fputc('\n', out);
}

/* Index of @text in @names, or -1. */
static int find(const char *text, const char *const names[], int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (!strcmp(names[i], text))
			return i;
	return -1;
}

bool cell_number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	/* strtoull() would take blanks and signs */
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && !*end && *value <= max;
}

static bool parse_name(const char *text, char name[CELL_NAME])
{
	size_t length = strlen(text);

	if (!length || length >= CELL_NAME)
		return false;
	memcpy(name, text, length + 1);
	return true;
}

static bool parse_type(const char *text, enum oracle_type *type)
{
	*type = oracle_type_parse(text);
	return *type != ORACLE_INVALID;
}

/* @choice: one of two names; 0, 1, or -1 for neither */
static bool parse_bool(int choice, bool *value)
{
	*value = choice == 1;
	return choice >= 0;
}

static bool parse_level(const char *text, uint64_t min, uint64_t max, unsigned int *level)
{
	uint64_t number;

	if (!cell_number(text, max, &number) || number < min)
		return false;
	*level = (unsigned int)number;
	return true;
}

static bool parse_value(struct cell *cell, enum word word, const char *text)
{
	int i;

	switch (word) {
	case WORD_MODULES:
		i = find(text, modules_names, 4);
		cell->modules = (enum cell_modules)i;
		return i >= 0;
	case WORD_VENDOR:
		i = find(text, vendor_names, 2);
		cell->vendor = (enum cell_vendor)i;
		return i >= 0;
	case WORD_HOST:
		return parse_name(text, cell->host);
	case WORD_MEMTYPE:
		return parse_type(text, &cell->memtype);
	case WORD_PAGE:
		i = find(text, page_names, 2);
		cell->page = (unsigned int)(i + 1);
		return i >= 0;
	case WORD_BOUND:
		return parse_bool(find(text, bool_names, 2), &cell->bound);
	case WORD_PAT:
		return parse_type(text, &cell->pat);
	case WORD_MOMENT:
		return parse_name(text, cell->moment);
	case WORD_WANT_LEVEL:
		return parse_level(text, 1, 2, &cell->want_level);
	case WORD_WANT:
		return parse_bool(find(text, access_names, 2), &cell->want_fault);
	case WORD_GOT:
		return parse_bool(find(text, access_names, 2), &cell->fault);
	case WORD_SPTE:
		return cell_number(text, UINT64_MAX, &cell->spte);
	case WORD_LEVEL:
		return parse_level(text, 0, 3, &cell->level);
	case WORD_HOST_PAT:
		return cell_number(text, UINT64_MAX, &cell->host_pat);
	case WORD_DATA:
		return parse_bool(find(text, data_names, 2), &cell->data_ok);
	case WORD_PHASE:
		return cell_number(text, UINT32_MAX, &cell->phase) && cell->phase;
	case WORD_LINEAR:
		return cell_number(text, UINT64_MAX, &cell->linear);
	case N_WORDS:
		break;
	}
	return false;
}

/* Takes one "name=value" of the line; false: unknown, doubled or no such value. */
static bool parse_word(struct cell *cell, char *text, unsigned int *seen)
{
	char *value = strchr(text, '=');
	int word;

	if (!value)
		return false;
	*value++ = '\0';
	word = find(text, words, N_WORDS);
	if (word < 0 || *seen & 1u << word)
		return false;
	*seen |= 1u << word;
	return parse_value(cell, (enum word)word, value);
}

int cell_parse(const char *line, struct cell *cell)
{
	const char *at = line;
	unsigned int seen = 0;
	char text[64];
	size_t length;

	memset(cell, 0, sizeof(*cell));
	if (strncmp(at, PREFIX, strlen(PREFIX)))
		return -EINVAL;
	at += strlen(PREFIX);
	while (*(at += strspn(at, " \t\r\n"))) {
		length = strcspn(at, " \t\r\n");
		if (length >= sizeof(text))
			return -EINVAL;
		memcpy(text, at, length);
		text[length] = '\0';
		at += length;
		if (!parse_word(cell, text, &seen))
			return -EINVAL;
	}
	if ((seen & WORDS_NEEDED) != WORDS_NEEDED)
		return -EINVAL;
	if (!(seen & 1u << WORD_PHASE) != !(seen & 1u << WORD_LINEAR))
		return -EINVAL;
	/* the quirk is Intel's alone; a leaf is no larger than what the exporter gives */
	if ((cell->modules == CELL_STOCK_QUIRK_OFF && cell->vendor == CELL_AMD) ||
	    cell->want_level > cell->page)
		return -EINVAL;
	return 0;
}

/*
 * docs/memory-types.md, "The rule": memory that the host maps UC, which UC- counts
 * as, or WC gets a leaf of that type with ignore-PAT clear; all other pages keep the
 * stock leaf: on Intel WB that ignores the guest's PAT, unless the quirk is off, on
 * AMD WB. With memtype_from_host=0 only bindings have their buffer's type.
 */
void cell_expected_leaf(const struct cell *cell, struct oracle_leaf *leaf)
{
	bool from_host = cell->modules == CELL_DMAPAT ||
			 (cell->modules == CELL_DMAPAT_OFF && cell->bound);

	memset(leaf, 0, sizeof(*leaf));
	leaf->present = true;
	leaf->writable = true;
	leaf->level = cell->want_level;
	if (from_host && (cell->memtype == ORACLE_UC || cell->memtype == ORACLE_UC_MINUS)) {
		leaf->type = ORACLE_UC;
	} else if (from_host && cell->memtype == ORACLE_WC) {
		leaf->type = ORACLE_WC;
	} else {
		leaf->type = ORACLE_WB;
		leaf->ignore_pat = cell->vendor == CELL_INTEL &&
				   cell->modules != CELL_STOCK_QUIRK_OFF;
	}
}

enum oracle_type cell_expected(const struct cell *cell)
{
	struct oracle_leaf leaf;

	cell_expected_leaf(cell, &leaf);
	return cell_effective(cell, &leaf);
}

bool cell_leaf(const struct cell *cell, struct oracle_leaf *leaf)
{
	bool valid;

	if (cell->vendor == CELL_AMD)
		valid = oracle_npt_leaf(cell->spte, cell->level, cell->host_pat, leaf);
	else
		valid = oracle_ept_leaf(cell->spte, cell->level, leaf);
	return valid && leaf->present;
}

enum oracle_type cell_effective(const struct cell *cell, const struct oracle_leaf *leaf)
{
	return cell->vendor == CELL_AMD ? oracle_npt_effective(leaf, cell->pat) :
					  oracle_ept_effective(leaf, cell->pat);
}

bool cell_leaf_agrees(const struct oracle_leaf *leaf, const struct oracle_leaf *expected)
{
	return leaf->type == expected->type && leaf->ignore_pat == expected->ignore_pat &&
	       leaf->level == expected->level;
}

const char *cell_leaf_text(const struct oracle_leaf *leaf, char text[CELL_LEAF_TEXT])
{
	snprintf(text, CELL_LEAF_TEXT, "%s ignore-pat=%d level %u", oracle_type_name(leaf->type),
		 leaf->ignore_pat, leaf->level);
	return text;
}

const char *cell_wrong(const struct cell *cell)
{
	char seen_text[CELL_LEAF_TEXT], expected_text[CELL_LEAF_TEXT];
	struct oracle_leaf seen, expected;
	static char why[256];

	if (cell->fault != cell->want_fault) {
		snprintf(why, sizeof(why), "%s, expected %s",
			 cell->fault ? "KVM_EXIT_MEMORY_FAULT" : "an access",
			 cell->want_fault ? "KVM_EXIT_MEMORY_FAULT" : "an access");
		return why;
	}
	if (cell->fault)
		return NULL;
	cell_expected_leaf(cell, &expected);
	cell_leaf_text(&expected, expected_text);
	if (!cell_leaf(cell, &seen)) {
		snprintf(why, sizeof(why), "no leaf (spte 0x%" PRIx64 " level %u), expected %s",
			 cell->spte, cell->level, expected_text);
		return why;
	}
	if (!cell_leaf_agrees(&seen, &expected)) {
		snprintf(why, sizeof(why),
			 "leaf %s (spte 0x%" PRIx64 "), expected %s: a guest's %s is %s, expected %s",
			 cell_leaf_text(&seen, seen_text), cell->spte, expected_text,
			 oracle_type_name(cell->pat), oracle_type_name(cell_effective(cell, &seen)),
			 oracle_type_name(cell_effective(cell, &expected)));
		return why;
	}
	if (!cell->data_ok)
		return "data wrong, expected ok: store and load of guest and host do not meet";
	return NULL;
}
