// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In place of gpu-proc's blob_memory.c and memtype.c at link time: a memfd stands for a
 * DMA-buf, and its memory type is that of the newest one. For the targets with a session.
 */
#include "gpu-proc/blob_memory.h"
#include "gpu-proc/memtype.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dmabuf_memtype.h>

static uint32_t newest;

uint32_t blob_memory_open(void)
{
	return 1u << DMABUF_MEMTYPE_UC | 1u << DMABUF_MEMTYPE_WC | 1u << DMABUF_MEMTYPE_WB;
}

void blob_memory_close(void)
{
}

int blob_memory_new(uint32_t memtype, uint64_t size)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, size) < 0) {
		close(fd);
		return -1;
	}
	newest = memtype;
	return fd;
}

int blob_memory_of(int memfd, uint64_t size)
{
	(void)size;
	return dup(memfd);
}

void memtype_open(void)
{
}

void memtype_close(void)
{
}

int memtype_ask(int dmabuf, uint32_t *memtype)
{
	if (lseek(dmabuf, 0, SEEK_END) < 0)
		return -1;
	*memtype = newest;
	return 0;
}

void memtype_describe(int dmabuf, char *buf, size_t len)
{
	(void)dmabuf;
	snprintf(buf, len, "memfd");
}
