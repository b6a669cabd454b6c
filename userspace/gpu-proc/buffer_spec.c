// SPDX-License-Identifier: GPL-2.0-or-later
/* The argument of --buffer: its syntax, its limits, its layout. Called by options.c. */
#include "buffer_spec.h"
#include "log.h"
#include "size.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_MAX	BUFFER_NODE_MAX

/* One "key=value" of the argument. */
struct pair {
	const char *key;
	size_t key_len;
	char value[VALUE_MAX];
};

/* Cut the first pair off *rest, which is NULL after the last. */
static int next_pair(const char *arg, const char **rest, struct pair *pair)
{
	const char *begin = *rest, *end = strchrnul(begin, ','), *eq;
	size_t len;

	eq = memchr(begin, '=', end - begin);
	if (!eq || eq == begin) {
		log_error("--buffer=%s: '%.*s' is not KEY=VALUE", arg, (int)(end - begin), begin);
		return -1;
	}
	pair->key = begin;
	pair->key_len = eq - begin;
	len = end - eq - 1;
	if (!len || len >= sizeof(pair->value)) {
		log_error("--buffer=%s: the value of %.*s is %zu bytes long, must be 1 to %zu",
			  arg, (int)pair->key_len, begin, len, sizeof(pair->value) - 1);
		return -1;
	}
	memcpy(pair->value, eq + 1, len);
	pair->value[len] = '\0';
	*rest = *end ? end + 1 : NULL;
	return 0;
}

static bool key_is(const struct pair *pair, const char *key)
{
	return pair->key_len == strlen(key) && !memcmp(pair->key, key, pair->key_len);
}

static int parse_pages(const char *arg, const char *key, const char *value, uint64_t *out)
{
	long page = sysconf(_SC_PAGESIZE);

	if (size_parse(value, out) < 0) {
		log_error("--buffer=%s: %s=%s is not a size", arg, key, value);
		return -1;
	}
	if (*out % page) {
		log_error("--buffer=%s: %s=%s is not a multiple of the page size, %ld", arg, key,
			  value, page);
		return -1;
	}
	return 0;
}

static int parse_fill(const char *arg, const char *value, int *fill)
{
	char *end;
	long val;

	errno = 0;
	val = strtol(value, &end, 0);
	if (errno || end == value || *end || val < 0 || val > 255) {
		log_error("--buffer=%s: fill=%s is not a number from 0 to 255", arg, value);
		return -1;
	}
	*fill = val;
	return 0;
}

static int parse_name(const char *arg, const char *value, char *name)
{
	const char *c;

	if (strlen(value) >= BUFFER_NAME_MAX) {
		log_error("--buffer=%s: name=%s is %zu bytes long, must be at most %d", arg, value,
			  strlen(value), BUFFER_NAME_MAX - 1);
		return -1;
	}
	for (c = value; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c)) {
			log_error("--buffer=%s: name=%s has other characters than A-Z a-z 0-9 . _ -",
				  arg, value);
			return -1;
		}
	}
	memcpy(name, value, strlen(value) + 1);
	return 0;
}

int buffer_spec_parse(struct buffer_spec *spec, const char *arg)
{
	bool has_size = false, has_offset = false;
	const char *rest = arg;
	struct pair pair;
	bool *has;
	int ret;

	memset(spec, 0, sizeof(*spec));
	spec->fill = BUFFER_NO_FILL;

	if (next_pair(arg, &rest, &pair) < 0)
		return -1;
	spec->allocator = alloc_find(pair.key, pair.key_len);
	if (!spec->allocator) {
		log_error("--buffer=%s: starts with '%.*s=', must start with an allocator (see --help)",
			  arg, (int)pair.key_len, pair.key);
		return -1;
	}
	memcpy(spec->node, pair.value, sizeof(spec->node));

	while (rest) {
		bool has_fill = spec->fill != BUFFER_NO_FILL, has_name = *spec->name;

		if (next_pair(arg, &rest, &pair) < 0)
			return -1;
		if (key_is(&pair, "size")) {
			has = &has_size;
		} else if (key_is(&pair, "offset")) {
			has = &has_offset;
		} else if (key_is(&pair, "fill")) {
			has = &has_fill;
		} else if (key_is(&pair, "name")) {
			has = &has_name;
		} else {
			log_error("--buffer=%s: unknown key '%.*s', must be size, offset, fill or name",
				  arg, (int)pair.key_len, pair.key);
			return -1;
		}
		if (*has) {
			log_error("--buffer=%s: '%.*s' is given twice, the second time as '%s'",
				  arg, (int)pair.key_len, pair.key, pair.value);
			return -1;
		}
		if (has == &has_size)
			ret = parse_pages(arg, "size", pair.value, &spec->size);
		else if (has == &has_offset)
			ret = parse_pages(arg, "offset", pair.value, &spec->offset);
		else if (has == &has_fill)
			ret = parse_fill(arg, pair.value, &spec->fill);
		else
			ret = parse_name(arg, pair.value, spec->name);
		if (ret < 0)
			return -1;
		*has = true;
	}

	if (!has_size || !has_offset) {
		log_error("--buffer=%s: no '%s=' given", arg, has_size ? "offset" : "size");
		return -1;
	}
	if (!spec->size) {
		log_error("--buffer=%s: size is 0", arg);
		return -1;
	}
	return 0;
}

static unsigned long long end_of(const struct buffer_spec *spec)
{
	return spec->offset + spec->size;
}

int buffer_spec_check_layout(const struct buffer_spec *specs, unsigned int count,
			     uint64_t shmem_size)
{
	unsigned int i, j;

	for (i = 0; i < count; i++) {
		const struct buffer_spec *a = &specs[i];

		if (a->size > shmem_size || a->offset > shmem_size - a->size) {
			log_error("buffer %u: offset 0x%llx, size 0x%llx: ends beyond the region of 0x%llx bytes (--shmem-size)",
				  i, (unsigned long long)a->offset, (unsigned long long)a->size,
				  (unsigned long long)shmem_size);
			return -1;
		}
		for (j = 0; j < i; j++) {
			const struct buffer_spec *b = &specs[j];

			if (a->offset < end_of(b) && b->offset < end_of(a)) {
				log_error("buffer %u at 0x%llx-0x%llx overlaps buffer %u at 0x%llx-0x%llx",
					  i, (unsigned long long)a->offset, end_of(a) - 1, j,
					  (unsigned long long)b->offset, end_of(b) - 1);
				return -1;
			}
		}
	}
	return 0;
}
