/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user messages for tests that are one side of the protocol. The layout is
 * written down here again, and requests are numbers in the tests, so that a wrong
 * number in userspace/lib is seen.
 */
#ifndef TESTS_CONFORMANCE_MESSAGE_H
#define TESTS_CONFORMANCE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Header flags besides the version, 1. */
#define MESSAGE_REPLY		4
#define MESSAGE_NEED_REPLY	8

struct message {
	uint32_t request, flags, size;
	uint64_t payload[258];
	int fd;			/* -1: none came */
};

/* The test ends where it cannot be sent. @fd -1: none. */
void message_send(int sock, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		  int fd);

/* false: closed, or nothing in time */
bool message_receive(int sock, struct message *msg, int timeout_ms);

#endif /* TESTS_CONFORMANCE_MESSAGE_H */
