/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An error with the words that go with it. Functions return -errno and, where
 * the caller has more to say than the number, fill a struct error, which ends
 * up in the log, in the answer of the control socket, or in both.
 */
#ifndef VMM_ERROR_H
#define VMM_ERROR_H

struct error {
	char msg[512];
};

/*
 * Write the message and return -@errnum, so that a caller can say
 * `return error__set(err, EINVAL, "…", …)`. @err may be NULL. The first message
 * stays: an outer layer that has less to say does not write over it.
 */
int error__set(struct error *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* VMM_ERROR_H */
