/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of dmapat-gpu-proc --scanout-shm=FILE: what the guest's display shows, for
 * viewers that map it. This header, then at SCANOUT_SHM_PIXELS rows of 32-bit pixels,
 * 0x00RRGGBB in the byte order of the machine. The cursor is not in it.
 *
 * sequence is odd while the picture is written. A viewer reads it, then the header and the
 * rows, then reads it again: if it was odd or is another one, the picture was not whole. It
 * rises with each change, so that there is something new when it does.
 */
#ifndef DMAPAT_SCANOUT_SHM_H
#define DMAPAT_SCANOUT_SHM_H

#include <stdint.h>

#define SCANOUT_SHM_MAGIC	0x42465444u	/* "DTFB" */
#define SCANOUT_SHM_VERSION	1u
#define SCANOUT_SHM_PIXELS	4096u		/* bytes from the start of the file */

struct scanout_shm {
	uint32_t magic;
	uint32_t version;
	uint32_t width, height;	/* pixels; 0: nothing was shown yet */
	uint32_t stride;	/* bytes from a row to the next */
	uint32_t on;		/* 0: the guest switched the display off; this was shown last */
	uint64_t sequence;
};

#endif /* DMAPAT_SCANOUT_SHM_H */
