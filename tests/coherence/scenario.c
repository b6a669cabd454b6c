// SPDX-License-Identifier: GPL-2.0-or-later
/* Declarations in a test's log; see scenario.h and docs/coherence.md. */
#include "scenario.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool parse_number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && end != text && !*end && *text != '-';
}

static bool parse_flag(const char *text, bool *flag)
{
	uint64_t value;

	if (!parse_number(text, &value) || value > 1)
		return false;
	*flag = value;
	return true;
}

static bool parse_name(const char *text, char name[SCENARIO_NAME])
{
	if (!*text || strlen(text) >= SCENARIO_NAME)
		return false;
	strcpy(name, text);
	return true;
}

/* One "key=value" of a "# scenario" line; a key has one bit in @given. */
static bool scenario_word(struct scenario *s, const char *key, const char *value,
			  unsigned int *given)
{
	static const char *const keys[] = { "modules", "host", "memtype", "size", "snoop",
					    "accesses", "expect" };
	uint64_t number;
	unsigned int i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && strcmp(keys[i], key); i++)
		;
	if (*given & 1u << i)
		return false;
	*given |= 1u << i;
	switch (i) {
	case 0:
		return parse_name(value, s->modules) &&
		       (!strcmp(value, "stock") || !strcmp(value, "dmapat"));
	case 1:
		return parse_name(value, s->host);
	case 2:
		s->memtype = oracle_type_parse(value);
		return s->memtype != ORACLE_INVALID;
	case 3:
		return parse_number(value, &s->size) && s->size &&
		       s->size <= SCENARIO_PAGES * SCENARIO_PAGE && !(s->size % SCENARIO_PAGE);
	case 4:
		return parse_flag(value, &s->snoop);
	case 5:
		if (!parse_number(value, &number) || !number)
			return false;
		s->accesses = number;
		return true;
	case 6:
		s->expect_stale = !strcmp(value, "stale");
		return s->expect_stale || !strcmp(value, "none");
	default:
		return false;
	}
}

static bool agent_word(struct scenario_agent *a, const char *key, const char *value,
		       unsigned int *given)
{
	static const char *const keys[] = { "role", "phase", "linear", "size", "offset", "pat" };
	unsigned int i;
	int role;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && strcmp(keys[i], key); i++)
		;
	if (*given & 1u << i)
		return false;
	*given |= 1u << i;
	switch (i) {
	case 0:
		role = coherence_agent_parse(value);
		/* what the kernel does is not traced */
		if (role < 0 || role == COHERENCE_KERNEL)
			return false;
		a->role = (enum coherence_agent)role;
		return true;
	case 1:
		return parse_number(value, &a->phase) && a->phase;
	case 2:
		return parse_number(value, &a->linear);
	case 3:
		return parse_number(value, &a->size) && a->size;
	case 4:
		return parse_number(value, &a->offset);
	case 5:
		a->uc_minus = !strcmp(value, "UC-");
		return a->uc_minus;
	default:
		return false;
	}
}

/* Cuts "key=value" in two; NULL if it is none. */
static char *cut(char *word)
{
	char *equals = strchr(word, '=');

	if (equals)
		*equals++ = '\0';
	return equals;
}

static struct scenario *last(const struct scenario_list *list)
{
	return list->n ? &list->scenarios[list->n - 1] : NULL;
}

static int add_scenario(struct scenario_list *list, char *words)
{
	struct scenario s = { .memtype = ORACLE_INVALID }, *scenarios;
	unsigned int given = 0;
	char *word, *value, *save;
	size_t i;

	word = strtok_r(words, " ", &save);
	if (!word || strchr(word, '=') || !parse_name(word, s.name))
		return -EINVAL;
	while ((word = strtok_r(NULL, " ", &save))) {
		value = cut(word);
		if (!value || !scenario_word(&s, word, value, &given))
			return -EINVAL;
	}
	/* dmapat's modules never have a reason to be stale. */
	if (given != 0x7f || (s.expect_stale && !strcmp(s.modules, "dmapat")))
		return -EINVAL;
	for (i = 0; i < list->n; i++)
		if (!strcmp(list->scenarios[i].name, s.name) &&
		    !strcmp(list->scenarios[i].host, s.host))
			return -EINVAL;

	scenarios = reallocarray(list->scenarios, list->n + 1, sizeof(*scenarios));
	if (!scenarios)
		return -ENOMEM;
	list->scenarios = scenarios;
	scenarios[list->n++] = s;
	return 0;
}

static bool overlaps(const struct scenario_agent *a, const struct scenario_agent *b)
{
	return a->phase == b->phase && a->linear < b->linear + b->size &&
	       b->linear < a->linear + a->size;
}

static int add_agent(struct scenario_list *list, char *words)
{
	struct scenario *s = last(list);
	struct scenario_agent a = { 0 }, *agents;
	unsigned int given = 0;
	char *word, *value, *save;
	size_t i, j;

	if (!s)
		return -EINVAL;
	for (word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		value = cut(word);
		if (!value || !agent_word(&a, word, value, &given))
			return -EINVAL;
	}
	if ((given & 0x1f) != 0x1f || a.linear + a.size < a.linear || a.offset >= s->size ||
	    a.size > s->size - a.offset)
		return -EINVAL;
	for (i = 0; i < list->n; i++)
		for (j = 0; j < list->scenarios[i].n_agents; j++)
			if (overlaps(&a, &list->scenarios[i].agents[j]))
				return -EINVAL;

	agents = reallocarray(s->agents, s->n_agents + 1, sizeof(*agents));
	if (!agents)
		return -ENOMEM;
	s->agents = agents;
	agents[s->n_agents++] = a;
	return 0;
}

static int add_refill(struct scenario_list *list, char *words)
{
	struct scenario *s = last(list);
	char *value = cut(words);

	if (!s || s->refill_phase || !value || strcmp(words, "phase") ||
	    !parse_number(value, &s->refill_phase) || !s->refill_phase)
		return -EINVAL;
	return 0;
}

/* @line: without its end. 0, also for a line that is none of ours. */
static int read_line(struct scenario_list *list, const char *line)
{
	static const struct {
		const char *prefix;
		int (*add)(struct scenario_list *list, char *words);
	} kinds[] = {
		{ "# scenario ", add_scenario },
		{ "# agent ", add_agent },
		{ "# refill ", add_refill },
	};
	char *words;
	size_t i;
	int ret;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(line, kinds[i].prefix, strlen(kinds[i].prefix)))
			continue;
		words = strdup(line + strlen(kinds[i].prefix));
		if (!words)
			return -ENOMEM;
		ret = kinds[i].add(list, words);
		free(words);
		if (ret == -EINVAL)
			fprintf(stderr, "coherence-check: line not understood, or twice: %s\n",
				line);
		return ret;
	}
	return 0;
}

int scenario_read(struct scenario_list *list, FILE *log)
{
	size_t size = 0, i;
	char *line = NULL;
	int ret = 0;

	memset(list, 0, sizeof(*list));
	while (!ret && getline(&line, &size, log) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		ret = read_line(list, line);
	}
	free(line);
	if (!ret && !list->n) {
		fprintf(stderr, "coherence-check: the log declares no scenario\n");
		return -EINVAL;
	}
	for (i = 0; !ret && i < list->n; i++) {
		if (list->scenarios[i].n_agents)
			continue;
		fprintf(stderr, "coherence-check: scenario %s of %s has no agent\n",
			list->scenarios[i].name, list->scenarios[i].host);
		ret = -EINVAL;
	}
	return ret;
}

void scenario_free(struct scenario_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		struct scenario *s = &list->scenarios[i];

		coherence_destroy(&s->model);
		coherence_destroy(&s->self_snoop);
		free(s->agents);
		free(s->bytes);
		free(s->values);
		free(s->picture);
	}
	free(list->scenarios);
	memset(list, 0, sizeof(*list));
}

size_t scenario_line_of(const struct scenario *s, uint64_t physical)
{
	size_t page = 0;

	while (page < SCENARIO_PAGES - 1 && s->frames[page] != physical - physical % SCENARIO_PAGE)
		page++;
	return (page * SCENARIO_PAGE + physical % SCENARIO_PAGE) / COHERENCE_LINE;
}
