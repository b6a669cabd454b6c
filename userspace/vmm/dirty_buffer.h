/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dirty source: what host CPUs and devices write to one buffer of the window, by the
 * writer tracking of dmabuf_memtype.ko. What the guest writes to it is not here: KVM
 * logs that (dirty_ring.c, dirty_bitmap.c).
 */
#ifndef VMM_DIRTY_BUFFER_H
#define VMM_DIRTY_BUFFER_H

struct buffer;
struct dirty_source;
struct window;

/* @buf stays the window's, which is frozen until free(). NULL: no memory. */
struct dirty_source *dirty_buffer__create(const struct window *win, const struct buffer *buf);

#endif /* VMM_DIRTY_BUFFER_H */
