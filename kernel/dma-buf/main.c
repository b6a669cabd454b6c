// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf_memtype.ko: the host memory type and the writers of DMA-bufs. Owns the
 * order in which the parts come and go.
 */
#include <linux/module.h>

#include "internal.h"

static int __init dmabuf_memtype_init(void)
{
	int ret;

	memtype_init();

	ret = heap_buffer_init();
	if (ret)
		return ret;

	ret = memtype_heap_init();
	if (ret)
		goto err_buffer;

	ret = memtype_query_init();
	if (ret)
		goto err_heap;

	return 0;

err_heap:
	memtype_heap_exit();
err_buffer:
	heap_buffer_exit();
	return ret;
}

static void __exit dmabuf_memtype_exit(void)
{
	memtype_query_exit();
	memtype_heap_exit();
	heap_buffer_exit();
}

module_init(dmabuf_memtype_init);
module_exit(dmabuf_memtype_exit);

MODULE_DESCRIPTION("Host memory type and writers of DMA-bufs; WC and UC heaps");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
