/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What page tables and DMA-bufs really are, by the mock module's eyes and by
 * decoding that shares nothing with dmabuf_memtype.ko.
 */
#ifndef TESTS_CONFORMANCE_WITNESS_H
#define TESTS_CONFORMANCE_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../mock/dmapat_mock.h"

/* Architectural types; SDM vol. 3A, "Page Attribute Table (PAT)" */
enum {
	TYPE_UC = 0,
	TYPE_WC = 1,
	TYPE_WT = 4,
	TYPE_WP = 5,
	TYPE_WB = 6,
	TYPE_UC_MINUS = 7,
};

/* The entry that maps @addr now; 0 or errno (EFAULT: none). */
int witness_entry(const volatile void *addr, struct dmapat_mock_entry *entry);

/* The same for another process (ESRCH: there is none, EINVAL: @pid is below 0). */
int witness_entry_of(pid_t pid, uint64_t addr, struct dmapat_mock_entry *entry);

/* The type that the entries select, UC- as UC. */
int witness_user_type(const struct dmapat_mock_entry *entry);
int witness_kernel_type(const struct dmapat_mock_entry *entry);

/* Can a byte be read there? Asks the kernel, so that it needs no signal handler. */
bool witness_readable(const volatile void *addr);

/* DMABUF_MEMTYPE_QUERY; 0 or errno */
int memtype_query(int fd, int *memtype, int *source);

/* The kernel's enum dma_data_direction */
enum {
	BIDIRECTIONAL,
	TO_DEVICE,
	FROM_DEVICE,
	NONE,
};

/* The mock as importer; 0 or errno. @dir: NONE attaches only. */
int mock_import(int fd, bool dynamic, uint32_t dir, struct dmapat_mock_import *import);
int mock_unimport(uint32_t id);
int mock_device_access(uint32_t id, bool write, size_t offset, void *data, size_t len);

/* DMAPAT_MOCK_HOLD_* on any buffer; 0 or errno */
int mock_hold(int fd, uint32_t what, uint32_t *id);
int mock_let_go(uint32_t id);

/* Through the DMA-buf's kernel mapping; 0 or errno */
int mock_access(int fd, bool write, size_t offset, void *data, size_t len);

#endif /* TESTS_CONFORMANCE_WITNESS_H */
