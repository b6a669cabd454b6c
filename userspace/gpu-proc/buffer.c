// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The buffers that are exported to the guest: allocated by one of the
 * allocators, mapped here and filled. Called by main.c, before the sandbox is
 * entered; refilled by whoever reads a SIGUSR1, after.
 */
#include "buffer.h"
#include "log.h"
#include "memtype.h"

#include <linux/dma-buf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int buffer_fill(struct buffer *buffer)
{
	const struct buffer_spec *spec = buffer->spec;

	if (spec->fill == BUFFER_NO_FILL)
		return 0;
	if (spec->allocator->cpu_access(buffer->fd, true) < 0) {
		log_error("%s: cannot begin CPU access: %m", buffer->label);
		return -1;
	}
	memset(buffer->map, spec->fill, spec->size);
	if (spec->allocator->cpu_access(buffer->fd, false) < 0) {
		log_error("%s: cannot end CPU access: %m", buffer->label);
		return -1;
	}
	return 0;
}

static void buffer_destroy(struct buffer *buffer)
{
	if (buffer->map != MAP_FAILED)
		munmap(buffer->map, buffer->spec->size);
	if (buffer->fd >= 0)
		close(buffer->fd);
	buffer->map = MAP_FAILED;
	buffer->fd = -1;
}

static void buffer_announce(const struct buffer *buffer)
{
	const struct buffer_spec *spec = buffer->spec;
	unsigned int shift = spec->size % (1 << 20) ? 10 : 20;
	char type[96];

	memtype_describe(buffer->fd, type, sizeof(type));
	log_info("%s: %llu %s at 0x%llx, host type %s", buffer->label,
		 (unsigned long long)(spec->size >> shift), shift == 20 ? "MiB" : "KiB",
		 (unsigned long long)spec->offset, type);
}

static int buffer_create(struct buffer *buffer, const struct buffer_spec *spec, unsigned int index)
{
	off_t size;

	buffer->spec = spec;
	buffer->map = MAP_FAILED;
	snprintf(buffer->label, sizeof(buffer->label), "buffer %u (%s %s%s%s)", index,
		 spec->allocator->kind, spec->node, *spec->name ? ", " : "", spec->name);

	buffer->fd = spec->allocator->alloc(spec->node, spec->size);
	if (buffer->fd < 0) {
		log_error("%s: not allocated", buffer->label);
		return -1;
	}
	/* The front-end has no other way to know what it is called. */
	if (*spec->name && ioctl(buffer->fd, DMA_BUF_SET_NAME, spec->name) < 0) {
		log_error("%s: cannot name the DMA-buf: %m", buffer->label);
		goto out_destroy;
	}
	size = lseek(buffer->fd, 0, SEEK_END);
	if (size < 0 || (uint64_t)size < spec->size) {
		log_error("%s: asked for %llu bytes, the buffer has %lld", buffer->label,
			  (unsigned long long)spec->size, (long long)size);
		goto out_destroy;
	}
	buffer->map = mmap(NULL, spec->size, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->fd, 0);
	if (buffer->map == MAP_FAILED) {
		log_error("%s: cannot map %llu bytes: %m", buffer->label,
			  (unsigned long long)spec->size);
		goto out_destroy;
	}
	if (buffer_fill(buffer) < 0)
		goto out_destroy;
	buffer_announce(buffer);
	return 0;

out_destroy:
	buffer_destroy(buffer);
	return -1;
}

int buffer_create_all(struct buffer *buffers, const struct buffer_spec *specs, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (buffer_create(&buffers[i], &specs[i], i) < 0) {
			buffer_destroy_all(buffers, i);
			return -1;
		}
	}
	return 0;
}

void buffer_destroy_all(struct buffer *buffers, unsigned int count)
{
	while (count--)
		buffer_destroy(&buffers[count]);
}

int buffer_fill_all(struct buffer *buffers, unsigned int count)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < count; i++)
		if (buffer_fill(&buffers[i]) < 0)
			ret = -1;
	if (!ret)
		log_info("%u buffers filled again", count);
	return ret;
}
