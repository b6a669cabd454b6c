// SPDX-License-Identifier: GPL-2.0-or-later
/* Copies between guest memory and the migration's own; see migration_copy.h. */
#include "vmm/migration_copy.h"

#include <emmintrin.h>
#include <errno.h>
#include <linux/dma-buf.h>
#include <linux/dmabuf_memtype.h>
#include <poll.h>
#include <smmintrin.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/migration_machine.h"

#define CACHE_LINE	64

__attribute__((target("sse4.1")))
void migration_copy__read_streaming(void *dst, const void *src)
{
	__m128i *to = dst, *from = (__m128i *)src;	/* the intrinsic takes no const */
	unsigned int i;

	/*
	 * Streaming loads are weakly ordered and may be served from a buffer that
	 * an earlier one filled: the fence makes them see what is in memory now.
	 */
	_mm_mfence();
	for (i = 0; i < MIGRATION_PAGE_SIZE / CACHE_LINE; i++, to += 4, from += 4) {
		__m128i a = _mm_stream_load_si128(from);
		__m128i b = _mm_stream_load_si128(from + 1);
		__m128i c = _mm_stream_load_si128(from + 2);
		__m128i d = _mm_stream_load_si128(from + 3);

		_mm_storeu_si128(to, a);
		_mm_storeu_si128(to + 1, b);
		_mm_storeu_si128(to + 2, c);
		_mm_storeu_si128(to + 3, d);
	}
}

void migration_copy__read_plain(void *dst, const void *src)
{
	memcpy(dst, src, MIGRATION_PAGE_SIZE);
}

migration_copy_fn *migration_copy__reader(uint32_t memtype, bool sse41)
{
	return memtype != DMABUF_MEMTYPE_WB && sse41 ? migration_copy__read_streaming :
						       migration_copy__read_plain;
}

void migration_copy__read_page(void *dst, const void *src, uint32_t memtype)
{
	migration_copy__reader(memtype, __builtin_cpu_supports("sse4.1"))(dst, src);
}

void migration_copy__write_page(void *dst, const void *src)
{
	memcpy(dst, src, MIGRATION_PAGE_SIZE);
	/* Empty the write-combining buffers. */
	_mm_sfence();
}

void migration_copy__zero_page(void *dst)
{
	memset(dst, 0, MIGRATION_PAGE_SIZE);
	_mm_sfence();
}

bool migration_copy__is_zero(const void *page)
{
	const uint64_t *p = page;

	/* A page that begins with zero and equals itself, shifted by a word, is zero. */
	return !p[0] && !memcmp(p, p + 1, MIGRATION_PAGE_SIZE - sizeof(*p));
}

static int sync_buffer(const struct migration_region *r, bool write, uint64_t flags,
		       struct error *err)
{
	struct dma_buf_sync sync = {
		.flags = flags | (write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ),
	};
	int ret;

	do {
		ret = ioctl(r->fd, DMA_BUF_IOCTL_SYNC, &sync);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	if (ret)
		return error__set(err, errno, "buffer %s: DMA_BUF_IOCTL_SYNC: %s", r->name,
				  strerror(errno));
	return 0;
}

int migration_copy__begin(const struct migration_region *r, bool write, uint32_t timeout_ms,
			  struct error *err)
{
	struct pollfd pfd = { .fd = r->fd, .events = write ? POLLOUT : POLLIN };
	int ret;

	if (r->kind != MIGRATION_BUFFER || r->fd < 0)
		return 0;
	/* The ioctl would wait for the fences too, but for ever. */
	do {
		ret = poll(&pfd, 1, timeout_ms);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return error__set(err, errno, "buffer %s: poll: %s", r->name, strerror(errno));
	if (!ret)
		return error__set(err, ETIMEDOUT,
				  "buffer %s: a device still works on it after %u ms (fence not signalled)",
				  r->name, timeout_ms);
	return sync_buffer(r, write, DMA_BUF_SYNC_START, err);
}

int migration_copy__end(const struct migration_region *r, bool write, struct error *err)
{
	if (r->kind != MIGRATION_BUFFER || r->fd < 0)
		return 0;
	return sync_buffer(r, write, DMA_BUF_SYNC_END, err);
}
