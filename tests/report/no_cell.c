// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of cells that cannot be; see no_cell.h.
 */
#include "no_cell.h"

#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "grow.h"

bool no_cell_parse(const char *text, struct no_cell *no_cell)
{
	const char *const modules[] = {
		[CELL_DMAPAT] = cell_modules_name(CELL_DMAPAT),
		[CELL_DMAPAT_OFF] = cell_modules_name(CELL_DMAPAT_OFF),
		[CELL_STOCK] = cell_modules_name(CELL_STOCK),
		[CELL_STOCK_QUIRK_OFF] = cell_modules_name(CELL_STOCK_QUIRK_OFF),
	};
	static const char *const pages[] = { "4K", "2M" };
	static const char *const bounds[] = { "0", "1" };
	struct field fields[] = {
		{ .name = "modules" }, { .name = "host" }, { .name = "page" },
		{ .name = "bound" }, { .name = "moment" }, { .name = "why", .to_the_end = true },
	};
	size_t n = sizeof(fields) / sizeof(fields[0]);
	int module, page, bound;
	const char *why;

	if (!fields_parse(text, fields, n))
		return false;
	module = field_choice(fields, n, "modules", modules, 4);
	page = field_choice(fields, n, "page", pages, 2);
	bound = field_choice(fields, n, "bound", bounds, 2);
	why = fields[n - 1].rest;
	if (module < 0 || page < 0 || bound < 0 || !why[strspn(why, " \t\r\n")] ||
	    strlen(field(fields, n, "host")) >= CELL_NAME ||
	    strlen(field(fields, n, "moment")) >= CELL_NAME)
		return false;
	memset(no_cell, 0, sizeof(*no_cell));
	no_cell->modules = (enum cell_modules)module;
	no_cell->page = (unsigned int)page + 1;
	no_cell->bound = bound == 1;
	strcpy(no_cell->host, field(fields, n, "host"));
	strcpy(no_cell->moment, field(fields, n, "moment"));
	no_cell->why = copy_text(why);
	no_cell->why[strcspn(no_cell->why, "\r\n")] = '\0';
	return true;
}
