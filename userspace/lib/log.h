/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines on standard error: "program: text", one write(2) each. */
#ifndef DMAPAT_LOG_H
#define DMAPAT_LOG_H

/* The name that starts every line; not copied. */
void log_set_program(const char *name);

/* All of them keep errno, cut lines after 1 KiB, and add the newline. */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* DMAPAT_LOG_H */
