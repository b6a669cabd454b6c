// SPDX-License-Identifier: GPL-2.0-or-later
/* The moments of the matrix, and the steps that they consist of; see moments.h. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../lib/ktap.h"
#include "moments.h"

/* Entry by entry another type than TEST_PAT_MSR: WC UC WB UC- WP WT. */
#define OTHER_PAT_MSR	0x0606040507060001ULL

/* The guest loads and stores at the six pages. */
static int touch(struct stage *stage)
{
	bool data_ok[STAGE_PAGES];

	return stage_touch(stage, 0, STAGE_PAGES, data_ok);
}

static int bind(struct stage *stage)
{
	return stage_bind(stage);
}

static int unbind(struct stage *stage)
{
	return stage_unbind(stage);
}

/* The page before the six and the page behind them, each for itself. */
static int bind_beside(struct stage *stage)
{
	return stage_bind_beside(stage);
}

/* The exporter gives the buffer other pages. */
static int move(struct stage *stage)
{
	return stage->exporter->source->move(stage->exporter, stage->fd);
}

/* The VMM maps the same buffer over its hva again. */
static int remap(struct stage *stage)
{
	return stage_map(stage);
}

/* All leaves go, so that KVM decides anew at the next access. */
static int fault_anew(struct stage *stage)
{
	int r;

	if (!stage->bound)
		return stage_map(stage);
	r = stage_unbind(stage);
	return r ? r : stage_bind(stage);
}

static int log_on(struct stage *stage)
{
	return stage_slot(stage, stage->gpa, KVM_MEM_LOG_DIRTY_PAGES);
}

/* Reads the log, which protects what was dirty; what the guest stored to must be in it. */
static int log_clear(struct stage *stage)
{
	uint8_t bitmap[STAGE_SLOT_SIZE / 4096 / 8] = { 0 };
	struct kvm_dirty_log log = { .slot = STAGE_SLOT, .dirty_bitmap = bitmap };

	if (ioctl(stage->vm.fd, KVM_GET_DIRTY_LOG, &log))
		return errno;
	for (unsigned int page = 0; page < STAGE_PAGES; page++) {
		const uint64_t n = stage_offset(stage, page) / 4096;

		if (!(bitmap[n / 8] & 1 << n % 8)) {
			test_note("page %u of the slot is not in the dirty log", (unsigned int)n);
			return ENOMSG;
		}
	}
	return 0;
}

static int log_off(struct stage *stage)
{
	return stage_slot(stage, stage->gpa, 0);
}

/* The guest rewrites IA32_PAT: the same table entries select other types. */
static int change_pat(struct stage *stage)
{
	return stage_pat(stage, OTHER_PAT_MSR);
}

static int change_mtrrs(struct stage *stage)
{
	return stage_mtrrs(stage, true);
}

static int move_slot(struct stage *stage)
{
	return stage_slot(stage, STAGE_ELSEWHERE, stage->slot_flags);
}

static int move_slot_back(struct stage *stage)
{
	return stage_slot(stage, STAGE_HOME, stage->slot_flags);
}

const struct moment moments[] = {
	{ "first-touch",	0,		{ NULL } },
	{ "bound-again",	MOMENT_BOUND,	{ touch, unbind, bind } },
	{ "unbound-again",	MOMENT_UNBOUND,	{ bind, touch, unbind } },
	{ "beside-bound",	MOMENT_UNBOUND,	{ bind_beside } },
	{ "exporter-moved",	0,		{ touch, move } },
	{ "hva-remapped",	MOMENT_STALE,	{ touch, remap } },
	{ "hva-remapped-bound",	MOMENT_BOUND,	{ touch, remap, bind } },
	{ "dirty-log-on",	MOMENT_SPLIT,	{ touch, log_on } },
	{ "dirty-log-cleared",	MOMENT_SPLIT,	{ touch, log_on, touch, log_clear } },
	{ "dirty-log-off",	0,		{ touch, log_on, touch, log_clear, log_off } },
	{ "pat-changed",	0,		{ touch, change_pat } },
	{ "mtrrs-changed",	0,		{ touch, change_mtrrs, fault_anew } },
	{ "slot-moved",		0,		{ touch, move_slot } },
	{ "slot-moved-back",	0,		{ touch, move_slot, touch, move_slot_back } },
	{ NULL,			0,		{ NULL } },
};

static bool has_step(const struct moment *moment, int (*step)(struct stage *))
{
	for (unsigned int i = 0; i < MOMENT_STEPS; i++)
		if (moment->steps[i] == step)
			return true;
	return false;
}

const char *moment_excluded(const struct moment *moment, const struct exporter *exporter,
			    enum cell_modules modules, bool bound)
{
	const bool stock = modules == CELL_STOCK || modules == CELL_STOCK_QUIRK_OFF;

	if (moment->flags & MOMENT_BOUND && !bound)
		return "the page is not bound";
	if (moment->flags & MOMENT_UNBOUND && bound)
		return "the page is bound";
	if (stock && (bound || has_step(moment, bind) || has_step(moment, bind_beside)))
		return "stock modules have no bindings";
	if (has_step(moment, move) && !exporter->source->move)
		return "this exporter's buffers do not move";
	return NULL;
}

bool moment_make(const struct moment *moment, struct stage *stage)
{
	for (unsigned int i = 0; i < MOMENT_STEPS && moment->steps[i]; i++) {
		int r = moment->steps[i](stage);

		if (r) {
			test_note("%s: step %u fails: %s", moment->name, i + 1, strerror(r));
			return false;
		}
	}
	return true;
}
