/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DMA-bufs of another process, by the name that their owner gave them. */
#ifndef TESTS_CONFORMANCE_PROCESS_DMABUF_H
#define TESTS_CONFORMANCE_PROCESS_DMABUF_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Where @pid maps the buffer: address of its only mapping, of @size bytes. 0: none.
 * The test ends where there are two, or one of another size.
 */
uint64_t process_dmabuf_mapping(pid_t pid, const char *name, uint64_t size);

/* A copy of @pid's descriptor of the buffer, O_CLOEXEC; -1: it has none. */
int process_dmabuf_fd(pid_t pid, const char *name);

#endif /* TESTS_CONFORMANCE_PROCESS_DMABUF_H */
