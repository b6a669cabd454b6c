/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines on standard error: "program: text", one write(2) each. */
#ifndef DMAPAT_LOG_H
#define DMAPAT_LOG_H

#ifndef __printf
#define __printf(fmt, first)	__attribute__((format(printf, fmt, first)))
#endif

/* The name that starts every line; not copied. */
void log_set_program(const char *name);

/* All of them keep errno, cut lines after 1 KiB, and add the newline. */
void __printf(1, 2) log_info(const char *fmt, ...);
void __printf(1, 2) log_warn(const char *fmt, ...);
void __printf(1, 2) log_error(const char *fmt, ...);

#endif /* DMAPAT_LOG_H */
