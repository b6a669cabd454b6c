/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The context type "heap" of dmapat-gpu-proc, as a guest sees it through virtio-gpu:
 * memory of a chosen memory type, and no commands. For the guest's programs, and for
 * the device.
 *
 * A context is made with capset id VIRTIO_GPU_CAPSET_HEAP. In it, a blob with
 * VIRTIO_GPU_BLOB_MEM_HOST3D whose blob_id is a memory type, and whose size is a multiple of
 * 4096, is zeroed memory of that type. With VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST it has that memory
 * and the guest's, which the guest maps: TRANSFER_TO_HOST_3D and _FROM_HOST_3D copy box.w bytes
 * between box.x of the one and offset of the other. What the type of a mapping must be is told by the
 * answer to RESOURCE_MAP_BLOB, as always.
 *
 * Refused: a blob_id that is no type of the capset, SUBMIT_3D with any bytes, and a box with
 * more than a row: ERR_INVALID_PARAMETER; memory above the device's limit: ERR_OUT_OF_MEMORY.
 */
#ifndef VIRTIO_GPU_HEAP_H
#define VIRTIO_GPU_HEAP_H

#include <linux/types.h>

#define VIRTIO_GPU_CAPSET_HEAP		63u	/* the last one that there can be */
#define VIRTIO_GPU_HEAP_VERSION		0u	/* capset_max_version */

/* blob_id: memory types by their architectural numbers */
#define VIRTIO_GPU_HEAP_UC		0u
#define VIRTIO_GPU_HEAP_WC		1u
#define VIRTIO_GPU_HEAP_WB		6u

/* The capset's data. */
struct virtio_gpu_capset_heap {
	__le32 version;		/* VIRTIO_GPU_HEAP_VERSION */
	__le32 memtypes;	/* bits: 1 << VIRTIO_GPU_HEAP_* that the host has */
};

#endif /* VIRTIO_GPU_HEAP_H */
