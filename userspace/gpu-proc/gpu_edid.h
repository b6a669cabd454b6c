/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's display says of itself. */
#ifndef GPU_PROC_GPU_EDID_H
#define GPU_PROC_GPU_EDID_H

#include <stdint.h>

#define GPU_EDID_SIZE		128u
#define GPU_EDID_SIDE_MIN	480u	/* slower clocks are taken for nonsense */
#define GPU_EDID_SIDE_MAX	4095u	/* twelve bits each */

/* The EDID of a display whose best mode is this one. */
void gpu_edid_make(uint8_t edid[GPU_EDID_SIZE], uint32_t width, uint32_t height);

#endif /* GPU_PROC_GPU_EDID_H */
