/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an input of fuzz_virtqueue is: u16 size, u16 addresses of descriptors, available
 * and used ring, u8 flags, then operations of one byte each with their operands.
 */
#ifndef FUZZ_VIRTQUEUE_INPUT_H
#define FUZZ_VIRTQUEUE_INPUT_H

#define VIRTQUEUE_RAM		0x8000u	/* bytes of the guest's memory */

#define VIRTQUEUE_EVENT		1	/* VIRTIO_F_EVENT_IDX is negotiated */
#define VIRTQUEUE_INDIRECT	2	/* VIRTIO_F_INDIRECT_DESC is */

enum virtqueue_operation {
	VIRTQUEUE_WRITE,	/* u16 address, u8 length, bytes: the driver stores them */
	VIRTQUEUE_POP,
	VIRTQUEUE_UNPOP,
	VIRTQUEUE_PUSH,		/* u16 bytes written */
	VIRTQUEUE_SIGNAL,
	VIRTQUEUE_READ,		/* u8 offset, u16 length */
	VIRTQUEUE_FILL,		/* u8 offset, u16 length */
	VIRTQUEUE_OPERATIONS,
};

#endif /* FUZZ_VIRTQUEUE_INPUT_H */
