/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with something, in words: reasons one after another. Called by all
 * that judge.
 */
#ifndef TESTS_REPORT_WHY_H
#define TESTS_REPORT_WHY_H

/* Empty: nothing is wrong. What does not fit is cut off. */
struct why {
	char text[768];
};

void why_add(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* TESTS_REPORT_WHY_H */
