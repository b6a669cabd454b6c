/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMA-bufs of every kind that the tests use. */
#ifndef TESTS_CONFORMANCE_BUFFER_H
#define TESTS_CONFORMANCE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "../../mock/dmapat_mock.h"

/* Each returns the DMA-buf's fd, O_CLOEXEC; the test ends where it cannot. */
int buffer_heap(const char *heap, size_t size);		/* node below /dev/dma_heap */
int buffer_vgem(size_t size);			/* whole MiBs */
int buffer_udmabuf(size_t size);
int buffer_mock(size_t size, uint32_t flags, uint32_t page, uint32_t mmap, int32_t says);

/* The card node of vgem, open; -1 and errno where there is none. */
int buffer_vgem_node(void);

/* 0 or errno */
int mock_change(int fd, uint32_t flags, uint32_t page, uint32_t mmap, int32_t says);
int mock_fail(int fd, enum dmapat_mock_op op, uint32_t after, uint32_t error);
void mock_stats(struct dmapat_mock_stats *stats);
uint64_t mock_host_pat(void);		/* IA32_PAT of the host */

/* mmap(MAP_SHARED, read and write) of the whole buffer or of a part. */
void *buffer_map(int fd, size_t size, size_t offset);
void *buffer_map_at(void *addr, int fd, size_t size, size_t offset);

#endif /* TESTS_CONFORMANCE_BUFFER_H */
