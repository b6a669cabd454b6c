// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of agreement, and the judgement on them; see agreement.h.
 */
#include "agreement.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "judge.h"

static const char *const answer_names[] = {
	[ANSWER_MEMTYPE] = "memtype", [ANSWER_KERNEL] = "kernel", [ANSWER_LEAF] = "leaf",
	[ANSWER_MAP_INFO] = "map-info", [ANSWER_GPU_PTE] = "gpu-pte",
	[ANSWER_VMM_PTE] = "vmm-pte", [ANSWER_GPU_TRACED] = "gpu-traced",
	[ANSWER_VMM_TRACED] = "vmm-traced", [ANSWER_GUEST] = "guest",
};

const char *agreement_answer_name(enum agreement_answer answer)
{
	return answer_names[answer];
}

static bool parse_place(const struct field *fields, size_t n, const char *phase,
			const char *linear, struct agreement_place *place)
{
	if (!field_number(fields, n, phase, UINT32_MAX, &place->phase) ||
	    !field_number(fields, n, linear, UINT64_MAX, &place->linear))
		return false;
	/* both or none, and phases count from 1 */
	return !*field(fields, n, phase) == !*field(fields, n, linear) &&
	       !*field(fields, n, phase) == !place->phase;
}

static bool parse_types(const struct field *fields, size_t n, struct agreement *agreement)
{
	int i;

	for (i = 0; i < N_ANSWERS; i++)
		agreement->answers[i] = ORACLE_INVALID;
	for (i = ANSWER_MEMTYPE; i <= ANSWER_VMM_PTE; i++)
		if (!field_type(fields, n, answer_names[i], &agreement->answers[i]))
			return false;
	return agreement->answers[ANSWER_MEMTYPE] != ORACLE_INVALID &&
	       field_type(fields, n, "guest-pat", &agreement->guest_pat);
}

bool agreement_parse(const char *text, struct agreement *agreement)
{
	static const char *const binds[] = { "off", "require" };
	const char *const vendors[] = {
		[CELL_INTEL] = cell_vendor_name(CELL_INTEL),
		[CELL_AMD] = cell_vendor_name(CELL_AMD),
	};
	struct field fields[] = {
		{ .name = "stage" }, { .name = "bind" }, { .name = "vendor" }, { .name = "host" },
		{ .name = "memtype" }, { .name = "kernel" }, { .name = "leaf" },
		{ .name = "map-info" }, { .name = "gpu-pte" }, { .name = "vmm-pte" },
		{ .name = "guest-pat" }, { .name = "spte" }, { .name = "level" },
		{ .name = "host-pat" },
		{ .name = "gpu-phase", .optional = true }, { .name = "gpu-linear", .optional = true },
		{ .name = "vmm-phase", .optional = true }, { .name = "vmm-linear", .optional = true },
		{ .name = "guest-phase", .optional = true },
		{ .name = "guest-linear", .optional = true },
	};
	size_t n = sizeof(fields) / sizeof(fields[0]);
	uint64_t level;
	int bind, vendor;

	memset(agreement, 0, sizeof(*agreement));
	if (!fields_parse(text, fields, n) || !parse_types(fields, n, agreement))
		return false;
	bind = field_choice(fields, n, "bind", binds, 2);
	vendor = field_choice(fields, n, "vendor", vendors, 2);
	if (bind < 0 || vendor < 0 || strlen(field(fields, n, "host")) >= CELL_NAME ||
	    strlen(field(fields, n, "stage")) >= CELL_NAME ||
	    !field_number(fields, n, "spte", UINT64_MAX, &agreement->spte) ||
	    !field_number(fields, n, "level", 3, &level) ||
	    !field_number(fields, n, "host-pat", UINT64_MAX, &agreement->host_pat) ||
	    !parse_place(fields, n, "gpu-phase", "gpu-linear", &agreement->gpu) ||
	    !parse_place(fields, n, "vmm-phase", "vmm-linear", &agreement->vmm) ||
	    !parse_place(fields, n, "guest-phase", "guest-linear", &agreement->guest))
		return false;
	agreement->required = bind == 1;
	agreement->vendor = (enum cell_vendor)vendor;
	agreement->level = (unsigned int)level;
	strcpy(agreement->host, field(fields, n, "host"));
	strcpy(agreement->stage, field(fields, n, "stage"));
	return true;
}

void agreement_want(const struct agreement *agreement, struct traced *traced)
{
	if (agreement->gpu.phase)
		traced_want(traced, agreement->gpu.phase, agreement->gpu.linear, true);
	if (agreement->vmm.phase)
		traced_want(traced, agreement->vmm.phase, agreement->vmm.linear, true);
	if (agreement->guest.phase)
		traced_want(traced, agreement->guest.phase, agreement->guest.linear, false);
}

/* The accesses of @who at @place, or NULL, which is said. */
static const struct traced_place *look_up(struct agreement *agreement, const char *who,
					  const struct agreement_place *place,
					  const struct traced *traced)
{
	char first[TRACED_VIEW_TEXT], other[TRACED_VIEW_TEXT];
	const struct traced_place *found;

	if (!place->phase) {
		why_add(&agreement->why, "%s not traced: no phase", who);
		return NULL;
	}
	found = traced_find(traced, place->phase, place->linear);
	if (!found->loads && !found->stores) {
		why_add(&agreement->why, "the trace has no access of %s at phase 0x%" PRIx64
			" linear 0x%" PRIx64, who, place->phase, place->linear);
		return NULL;
	}
	if (found->mixed)
		why_add(&agreement->why, "%s accessed it as %s and as %s", who,
			traced_view_text(&found->view, first),
			traced_view_text(&found->other, other));
	return found;
}

static void look_up_all(struct agreement *agreement, const struct traced *traced)
{
	const struct traced_place *gpu, *vmm, *guest;
	enum oracle_type pat;

	gpu = look_up(agreement, "the GPU process", &agreement->gpu, traced);
	vmm = look_up(agreement, "the VMM", &agreement->vmm, traced);
	guest = look_up(agreement, "the guest", &agreement->guest, traced);
	if (gpu)
		agreement->answers[ANSWER_GPU_TRACED] = gpu->view.type;
	if (vmm)
		agreement->answers[ANSWER_VMM_TRACED] = vmm->view.type;
	if (!guest)
		return;
	if (!guest->view.has_leaf) {
		why_add(&agreement->why, "the trace has no EPT leaf for the guest's access at linear 0x%"
			PRIx64, agreement->guest.linear);
		return;
	}
	pat = judge_traced_pat(&guest->view, agreement->guest_pat);
	if (agreement->guest_pat != ORACLE_INVALID && pat != agreement->guest_pat)
		why_add(&agreement->why, "the guest's type is %s by the trace, its tables select %s",
			oracle_type_name(pat), oracle_type_name(agreement->guest_pat));
	agreement->answers[ANSWER_GUEST] = oracle_ept_effective(&guest->view.leaf, pat);
}

/* The guest's type by its page tables and the leaf of the tracepoints. */
static void combine_guest(struct agreement *agreement)
{
	const struct cell cell = {
		.vendor = agreement->vendor, .pat = agreement->guest_pat,
		.spte = agreement->spte, .level = agreement->level,
		.host_pat = agreement->host_pat,
	};
	struct oracle_leaf leaf;

	if (!cell_leaf(&cell, &leaf))
		why_add(&agreement->why, "no leaf (spte 0x%" PRIx64 " level %u)", agreement->spte,
			agreement->level);
	else
		agreement->answers[ANSWER_GUEST] = cell_effective(&cell, &leaf);
}

static enum oracle_type as_counted(enum oracle_type type)
{
	return type == ORACLE_UC_MINUS ? ORACLE_UC : type;
}

static void compare(struct agreement *agreement)
{
	enum oracle_type type = as_counted(agreement->answers[ANSWER_MEMTYPE]);
	bool agree = true;
	int i;

	for (i = 0; i < N_ANSWERS; i++) {
		if (agreement->answers[i] == ORACLE_INVALID ||
		    as_counted(agreement->answers[i]) == type)
			continue;
		why_add(&agreement->why, "%s %s is not memtype %s", answer_names[i],
			oracle_type_name(agreement->answers[i]), oracle_type_name(type));
		agree = false;
	}
	if (agree)
		return;
	for (i = 0; i < N_ANSWERS; i++)
		why_add(&agreement->why, "%s=%s", answer_names[i],
			agreement->answers[i] == ORACLE_INVALID ? "-" :
			oracle_type_name(agreement->answers[i]));
}

/* What there must be an answer to: else there is nothing to compare. */
static void demand(struct agreement *agreement)
{
	static const enum agreement_answer needed[] = {
		ANSWER_KERNEL, ANSWER_LEAF, ANSWER_MAP_INFO, ANSWER_GUEST,
	};
	const enum oracle_type *answers = agreement->answers;
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (answers[needed[i]] == ORACLE_INVALID)
			why_add(&agreement->why, "%s is unknown", answer_names[needed[i]]);
	if (answers[ANSWER_GPU_PTE] == ORACLE_INVALID &&
	    answers[ANSWER_GPU_TRACED] == ORACLE_INVALID)
		why_add(&agreement->why, "the GPU process' type is unknown");
	if (answers[ANSWER_VMM_PTE] == ORACLE_INVALID &&
	    answers[ANSWER_VMM_TRACED] == ORACLE_INVALID)
		why_add(&agreement->why, "the VMM's type is unknown");
}

void agreement_judge(struct agreement *agreement, const struct traced *traced)
{
	if (traced)
		look_up_all(agreement, traced);
	else
		combine_guest(agreement);
	demand(agreement);
	compare(agreement);
	agreement->ok = !*agreement->why.text;
}
