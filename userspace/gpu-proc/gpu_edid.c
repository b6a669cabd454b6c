// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The EDID of the guest's display: one block of version 1.4 (VESA E-EDID A2) with one
 * detailed mode, whose timing is like that of CVT with reduced blanking. Called by
 * gpu_scanout.c.
 */
#include "gpu_edid.h"

#include <string.h>

#define DETAILED	54u	/* first of four descriptors */
#define DESCRIPTOR_SIZE	18u
#define CHECKSUM	127u

/* CVT 1.2, reduced blanking. */
#define H_BLANK		160u
#define H_FRONT		48u
#define H_SYNC		32u
#define V_FRONT		3u
#define V_BACK_MIN	6u
#define V_SYNC		10u	/* of aspect ratios that have none of their own */
#define V_BLANK_US	460u

#define CLOCK_UNIT	10000u	/* Hz */
#define CLOCK_MAX	(UINT16_MAX * CLOCK_UNIT)

struct timing {
	uint32_t clock;		/* Hz */
	uint32_t v_blank;	/* lines */
};

static struct timing make_timing(uint32_t width, uint32_t height)
{
	uint32_t refresh, line_ns;
	struct timing t;
	uint64_t clock;

	for (refresh = 60; ; refresh--) {
		line_ns = (1000000000u / refresh - V_BLANK_US * 1000) / height;
		t.v_blank = V_BLANK_US * 1000 / line_ns + 1;
		if (t.v_blank < V_FRONT + V_SYNC + V_BACK_MIN)
			t.v_blank = V_FRONT + V_SYNC + V_BACK_MIN;
		clock = (uint64_t)refresh * (width + H_BLANK) * (height + t.v_blank);
		/* Large ones have it slower. */
		if (clock <= CLOCK_MAX)
			break;
	}
	t.clock = clock;
	return t;
}

/* At 96 dots an inch. */
static uint32_t millimetres(uint32_t pixels)
{
	return pixels * 254 / 960;
}

static void write_mode(uint8_t *d, uint32_t width, uint32_t height)
{
	uint32_t w_mm = millimetres(width), h_mm = millimetres(height);
	struct timing t = make_timing(width, height);

	d[0] = t.clock / CLOCK_UNIT;
	d[1] = t.clock / CLOCK_UNIT >> 8;
	d[2] = width;
	d[3] = H_BLANK;
	d[4] = width >> 8 << 4 | H_BLANK >> 8;
	d[5] = height;
	d[6] = t.v_blank;
	d[7] = height >> 8 << 4 | t.v_blank >> 8;
	d[8] = H_FRONT;
	d[9] = H_SYNC;
	d[10] = V_FRONT << 4 | V_SYNC;
	d[12] = w_mm;
	d[13] = h_mm;
	d[14] = w_mm >> 8 << 4 | h_mm >> 8;
	d[17] = 0x1a;	/* digital separate sync, horizontal positive */
}

void gpu_edid_make(uint8_t edid[GPU_EDID_SIZE], uint32_t width, uint32_t height)
{
	static const uint8_t srgb[] = {
		0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54,
	};
	static const char name[13] = { "dmapat\n      " };
	uint8_t sum = 0;
	size_t i;

	memset(edid, 0, GPU_EDID_SIZE);
	memset(edid + 1, 0xff, 6);
	/* Manufacturer "DMP", three letters of five bits. */
	edid[8] = ('D' - '@') << 2 | ('M' - '@') >> 3;
	edid[9] = (('M' - '@') & 7) << 5 | ('P' - '@');
	edid[10] = 1;
	edid[17] = 2026 - 1990;
	edid[18] = 1;
	edid[19] = 4;
	edid[20] = 0xa0;	/* digital, 8 bits a colour */
	/* Centimetres; of a large one the detailed mode alone says it. */
	if (millimetres(width) / 10 <= UINT8_MAX && millimetres(height) / 10 <= UINT8_MAX) {
		edid[21] = millimetres(width) / 10;
		edid[22] = millimetres(height) / 10;
	}
	edid[23] = 120;		/* gamma 2.2 */
	edid[24] = 0x06;	/* sRGB; the first detailed mode is the native one */
	memcpy(edid + 25, srgb, sizeof(srgb));
	memset(edid + 38, 0x01, 16);	/* no standard timings */
	write_mode(edid + DETAILED, width, height);
	edid[DETAILED + DESCRIPTOR_SIZE + 3] = 0xfc;
	memcpy(edid + DETAILED + DESCRIPTOR_SIZE + 5, name, sizeof(name));
	edid[DETAILED + 2 * DESCRIPTOR_SIZE + 3] = 0x10;	/* the others are dummies */
	edid[DETAILED + 3 * DESCRIPTOR_SIZE + 3] = 0x10;
	for (i = 0; i < CHECKSUM; i++)
		sum += edid[i];
	edid[CHECKSUM] = -sum;
}
