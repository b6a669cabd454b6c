// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * trace-report: what Bochs' memory trace says about memory types. Run by
 * tests/emu/machine and demo/run.
 *
 *	trace-report filter < DEBUGGER-OUTPUT > TRACE
 *		keep the lines that the other two need: one in a hundred or fewer
 *	trace-report check TRACE LOG
 *		judge the "# expect" lines of a test's output, one ok/not ok line each
 *	trace-report observe TRACE LOG
 *		say what the accesses of the "# observe" lines were
 *
 * tests/emu/README.md describes the lines of LOG. An observation takes the same
 * words without access, type, leaf and ignore-pat.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_trace.h"
#include "oracle_types.h"

#define USER_END	0x0000800000000000ull

/* One range of one phase: what is wanted there and what was seen. */
struct range {
	char *name;
	unsigned long long phase;
	unsigned long long linear;
	unsigned long long size;
	bool guest;
	/* expected; observations leave these empty */
	const char *access;	/* "r", "w", "rw" */
	enum oracle_type type;
	enum oracle_type leaf;
	int ignore_pat;
	/* seen: counts, and one bit a type */
	unsigned long reads;
	unsigned long writes;
	unsigned long without_leaf;
	unsigned int types;
	unsigned int leaves;
	unsigned int ignores;	/* bit 0: some leaf with ignore-PAT clear, bit 1: set */
};

struct report {
	struct range *ranges;
	size_t n_ranges;
	unsigned long damaged;
	int bad_lines;
};

static bool parse_number(const char *text, unsigned long long *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && end != text && !*end;
}

static bool parse_word(struct range *range, const char *word)
{
	static const char *const accesses[] = { "r", "w", "rw" };
	unsigned long long number;
	int i;

	if (!strncmp(word, "phase=", 6))
		return parse_number(word + 6, &range->phase) && range->phase;
	if (!strncmp(word, "linear=", 7))
		return parse_number(word + 7, &range->linear);
	if (!strncmp(word, "size=", 5))
		return parse_number(word + 5, &range->size) && range->size;
	if (!strcmp(word, "agent=host") || !strcmp(word, "agent=guest")) {
		range->guest = !strcmp(word, "agent=guest");
		return true;
	}
	if (!strncmp(word, "access=", 7)) {
		word += 7;
		for (i = 0; i < 3; i++)
			if (!strcmp(word, accesses[i]))
				range->access = accesses[i];
		return range->access;
	}
	if (!strncmp(word, "type=", 5)) {
		range->type = oracle_type_parse(word + 5);
		return range->type != ORACLE_INVALID;
	}
	if (!strncmp(word, "leaf=", 5)) {
		range->leaf = oracle_type_parse(word + 5);
		return range->leaf != ORACLE_INVALID;
	}
	if (!strncmp(word, "ignore-pat=", 11)) {
		if (!parse_number(word + 11, &number) || number > 1)
			return false;
		range->ignore_pat = (int)number;
		return true;
	}
	return false;
}

/* Has the line said what it must, and nothing that does not apply? */
static bool is_complete(const struct range *range, bool expect)
{
	if (!range->phase || !range->size)
		return false;
	if (!expect)
		return !range->access && range->type == ORACLE_INVALID;
	if (!range->access || range->type == ORACLE_INVALID)
		return false;
	return range->guest || (range->leaf == ORACLE_INVALID && range->ignore_pat < 0);
}

/* line: behind "# expect " or "# observe " */
static int parse_range(struct report *report, const char *line, bool expect)
{
	struct range range = {
		.type = ORACLE_INVALID,
		.leaf = ORACLE_INVALID,
		.ignore_pat = -1,
	};
	struct range *ranges;
	char *save, *word;
	bool good = true;

	/* The first word of the copy stays as the name. */
	range.name = strdup(line);
	if (!range.name)
		return -ENOMEM;
	word = strtok_r(range.name, " \t\r\n", &save);
	if (word != range.name)
		good = false;
	while (good && (word = strtok_r(NULL, " \t\r\n", &save)))
		good = parse_word(&range, word);
	if (!good || !is_complete(&range, expect)) {
		printf("not ok line not understood: %.*s\n", (int)strcspn(line, "\r\n"), line);
		report->bad_lines++;
		free(range.name);
		return 0;
	}
	ranges = reallocarray(report->ranges, report->n_ranges + 1, sizeof(*ranges));
	if (!ranges) {
		free(range.name);
		return -ENOMEM;
	}
	report->ranges = ranges;
	ranges[report->n_ranges++] = range;
	return 0;
}

static int read_log(struct report *report, const char *path, bool expect)
{
	const char *prefix = expect ? "# expect " : "# observe ";
	size_t size = 0;
	char *line = NULL;
	FILE *file;
	int ret = 0;

	file = fopen(path, "r");
	if (!file) {
		fprintf(stderr, "trace-report: %s: %s\n", path, strerror(errno));
		return -errno;
	}
	while (!ret && getline(&line, &size, file) >= 0)
		if (!strncmp(line, prefix, strlen(prefix)))
			ret = parse_range(report, line + strlen(prefix), expect);
	free(line);
	fclose(file);
	return ret;
}

static void count_access(struct range *range, const struct trace_access *access)
{
	enum oracle_type type = access->type;

	if (access->write)
		range->writes++;
	else
		range->reads++;
	if (range->guest) {
		if (!access->has_leaf) {
			range->without_leaf++;
			return;
		}
		range->leaves |= 1u << access->leaf.type;
		range->ignores |= access->leaf.ignore_pat ? 2 : 1;
		type = oracle_ept_effective(&access->leaf, type);
	}
	/* bit 8 stands for a type that there is not */
	range->types |= 1u << (type == ORACLE_INVALID ? 8 : (int)type);
}

static int read_trace(struct report *report, const char *path)
{
	struct trace trace;
	size_t size = 0, i;
	char *line = NULL;
	FILE *file;
	int ret;

	file = fopen(path, "r");
	if (!file) {
		fprintf(stderr, "trace-report: %s: %s\n", path, strerror(errno));
		return -errno;
	}
	ret = trace_init(&trace);
	while (ret >= 0 && getline(&line, &size, file) >= 0) {
		ret = trace_line(&trace, line);
		if (ret == TRACE_DAMAGED && !report->damaged++)
			printf("# damaged: %s", line);
		if (ret != TRACE_ACCESS)
			continue;
		for (i = 0; i < report->n_ranges; i++) {
			struct range *range = &report->ranges[i];

			if (trace.phase == range->phase && trace.access.linear >= range->linear &&
			    trace.access.linear - range->linear < range->size)
				count_access(range, &trace.access);
		}
	}
	free(line);
	trace_destroy(&trace);
	fclose(file);
	return ret < 0 ? ret : 0;
}

/* "WC", "WC+WB", "none" */
static const char *type_list(unsigned int types, char text[64])
{
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i <= 8; i++) {
		if (!(types & 1u << i))
			continue;
		if (text[0])
			strcat(text, "+");
		strcat(text, i == 8 ? "invalid" : oracle_type_name((enum oracle_type)i));
	}
	return text[0] ? text : strcpy(text, "none");
}

static void print_seen(const struct range *range)
{
	char types[64], leaves[64];

	printf("agent=%s reads=%lu writes=%lu type=%s", range->guest ? "guest" : "host",
	       range->reads, range->writes, type_list(range->types, types));
	if (range->guest)
		printf(" leaf=%s ignore-pat=%s without-leaf=%lu", type_list(range->leaves, leaves),
		       range->ignores == 3 ? "mixed" : range->ignores == 2 ? "1" :
		       range->ignores == 1 ? "0" : "none", range->without_leaf);
	putchar('\n');
}

static bool as_expected(const struct range *range)
{
	if ((strchr(range->access, 'r') && !range->reads) ||
	    (strchr(range->access, 'w') && !range->writes))
		return false;
	if (range->types != 1u << range->type || range->without_leaf)
		return false;
	if (range->leaf != ORACLE_INVALID && range->leaves != 1u << range->leaf)
		return false;
	return range->ignore_pat < 0 || range->ignores == (range->ignore_pat ? 2u : 1u);
}

static void print_expected(const struct range *range)
{
	printf("not ok %s: expected access=%s type=%s", range->name, range->access,
	       oracle_type_name(range->type));
	if (range->leaf != ORACLE_INVALID)
		printf(" leaf=%s", oracle_type_name(range->leaf));
	if (range->ignore_pat >= 0)
		printf(" ignore-pat=%d", range->ignore_pat);
	printf(", the trace has ");
}

/* 0: all as expected, 1: something is not */
static int report_on(const char *trace, const char *log, bool expect)
{
	struct report report = { 0 };
	size_t i;
	int ret;

	ret = read_log(&report, log, expect);
	if (!ret)
		ret = read_trace(&report, trace);
	if (ret) {
		fprintf(stderr, "trace-report: %s\n", strerror(-ret));
		goto out;
	}
	ret = report.bad_lines ? 1 : 0;
	if (report.damaged) {
		printf("not ok %s: %lu trace lines are damaged\n", trace, report.damaged);
		ret = 1;
	}
	for (i = 0; i < report.n_ranges; i++) {
		if (!expect) {
			printf("%s ", report.ranges[i].name);
		} else if (as_expected(&report.ranges[i])) {
			printf("ok %s: ", report.ranges[i].name);
		} else {
			print_expected(&report.ranges[i]);
			ret = 1;
		}
		print_seen(&report.ranges[i]);
	}
out:
	for (i = 0; i < report.n_ranges; i++)
		free(report.ranges[i].name);
	free(report.ranges);
	return ret < 0 ? 2 : ret;
}

static bool keep(int event, const struct trace *trace)
{
	switch (event) {
	case TRACE_ON:
	case TRACE_OFF:
	case TRACE_PHASE:
	case TRACE_WALK:
	case TRACE_DAMAGED:
		return true;
	case TRACE_ACCESS:
		return trace->access.linear < USER_END || trace->access.walked;
	default:
		return false;
	}
}

static int filter(void)
{
	struct trace trace;
	size_t size = 0;
	char *line = NULL;
	int ret;

	ret = trace_init(&trace);
	while (ret >= 0 && getline(&line, &size, stdin) >= 0) {
		ret = trace_line(&trace, line);
		if (ret < 0 || !keep(ret, &trace))
			continue;
		line[strcspn(line, "\r\n")] = '\0';
		if (puts(line) == EOF)
			ret = -errno;
	}
	free(line);
	trace_destroy(&trace);
	if (ret >= 0 && fflush(stdout))
		ret = -errno;
	if (ret < 0)
		fprintf(stderr, "trace-report: %s\n", strerror(-ret));
	return ret < 0 ? 2 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "filter"))
		return filter();
	if (argc == 4 && (!strcmp(argv[1], "check") || !strcmp(argv[1], "observe")))
		return report_on(argv[2], argv[3], !strcmp(argv[1], "check"));
	fprintf(stderr, "usage: trace-report filter | check TRACE LOG | observe TRACE LOG\n");
	return 2;
}
