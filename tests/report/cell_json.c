// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A judged cell as JSON; see cell_json.h.
 */
#include "cell_json.h"

#include <inttypes.h>

#include "json.h"

void cell_json(FILE *out, const char *cpu, const struct verdict *verdict)
{
	const struct cell *cell = &verdict->cell;
	const struct oracle_leaf *leaf = verdict->has_leaf ? &verdict->leaf : NULL;

	fputs("{\"cpu\":", out);
	json_string(out, cpu);
	json_member(out, "host", cell->host);
	json_member(out, "pat", oracle_type_name(cell->pat));
	json_member(out, "size", verdict_size(cell));
	json_member(out, "moment", cell->moment);
	json_member(out, "leaf", leaf ? oracle_type_name(leaf->type) : NULL);
	json_member(out, "effective", verdict_effective(verdict));
	json_member(out, "expected", verdict_expected(verdict));
	fprintf(out, ",\"ok\":%s", verdict->ok ? "true" : "false");
	json_member(out, "modules", cell_modules_name(cell->modules));
	fprintf(out, ",\"bound\":%s", cell->bound ? "true" : "false");
	json_member(out, "host_memtype", oracle_type_name(cell->memtype));
	fprintf(out, ",\"level\":%u", leaf ? leaf->level : 0);
	fprintf(out, ",\"ignore_pat\":%s", !leaf ? "null" : leaf->ignore_pat ? "true" : "false");
	fprintf(out, ",\"entry\":\"0x%" PRIx64 "\"", cell->spte);
	json_member(out, "source", verdict->traced ? "trace" : "tracepoint");
	if (!verdict->ok)
		json_member(out, "why", verdict->why.text);
	fputc('}', out);
}
