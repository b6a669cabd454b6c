// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's memory type of a DMA-buf: for the log of buffer.c, and for the map_info
 * that gpu_blob.c tells the guest. The VMM asks on its own, too, and compares.
 */
#include "memtype.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/dmabuf_memtype.h>

#include "memtype_name.h"

#define MEMTYPE_NODE	"/dev/dmabuf-memtype"

static int node = -1;
static int open_errno = ENODEV;		/* why it is not open */

void memtype_open(void)
{
	if (node >= 0)
		return;
	node = open(MEMTYPE_NODE, O_RDWR | O_CLOEXEC);
	if (node < 0)
		open_errno = errno;
}

void memtype_close(void)
{
	if (node >= 0)
		close(node);
	node = -1;
}

static const char *source_name(unsigned int source)
{
	switch (source) {
	case DMABUF_MEMTYPE_SOURCE_EXPORTER:
		return "exporter";
	case DMABUF_MEMTYPE_SOURCE_MAPPING:
		return "mapping";
	}
	return "unknown source";
}

static int query_memtype(int dmabuf, struct dmabuf_memtype_query *query)
{
	*query = (struct dmabuf_memtype_query){ .fd = dmabuf };
	if (node < 0) {
		errno = open_errno;
		return -1;
	}
	return ioctl(node, DMABUF_MEMTYPE_QUERY, query);
}

int memtype_ask(int dmabuf, uint32_t *memtype)
{
	struct dmabuf_memtype_query query;

	if (query_memtype(dmabuf, &query) < 0)
		return -1;
	*memtype = query.memtype;
	return 0;
}

void memtype_describe(int dmabuf, char *buf, size_t len)
{
	struct dmabuf_memtype_query query;

	if (query_memtype(dmabuf, &query) < 0)
		snprintf(buf, len, "unknown (%s: %s)",
			 node < 0 ? MEMTYPE_NODE : "DMABUF_MEMTYPE_QUERY", strerror(errno));
	else
		snprintf(buf, len, "%s (%s)", memtype_name(query.memtype) ?: "of an unknown number",
			 source_name(query.source));
}
