// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmapat-conformance: does every page of a buffer have the memory type that it must
 * have, whatever has happened to it? For each rule that is in force, each exporter,
 * bound and not, each moment and each guest PAT type: one cell, with the leaf as KVM's
 * tracepoints report it and the type that the manuals give the guest's access with it.
 *
 * Runs in the emulated machines, with a bracket of Bochs' memory trace around the guest's
 * accesses of each group of cells, and on real ones.
 */
#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/ktap.h"
#include "cells_json.h"
#include "exporters.h"
#include "group.h"
#include "host.h"
#include "moments.h"
#include "options.h"
#include "stage.h"
#include "timing.h"

#define EXIT_USAGE		2
#define EXIT_INTERRUPTED	130

static struct run run;

static void on_signal(int signal)
{
	(void)signal;
	run.interrupted = 1;
}

/* No SA_RESTART: a signal also ends the vCPU's run. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	test_assert(!sigaction(SIGINT, &action, NULL) && !sigaction(SIGTERM, &action, NULL) &&
		    !sigaction(SIGHUP, &action, NULL));
}

static void list(void)
{
	puts("exporters:");
	for (const struct exporter *e = exporters; e->name; e++)
		printf("  %-20s %s, pages of %s%s\n", e->name, oracle_type_name(e->memtype),
		       exporter_page_name(e), e->source->move ? ", can move" : "");
	puts("moments:");
	for (const struct moment *m = moments; m->name; m++)
		printf("  %s\n", m->name);
}

static void no_cell(enum cell_modules modules, const struct exporter *exporter, int bound,
		    const char *moment, const char *why)
{
	printf("# no-cell modules=%s host=%s page=%s bound=%d moment=%s why=%s\n",
	       cell_modules_name(modules), exporter->name, exporter_page_name(exporter), bound,
	       moment, why);
}

static void run_exporter(const struct options *options, struct stage *stage)
{
	const bool stock = stage->modules == CELL_STOCK || stage->modules == CELL_STOCK_QUIRK_OFF;
	const char *why;

	for (int bound = 0; bound < 2; bound++) {
		if (bound && stock) {
			no_cell(stage->modules, stage->exporter, bound, "*",
				"stock modules have no bindings");
			break;
		}
		for (const struct moment *m = moments; m->name && !run.interrupted; m++) {
			if (fnmatch(options->moment, m->name, 0))
				continue;
			why = moment_excluded(m, stage->exporter, stage->modules, bound);
			if (why)
				no_cell(stage->modules, stage->exporter, bound, m->name, why);
			else
				group_run(&run, stage, m, bound);
		}
	}
}

/* One rule: a virtual machine for all of its exporters. */
static void run_modules(const struct options *options, enum cell_modules modules, uint64_t pat)
{
	struct stage stage;

	stage_open(&stage, modules, pat);
	if (modules == CELL_STOCK_QUIRK_OFF)
		test_errno(host_quirk_off(stage.vm.fd), 0,
			   "KVM_X86_QUIRK_IGNORE_GUEST_PAT can be disabled");
	for (const struct exporter *e = exporters; e->name && !run.interrupted; e++) {
		const char *missing = e->source->missing(e);

		if (fnmatch(options->exporter, e->name, 0))
			continue;
		if (missing) {
			if (options->require_all)
				test_ok(false, "%s %s: %s", cell_modules_name(modules), e->name,
					missing);
			else
				test_skip(missing, "%s %s %s", cell_modules_name(modules), e->name,
					  exporter_page_name(e));
			continue;
		}
		stage_take(&stage, e);
		if (witness_present())
			stage_witness(&stage);
		run_exporter(options, &stage);
		stage_drop(&stage);
	}
	stage_close(&stage);
}

static void run_all(const struct options *options, enum cell_modules modules, uint64_t pat)
{
	const char *why;

	if (!witness_present())
		test_note("no page-table witness of the host's types: dmapat_mock is not loaded");
	run_modules(options, modules, pat);
	if (modules != CELL_STOCK || run.interrupted)
		return;
	why = host_quirk_off_missing();
	if (!why) {
		run_modules(options, CELL_STOCK_QUIRK_OFF, pat);
		return;
	}
	for (const struct exporter *e = exporters; e->name; e++)
		if (!fnmatch(options->exporter, e->name, 0))
			no_cell(CELL_STOCK_QUIRK_OFF, e, 0, "*", why);
}

static void take_references(struct timing_refs *refs)
{
	if (timing_references(refs))
		test_note("no timing witness: what it compares with is missing");
	else
		run.timing = refs;
}

static void end_json(const char *path)
{
	int r = run.json ? cells_json_close(run.json) : 0;

	if (r)
		test_ok(false, "--json %s: %s", path, strerror(r));
}

int main(int argc, char **argv)
{
	static struct timing_refs refs;
	enum cell_modules modules;
	struct options options;
	char why[HOST_WHY];
	uint64_t pat;

	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_LIST:
		list();
		return EXIT_SUCCESS;
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_BAD:
		return EXIT_USAGE;
	}
	if (options.json) {
		run.json = cells_json_open(options.json);
		if (!run.json) {
			fprintf(stderr, "dmapat-conformance: --json %s: %s\n", options.json,
				strerror(errno));
			return EXIT_USAGE;
		}
	}
	puts("KTAP version 1");
	if (!host_ready(why) || !host_modules(&modules, why) || !host_pat(&pat, why)) {
		printf("Bail out! %s\n", why);
		end_json(options.json);
		return EXIT_FAILURE;
	}
	catch_signals();
	run.real_host = options.host;
	if (options.host)
		take_references(&refs);

	run_all(&options, modules, pat);
	if (!run.judged && !run.interrupted)
		test_ok(false, "there is something to judge");

	printf("# cells: %u judged, %u wrong\n", run.judged, run.wrong);
	end_json(options.json);
	if (run.interrupted) {
		puts("Bail out! interrupted");
		return EXIT_INTERRUPTED;
	}
	return test_end();
}
