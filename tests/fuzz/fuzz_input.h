/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libFuzzer hands to a target, taken from the front piece by piece. Where it has
 * ended, everything is 0, so that each input means something. Used by the targets.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fuzz_input {
	const uint8_t *data;
	size_t left;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold, whatever the input: the run ends as a finding where it does not. */
#define fuzz_assert(condition) \
	((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))

static inline __attribute__((noreturn)) void fuzz_fail(const char *file, int line,
						       const char *condition)
{
	fprintf(stderr, "%s:%d: %s does not hold\n", file, line, condition);
	abort();
}

/* Up to @size bytes, and zeroes behind them. Returns how many there were. */
static inline size_t fuzz_bytes(struct fuzz_input *in, void *to, size_t size)
{
	size_t n = in->left < size ? in->left : size;

	memset(to, 0, size);
	if (n)
		memcpy(to, in->data, n);
	in->data += n;
	in->left -= n;
	return n;
}

/* A little-endian number of @size bytes. */
static inline uint64_t fuzz_number(struct fuzz_input *in, size_t size)
{
	uint64_t value;

	fuzz_bytes(in, &value, sizeof(value) < size ? sizeof(value) : size);
	return size < sizeof(value) ? value & ((1ull << 8 * size) - 1) : value;
}

#endif /* FUZZ_INPUT_H */
