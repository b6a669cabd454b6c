// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DMA mappings of the WC and UC heaps, with the mock module as the device: what
 * the CPU writes the device reads and the other way round, in the direction of
 * the mapping. Says something about directions where the machine has bounce
 * buffers (swiotlb=force); elsewhere the device shares the pages.
 */
#include <errno.h>
#include <linux/dma-buf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conformance/lib/buffer.h"
#include "conformance/lib/ktap.h"
#include "conformance/lib/witness.h"

#define PAGE	4096UL
#define SIZE	(0x200000UL + 3 * PAGE)

static const char *heap;

static bool bounces(void)
{
	char line[4096] = "";
	FILE *file = fopen("/proc/cmdline", "re");

	test_assert(file && fgets(line, sizeof(line), file));
	fclose(file);
	return strstr(line, "swiotlb=force");
}

static int sync_cpu(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? errno : 0;
}

static void both_ways(bool dynamic)
{
	const char *kind = dynamic ? "dynamic importer" : "importer";
	int fd = buffer_heap(heap, SIZE);
	uint8_t *map = buffer_map(fd, SIZE, 0);
	struct dmapat_mock_import import;
	char bytes[32] = "";

	memcpy(map + PAGE - 4, "by the CPU", 11);
	test_errno(mock_import(fd, dynamic, BIDIRECTIONAL, &import), 0, "%s: %s maps", heap, kind);
	test_eq((long long)import.dma_bytes, SIZE, "%s: %s: all of the buffer", heap, kind);
	test_errno(mock_device_access(import.id, false, PAGE - 4, bytes, 11), 0,
		   "%s: %s: the device reads", heap, kind);
	test_ok(!strcmp(bytes, "by the CPU"), "%s: %s: what the CPU wrote before", heap, kind);

	test_assert(!sync_cpu(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	memcpy(map + SIZE - 16, "and after", 10);
	test_errno(sync_cpu(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE), 0,
		   "%s: %s: CPU access ends", heap, kind);
	test_assert(!mock_device_access(import.id, false, SIZE - 16, bytes, 10));
	test_ok(!strcmp(bytes, "and after"), "%s: %s: the device sees it", heap, kind);

	test_assert(!mock_device_access(import.id, true, 0x200000 - 2, (void *)"device", 7));
	test_errno(sync_cpu(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ), 0,
		   "%s: %s: CPU access begins", heap, kind);
	test_ok(!strcmp((char *)map + 0x200000 - 2, "device"),
		"%s: %s: the CPU sees what the device wrote", heap, kind);
	test_assert(!mock_device_access(import.id, true, 128, (void *)"meanwhile", 10));
	test_assert(!sync_cpu(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	test_assert(!sync_cpu(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	test_ok(!strcmp((char *)map + 128, "meanwhile"),
		"%s: %s: a CPU that reads undoes no write of the device", heap, kind);
	test_assert(!sync_cpu(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));

	test_assert(!mock_device_access(import.id, true, 64, (void *)"last", 5));
	test_errno(mock_unimport(import.id), 0, "%s: %s unmaps", heap, kind);
	test_ok(!strcmp((char *)map + 64, "last"),
		"%s: %s: unmapping brings the device's last write", heap, kind);
	munmap(map, SIZE);
	close(fd);
}

/* With bounce buffers a device that only reads cannot change the buffer. */
static void one_way(void)
{
	int fd = buffer_heap(heap, SIZE);
	uint8_t *map = buffer_map(fd, SIZE, 0);
	struct dmapat_mock_import import;

	memcpy(map, "CPU", 4);
	test_errno(mock_import(fd, false, TO_DEVICE, &import), 0, "%s: maps to device", heap);
	test_assert(!mock_device_access(import.id, true, 0, (void *)"dev", 4));
	test_assert(!sync_cpu(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	test_assert(!sync_cpu(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	test_assert(!mock_unimport(import.id));
	test_ok(!strcmp((char *)map, bounces() ? "CPU" : "dev"),
		"%s: to device: nothing is copied back", heap);

	test_errno(mock_import(fd, false, FROM_DEVICE, &import), 0, "%s: maps from device", heap);
	test_assert(!mock_device_access(import.id, true, 0, (void *)"dev", 4));
	test_assert(!mock_unimport(import.id));
	test_ok(!strcmp((char *)map, "dev"), "%s: from device: the write arrives", heap);
	munmap(map, SIZE);
	close(fd);
}

static void lifetimes(void)
{
	struct dmapat_mock_import first, second, attached;
	int fd = buffer_heap(heap, SIZE);
	char byte = 0;

	test_errno(mock_import(fd, false, NONE, &attached), 0, "%s: attaches, maps nothing", heap);
	test_eq((long long)attached.dma_bytes, 0, "%s: attached: no DMA address", heap);
	test_assert(!mock_import(fd, false, TO_DEVICE, &first));
	test_assert(!mock_import(fd, true, BIDIRECTIONAL, &second));
	close(fd);
	test_assert(!mock_device_access(second.id, true, 5, (void *)"x", 1));
	test_errno(mock_unimport(second.id), 0, "%s: second mapping goes after the fd", heap);
	test_errno(mock_device_access(first.id, false, 5, &byte, 1), 0,
		   "%s: the first mapping stays", heap);
	test_errno(mock_device_access(first.id, false, SIZE, &byte, 1), ERANGE,
		   "%s: beyond the mapping", heap);
	test_errno(mock_unimport(first.id), 0, "%s: first mapping goes", heap);
	test_errno(mock_unimport(first.id), ENOENT, "%s: but once", heap);
	test_errno(mock_unimport(attached.id), 0, "%s: attachment goes", heap);
}

int main(void)
{
	static const char *const heaps[] = { "system-wc", "system-uc" };
	struct dmapat_mock_stats before, after;
	size_t i;

	mock_stats(&before);
	for (i = 0; i < 2; i++) {
		heap = heaps[i];
		both_ways(false);
		both_ways(true);
		one_way();
		lifetimes();
	}
	mock_stats(&after);
	test_eq((long long)after.uncached_pages, (long long)before.uncached_pages,
		"all memory is WB again");
	test_eq((long long)after.imports, (long long)before.imports, "no import is left");
	return test_end();
}
