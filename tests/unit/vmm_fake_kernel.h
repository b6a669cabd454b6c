/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two functions of the VMM that ask the kernel about DMA-bufs, for tests that
 * map buffers. They take the place of dmabuf.c and memtype_ask.c at link time.
 */
#ifndef UNIT_VMM_FAKE_KERNEL_H
#define UNIT_VMM_FAKE_KERNEL_H

#include "unit/vmm_fake.h"

int dmabuf__inspect(int fd, struct dmabuf_info *info, struct error *err)
{
	struct stat st;

	/* Only memfds have seals. */
	if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) < 0)
		return error__set(err, EBADFD, "the file descriptor is not a DMA-buf");
	*info = (struct dmabuf_info) { .size = st.st_size, .exporter = "memfd" };
	strcpy(info->name, fake_name);
	return 0;
}

void memtype__ask(struct vm *vm, const struct buffer *buf, struct memtype_answers *a)
{
	uint32_t bind = a->bind;

	(void)vm;
	(void)buf;
	*a = fake_answers;
	a->bind = bind;
}

#endif /* UNIT_VMM_FAKE_KERNEL_H */
