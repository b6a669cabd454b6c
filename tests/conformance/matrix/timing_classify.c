// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory type from costs; see timing_classify.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timing_classify.h"

#define SPREAD_FLOOR	1.05	/* factor: a page of its own, a clock that settles */

enum kind { UC, WC, WB, MEASURED, KINDS };

static const char *const kind_name[KINDS] = { "UC", "WC", "WB", "measured" };

/* A series in natural logarithms. */
struct cost {
	double median;
	double spread;
};

/* One kind of access: of the references and as measured. */
struct costs {
	const char *access;
	struct cost of[KINDS];
};

static __attribute__((format(printf, 2, 3)))
bool cannot_tell(struct timing_verdict *verdict, const char *fmt, ...)
{
	va_list args;

	verdict->type = ORACLE_INVALID;
	verdict->margin = 0;
	va_start(args, fmt);
	vsnprintf(verdict->why, sizeof(verdict->why), fmt, args);
	va_end(args);
	return false;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* @at: 0 to 1 */
static double quantile(const double *sorted, unsigned int n, double at)
{
	return sorted[(unsigned int)(at * (n - 1))];
}

static bool reduce(const struct timing_series *series, enum kind kind, struct costs *costs,
		   struct timing_verdict *verdict)
{
	struct cost *cost = &costs->of[kind];
	double log_ticks[TIMING_SAMPLES];
	unsigned int n = 0;

	if (series->n > TIMING_SAMPLES)
		return cannot_tell(verdict, "%s %s: %u samples, %d is the most", kind_name[kind],
				   costs->access, series->n, TIMING_SAMPLES);
	for (unsigned int i = 0; i < series->n; i++)
		if (series->ticks[i] > 0 && series->ticks[i] < TIMING_ABSURD)
			log_ticks[n++] = log(series->ticks[i]);
	/* The quartiles bear a quarter of wrong samples, not more. */
	if (n < TIMING_MIN_SAMPLES || n * 4 < series->n * 3)
		return cannot_tell(verdict, "%s %s: %u usable samples of %u, %d wanted",
				   kind_name[kind], costs->access, n, series->n,
				   TIMING_MIN_SAMPLES);

	qsort(log_ticks, n, sizeof(log_ticks[0]), compare);
	cost->median = quantile(log_ticks, n, 0.5);
	cost->spread = quantile(log_ticks, n, 0.75) - quantile(log_ticks, n, 0.25);
	if (cost->spread > log(TIMING_NOISY))
		return cannot_tell(verdict, "%s %s too noisy: middle half of the samples %.3g to %.3g",
				   kind_name[kind], costs->access,
				   exp(quantile(log_ticks, n, 0.25)),
				   exp(quantile(log_ticks, n, 0.75)));
	return true;
}

static bool reduce_all(const struct timing_refs *refs, const struct timing_samples *samples,
		       struct costs *loads, struct costs *stores, struct timing_verdict *verdict)
{
	const struct timing_samples *const all[KINDS] = { &refs->uc, &refs->wc, &refs->wb, samples };

	for (enum kind kind = 0; kind < KINDS; kind++)
		if (!reduce(&all[kind]->loads, kind, loads, verdict) ||
		    !reduce(&all[kind]->stores, kind, stores, verdict))
			return false;
	return true;
}

/* Must @dear cost TIMING_SEPARATION times what @cheap does? It must in all CPUs. */
static bool separated(const struct costs *costs, enum kind cheap, enum kind dear,
		      struct timing_verdict *verdict)
{
	const double apart = costs->of[dear].median - costs->of[cheap].median;

	if (apart >= log(TIMING_SEPARATION))
		return true;
	return cannot_tell(verdict, "references %s: %s UC %.3g, WC %.3g, WB %.3g",
			   apart <= -log(TIMING_SEPARATION) ? "in the wrong order" : "not separated",
			   costs->access, exp(costs->of[UC].median), exp(costs->of[WC].median),
			   exp(costs->of[WB].median));
}

static double distance(const struct costs *costs, enum kind ref)
{
	return fabs(costs->of[MEASURED].median - costs->of[ref].median);
}

static double margin(const struct costs *costs, enum kind near, enum kind far)
{
	double spread = fmax(fmax(costs->of[near].spread, costs->of[far].spread),
			     fmax(costs->of[MEASURED].spread, log(SPREAD_FLOOR)));

	return (distance(costs, far) - spread) / (distance(costs, near) + spread);
}

/* Is the measured cost @near's and not @far's? */
static bool decides(const struct costs *costs, enum kind near, enum kind far, double *m,
		    struct timing_verdict *verdict)
{
	const double ticks = exp(costs->of[MEASURED].median);

	*m = margin(costs, near, far);
	if (distance(costs, near) > log(TIMING_FAR))
		return cannot_tell(verdict, "%s %.3g, nearest reference %s %.3g", costs->access,
				   ticks, kind_name[near], exp(costs->of[near].median));
	if (*m < TIMING_MARGIN)
		return cannot_tell(verdict, "%s %.3g between %s %.3g and %s %.3g, margin %.1f",
				   costs->access, ticks, kind_name[near],
				   exp(costs->of[near].median), kind_name[far],
				   exp(costs->of[far].median), *m);
	return true;
}

static enum kind nearer(const struct costs *costs, enum kind a, enum kind b)
{
	return distance(costs, a) <= distance(costs, b) ? a : b;
}

static void judge_cached(const struct costs *loads, const struct costs *stores,
			 struct timing_verdict *verdict)
{
	if (!decides(loads, WB, nearer(loads, UC, WC), &verdict->margin, verdict))
		return;
	if (distance(stores, WB) > log(TIMING_FAR)) {
		cannot_tell(verdict, "loads %.3g like WB, but stores %.3g, WB's are %.3g",
			    exp(loads->of[MEASURED].median), exp(stores->of[MEASURED].median),
			    exp(stores->of[WB].median));
		return;
	}
	verdict->type = ORACLE_WB;
	snprintf(verdict->why, sizeof(verdict->why), "loads %.3g like WB, stores %.3g",
		 exp(loads->of[MEASURED].median), exp(stores->of[MEASURED].median));
}

static void judge_uncached(const struct costs *loads, const struct costs *stores,
			   struct timing_verdict *verdict)
{
	const enum kind load = nearer(loads, UC, WC);
	const enum kind store = nearer(stores, UC, WC);
	const enum kind other = store == UC ? WC : UC;
	double by_loads, by_stores;

	if (!decides(loads, load, WB, &by_loads, verdict) ||
	    !decides(stores, store, other, &by_stores, verdict))
		return;
	if (load != store && margin(loads, load, store) >= TIMING_MARGIN) {
		cannot_tell(verdict, "loads %.3g like %s, but stores %.3g like %s",
			    exp(loads->of[MEASURED].median), kind_name[load],
			    exp(stores->of[MEASURED].median), kind_name[store]);
		return;
	}
	verdict->type = store == UC ? ORACLE_UC : ORACLE_WC;
	verdict->margin = fmin(by_loads, by_stores);
	snprintf(verdict->why, sizeof(verdict->why), "loads %.3g like UC/WC, stores %.3g like %s",
		 exp(loads->of[MEASURED].median), exp(stores->of[MEASURED].median),
		 kind_name[store]);
}

struct timing_verdict timing_judge(const struct timing_refs *refs,
				   const struct timing_samples *samples)
{
	struct timing_verdict verdict = { .type = ORACLE_INVALID };
	struct costs loads = { .access = "loads" };
	struct costs stores = { .access = "stores" };

	if (!reduce_all(refs, samples, &loads, &stores, &verdict) ||
	    !separated(&loads, WB, UC, &verdict) || !separated(&loads, WB, WC, &verdict) ||
	    !separated(&stores, WC, UC, &verdict) || !separated(&stores, WB, UC, &verdict))
		return verdict;
	if (distance(&loads, WB) <= distance(&loads, nearer(&loads, UC, WC)))
		judge_cached(&loads, &stores, &verdict);
	else
		judge_uncached(&loads, &stores, &verdict);
	return verdict;
}

bool timing_contradicts(const struct timing_verdict *verdict, enum oracle_type effective)
{
	switch (effective) {
	case ORACLE_UC:
	case ORACLE_UC_MINUS:
		return verdict->type == ORACLE_WC || verdict->type == ORACLE_WB;
	case ORACLE_WC:
		return verdict->type == ORACLE_UC || verdict->type == ORACLE_WB;
	case ORACLE_WT:
	case ORACLE_WP:
	case ORACLE_WB:
		return verdict->type == ORACLE_UC || verdict->type == ORACLE_WC;
	case ORACLE_INVALID:
		break;
	}
	return false;
}

void timing_describe(const struct timing_verdict *verdict, char *text, size_t size)
{
	if (verdict->type == ORACLE_INVALID)
		snprintf(text, size, "timing: cannot tell (%s)", verdict->why);
	else
		snprintf(text, size, "timing: %s (margin %.1f: %s)",
			 oracle_type_name(verdict->type), verdict->margin, verdict->why);
}
