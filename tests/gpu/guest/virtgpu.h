/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Linux' virtio-gpu driver has had since 5.16, and Debian 12's libdrm not in its
 * virtgpu_drm.h. Included by guest programs.
 */
#ifndef TESTS_GPU_GUEST_VIRTGPU_H
#define TESTS_GPU_GUEST_VIRTGPU_H

#include <libdrm/drm.h>
#include <libdrm/virtgpu_drm.h>

#ifndef DRM_VIRTGPU_RESOURCE_CREATE_BLOB

#define VIRTGPU_BLOB_MEM_HOST3D			2
#define VIRTGPU_BLOB_MEM_HOST3D_GUEST		3
#define VIRTGPU_BLOB_FLAG_USE_MAPPABLE		1
#define VIRTGPU_CONTEXT_PARAM_CAPSET_ID		1

struct drm_virtgpu_resource_create_blob {
	__u32 blob_mem;		/* VIRTGPU_BLOB_MEM_* */
	__u32 blob_flags;
	__u32 bo_handle;	/* out */
	__u32 res_handle;	/* out: the device's number of it */
	__u64 size;		/* bytes */
	__u32 pad;
	__u32 cmd_size;
	__u64 cmd;
	__u64 blob_id;		/* as the context's type understands it */
};

struct drm_virtgpu_context_set_param {
	__u64 param;
	__u64 value;
};

struct drm_virtgpu_context_init {
	__u32 num_params;
	__u32 pad;
	__u64 ctx_set_params;
};

#define DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB \
	DRM_IOWR(DRM_COMMAND_BASE + 0x0a, struct drm_virtgpu_resource_create_blob)
#define DRM_IOCTL_VIRTGPU_CONTEXT_INIT \
	DRM_IOWR(DRM_COMMAND_BASE + 0x0b, struct drm_virtgpu_context_init)

#endif

#endif /* TESTS_GPU_GUEST_VIRTGPU_H */
