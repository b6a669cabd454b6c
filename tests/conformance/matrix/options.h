/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command line of dmapat-conformance. Called by main.c. */
#ifndef TESTS_MATRIX_OPTIONS_H
#define TESTS_MATRIX_OPTIONS_H

#include <stdbool.h>

enum options_result { OPTIONS_RUN, OPTIONS_LIST, OPTIONS_DONE, OPTIONS_BAD };

struct options {
	bool host;
	bool require_all;
	const char *json;		/* NULL: not wanted */
	const char *exporter;		/* shell patterns; "*" */
	const char *moment;
};

/* OPTIONS_DONE: help or version is printed. OPTIONS_BAD: what is wrong is on stderr. */
enum options_result options_parse(struct options *options, int argc, char **argv);

#endif /* TESTS_MATRIX_OPTIONS_H */
