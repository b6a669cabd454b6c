// SPDX-License-Identifier: GPL-2.0-or-later
/* Command line of dmapat-conformance; see options.h. */
#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>

#include "../../../userspace/lib/version.h"
#include "exporters.h"
#include "moments.h"
#include "options.h"

static const char usage[] =
"usage: dmapat-conformance [OPTIONS]\n"
"  --host                this is a real machine: no emulator's trace, but the cost of\n"
"                        accesses as a second witness\n"
"  --json FILE           write the cells to FILE\n"
"  --exporter PATTERN    these exporters alone (shell pattern)\n"
"  --moment PATTERN      these moments alone (shell pattern)\n"
"  --require-all         an exporter that this machine does not have is a failure\n"
"  --list                print exporters and moments, and end\n"
"  --help, --version\n"
"See dmapat-conformance(1).\n";

enum { OPT_HOST = 1, OPT_JSON, OPT_EXPORTER, OPT_MOMENT, OPT_ALL, OPT_LIST, OPT_HELP, OPT_VERSION };

static const struct option long_options[] = {
	{ "host", no_argument, NULL, OPT_HOST },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "exporter", required_argument, NULL, OPT_EXPORTER },
	{ "moment", required_argument, NULL, OPT_MOMENT },
	{ "require-all", no_argument, NULL, OPT_ALL },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static bool check_patterns(const struct options *options)
{
	bool found = false;

	for (const struct exporter *e = exporters; e->name; e++)
		found |= !fnmatch(options->exporter, e->name, 0);
	if (!found) {
		fprintf(stderr, "dmapat-conformance: --exporter %s: no exporter has such a name; see --list\n",
			options->exporter);
		return false;
	}
	found = false;
	for (const struct moment *m = moments; m->name; m++)
		found |= !fnmatch(options->moment, m->name, 0);
	if (!found)
		fprintf(stderr, "dmapat-conformance: --moment %s: no moment has such a name; see --list\n",
			options->moment);
	return found;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	enum options_result result = OPTIONS_RUN;
	int opt;

	*options = (struct options){ .exporter = "*", .moment = "*" };
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		switch (opt) {
		case OPT_HOST:
			options->host = true;
			break;
		case OPT_JSON:
			options->json = optarg;
			break;
		case OPT_EXPORTER:
			options->exporter = optarg;
			break;
		case OPT_MOMENT:
			options->moment = optarg;
			break;
		case OPT_ALL:
			options->require_all = true;
			break;
		case OPT_LIST:
			result = OPTIONS_LIST;
			break;
		case OPT_HELP:
			fputs(usage, stdout);
			return OPTIONS_DONE;
		case OPT_VERSION:
			puts("dmapat-conformance " DMAPAT_VERSION);
			return OPTIONS_DONE;
		default:
			fprintf(stderr, "dmapat-conformance: %s: %s; see --help\n",
				argv[optind - 1], opt == ':' ? "wants a value" :
				optopt && optopt <= OPT_VERSION ? "takes no value" :
				"unknown option");
			return OPTIONS_BAD;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "dmapat-conformance: %s: no operands are taken; see --help\n",
			argv[optind]);
		return OPTIONS_BAD;
	}
	return check_patterns(options) ? result : OPTIONS_BAD;
}
