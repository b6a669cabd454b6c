// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's memory type of a DMA-buf, for the log. Called by buffer.c. The
 * VMM asks on its own and acts on the answer; here nothing depends on it.
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

void memtype_describe(int dmabuf, char *buf, size_t len)
{
	struct dmabuf_memtype_query query = { .fd = dmabuf };
	int node;

	node = open(MEMTYPE_NODE, O_RDWR | O_CLOEXEC);
	if (node < 0) {
		snprintf(buf, len, "unknown (%s: %s)", MEMTYPE_NODE, strerror(errno));
		return;
	}
	if (ioctl(node, DMABUF_MEMTYPE_QUERY, &query) < 0)
		snprintf(buf, len, "unknown (DMABUF_MEMTYPE_QUERY: %s)", strerror(errno));
	else
		snprintf(buf, len, "%s (%s)", memtype_name(query.memtype) ?: "of an unknown number",
			 source_name(query.source));
	close(node);
}
