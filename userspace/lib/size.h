/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes on command lines: a number, or one with K, M or G (powers of 1024). */
#ifndef DMAPAT_SIZE_H
#define DMAPAT_SIZE_H

#include <stdint.h>

/*
 * Parse all of text: decimal, or hexadecimal with 0x, then at most one of K, M
 * and G. Returns 0, or -1 (no number, a sign, something behind it, above
 * UINT64_MAX).
 */
int size_parse(const char *text, uint64_t *size);

#endif /* DMAPAT_SIZE_H */
