/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wire format of vhost-user, as in QEMU's docs/interop/vhost-user.rst, with
 * VIRTIO shared memory regions (VHOST_USER_PROTOCOL_F_SHMEM). Used by
 * dmapat-gpu-proc (back-end), dmapat-vmm (front-end) and fdmsg.c, which moves
 * the messages.
 *
 * A message is a header, hdr.size bytes of payload, and file descriptors in
 * SCM_RIGHTS data that travels with the header. All numbers have the byte
 * order of the machine.
 *
 * There are two sockets: the front-end's requests go over the main one; those
 * of the back-end over the socket pair half that it got with
 * VHOST_USER_SET_BACKEND_REQ_FD. Each side counts its requests on its own.
 *
 * Replies repeat the request number and have VHOST_USER_FLAG_REPLY set. A
 * request whose comment says "no reply" is answered by a u64, 0 for success,
 * if VHOST_USER_PROTOCOL_F_REPLY_ACK is negotiated and the request has
 * VHOST_USER_FLAG_NEED_REPLY set, and not otherwise.
 */
#ifndef DMAPAT_VHOST_USER_H
#define DMAPAT_VHOST_USER_H

#include <stdint.h>

#include <linux/vhost_types.h>

/* Header flags. */
#define VHOST_USER_VERSION		0x1u
#define VHOST_USER_VERSION_MASK		0x3u
#define VHOST_USER_FLAG_REPLY		(1u << 2)
#define VHOST_USER_FLAG_NEED_REPLY	(1u << 3)

/* Limits of the protocol. */
#define VHOST_USER_MAX_FDS		8	/* in one message, either direction */
#define VHOST_USER_MAX_REGIONS		8	/* in one memory table */
#define VHOST_USER_MAX_CONFIG		256	/* bytes of device configuration in one message */
#define VHOST_USER_MAX_SHMEM		256	/* shared memory regions: the shmid is a byte */

#define VHOST_USER_LOG_PAGE		0x1000u	/* bytes for each bit of the dirty log */

/* Feature bit 30, unused in VIRTIO: protocol features can be negotiated. */
#define VHOST_USER_F_PROTOCOL_FEATURES	30

/* Bits of GET/SET_PROTOCOL_FEATURES. */
enum vhost_user_protocol_feature {
	VHOST_USER_PROTOCOL_F_MQ		= 0,
	VHOST_USER_PROTOCOL_F_LOG_SHMFD		= 1,
	VHOST_USER_PROTOCOL_F_RARP		= 2,
	VHOST_USER_PROTOCOL_F_REPLY_ACK		= 3,
	VHOST_USER_PROTOCOL_F_MTU		= 4,
	VHOST_USER_PROTOCOL_F_BACKEND_REQ	= 5,
	VHOST_USER_PROTOCOL_F_CROSS_ENDIAN	= 6,
	VHOST_USER_PROTOCOL_F_CRYPTO_SESSION	= 7,
	VHOST_USER_PROTOCOL_F_PAGEFAULT		= 8,
	VHOST_USER_PROTOCOL_F_CONFIG		= 9,
	VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD	= 10,
	VHOST_USER_PROTOCOL_F_HOST_NOTIFIER	= 11,
	VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD	= 12,
	VHOST_USER_PROTOCOL_F_RESET_DEVICE	= 13,
	VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS = 14,
	VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
	VHOST_USER_PROTOCOL_F_STATUS		= 16,
	VHOST_USER_PROTOCOL_F_XEN_MMAP		= 17,
	VHOST_USER_PROTOCOL_F_SHARED_OBJECT	= 18,
	VHOST_USER_PROTOCOL_F_DEVICE_STATE	= 19,
	VHOST_USER_PROTOCOL_F_SHMEM		= 20,
};

/* Requests of the front-end, on the main socket. */
enum vhost_user_request {
	/* Ask for the device's feature bits. Empty; no fds; reply: u64. */
	VHOST_USER_GET_FEATURES			= 1,
	/* Choose among them. u64; no fds; no reply. */
	VHOST_USER_SET_FEATURES			= 2,
	/* Begin the session. Empty; no fds; no reply. */
	VHOST_USER_SET_OWNER			= 3,
	/* Deprecated: disable all rings. Empty; no fds; no reply. */
	VHOST_USER_RESET_OWNER			= 4,
	/* Replace the memory map. memory, cut after its last region; one fd a region; no reply. */
	VHOST_USER_SET_MEM_TABLE		= 5,
	/*
	 * Dirty log in shared memory (F_LOG_SHMFD): a bit for each 4 KiB from guest address
	 * 0 on, set atomically after a write, while VHOST_F_LOG_ALL is negotiated. log; one
	 * fd; reply: u64, 0 for success. Other back-ends leave the u64 out, or what was in it.
	 */
	VHOST_USER_SET_LOG_BASE			= 6,
	/* Event fd, signalled when the dirty log was written to. Empty; one fd; no reply. */
	VHOST_USER_SET_LOG_FD			= 7,
	/* Number of descriptors of a ring. vring_state; no fds; no reply. */
	VHOST_USER_SET_VRING_NUM		= 8,
	/* User addresses of a ring's three parts. vring_addr; no fds; no reply. */
	VHOST_USER_SET_VRING_ADDR		= 9,
	/* Next index of the available ring. vring_state; no fds; no reply. */
	VHOST_USER_SET_VRING_BASE		= 10,
	/* Stop a ring, ask for its index. vring_state, num ignored; no fds; reply: vring_state. */
	VHOST_USER_GET_VRING_BASE		= 11,
	/* Event fd of kicks. u64 VHOST_USER_VRING_*; one fd, or none with NOFD; no reply. */
	VHOST_USER_SET_VRING_KICK		= 12,
	/* Event fd by which used buffers are announced. As SET_VRING_KICK. */
	VHOST_USER_SET_VRING_CALL		= 13,
	/* Event fd for errors of a ring. As SET_VRING_KICK. */
	VHOST_USER_SET_VRING_ERR		= 14,
	/* Ask for VHOST_USER_PROTOCOL_F_* bits. Empty; no fds; reply: u64. */
	VHOST_USER_GET_PROTOCOL_FEATURES	= 15,
	/* Choose among them. u64; no fds; no reply. */
	VHOST_USER_SET_PROTOCOL_FEATURES	= 16,
	/* Ask how many rings there may be (F_MQ). Empty; no fds; reply: u64. */
	VHOST_USER_GET_QUEUE_NUM		= 17,
	/* Enable (num 1) or disable (num 0) a ring. vring_state; no fds; no reply. */
	VHOST_USER_SET_VRING_ENABLE		= 18,
	/* Of other devices, or features not offered: 19, 20, 22, 23, 26-33, 35-38, 41-43. */
	VHOST_USER_SEND_RARP			= 19,
	VHOST_USER_NET_SET_MTU			= 20,
	/* Socket for requests of the back-end (F_BACKEND_REQ). Empty; one fd; no reply. */
	VHOST_USER_SET_BACKEND_REQ_FD		= 21,
	VHOST_USER_IOTLB_MSG			= 22,
	VHOST_USER_SET_VRING_ENDIAN		= 23,
	/* Read configuration (F_CONFIG). config; no fds; reply: config, or empty: an error. */
	VHOST_USER_GET_CONFIG			= 24,
	/* Write configuration (F_CONFIG). config; no fds; no reply. */
	VHOST_USER_SET_CONFIG			= 25,
	VHOST_USER_CREATE_CRYPTO_SESSION	= 26,
	VHOST_USER_CLOSE_CRYPTO_SESSION		= 27,
	VHOST_USER_POSTCOPY_ADVISE		= 28,
	VHOST_USER_POSTCOPY_LISTEN		= 29,
	VHOST_USER_POSTCOPY_END			= 30,
	VHOST_USER_GET_INFLIGHT_FD		= 31,
	VHOST_USER_SET_INFLIGHT_FD		= 32,
	VHOST_USER_GPU_SET_SOCKET		= 33,
	/* Disable the rings, reset the device (F_RESET_DEVICE). Empty; no fds; no reply. */
	VHOST_USER_RESET_DEVICE			= 34,
	VHOST_USER_VRING_KICK			= 35,
	VHOST_USER_GET_MAX_MEM_SLOTS		= 36,
	VHOST_USER_ADD_MEM_REG			= 37,
	VHOST_USER_REM_MEM_REG			= 38,
	/* Tell the VIRTIO device status (F_STATUS). u64; no fds; no reply. */
	VHOST_USER_SET_STATUS			= 39,
	/* Ask for it (F_STATUS). Empty; no fds; reply: u64. */
	VHOST_USER_GET_STATUS			= 40,
	VHOST_USER_GET_SHARED_OBJECT		= 41,
	VHOST_USER_SET_DEVICE_STATE_FD		= 42,
	VHOST_USER_CHECK_DEVICE_STATE		= 43,
	/* Ask for shared memory regions (F_SHMEM). Empty; no fds; reply: shmem_config. */
	VHOST_USER_GET_SHMEM_CONFIG		= 44,
};

/* Requests of the back-end, on the socket of SET_BACKEND_REQ_FD. */
enum vhost_user_backend_request {
	/* Requests of features that dmapat does not offer: 1-8. */
	VHOST_USER_BACKEND_IOTLB_MSG		= 1,
	VHOST_USER_BACKEND_CONFIG_CHANGE_MSG	= 2,
	VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG = 3,
	VHOST_USER_BACKEND_VRING_CALL		= 4,
	VHOST_USER_BACKEND_VRING_ERR		= 5,
	VHOST_USER_BACKEND_SHARED_OBJECT_ADD	= 6,
	VHOST_USER_BACKEND_SHARED_OBJECT_REMOVE	= 7,
	VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP	= 8,
	/*
	 * Map len bytes of the fd, from fd_offset, at shm_offset of region shmid
	 * (F_SHMEM). mmap; one fd; no reply. Over an existing mapping it fails.
	 * The front-end itself removes all mappings when the device is reset.
	 *
	 * dmapat-gpu-proc sends all of its MAPs at once, as soon as it has both
	 * answered GET_SHMEM_CONFIG and got the back-end socket, and before it
	 * reads the next request on the main socket. So a front-end that has
	 * the reply to any request behind those two (GET_STATUS, say) finds
	 * every MAP in the back-end socket already.
	 */
	VHOST_USER_BACKEND_SHMEM_MAP		= 9,
	/*
	 * Remove exactly one mapping: [shm_offset, +len) of region shmid
	 * (F_SHMEM). mmap, fd_offset and flags ignored; no fds; no reply.
	 */
	VHOST_USER_BACKEND_SHMEM_UNMAP		= 10,
};

/* u64 of SET_VRING_KICK, _CALL and _ERR. */
#define VHOST_USER_VRING_INDEX_MASK	0xffu
#define VHOST_USER_VRING_NOFD		(1u << 8)	/* no fd follows: the ring is polled */

/* struct vhost_user_config: why it is written. */
#define VHOST_USER_CONFIG_WRITABLE	0u	/* the driver wrote to a writable field */
#define VHOST_USER_CONFIG_MIGRATION	1u	/* the front-end restores a migrated device */

/* struct vhost_user_mmap: flags. */
#define VHOST_USER_MMAP_RW		(1ull << 0)	/* read and write; 0: read only */

struct vhost_user_header {
	uint32_t request;	/* enum vhost_user_request or vhost_user_backend_request */
	uint32_t flags;		/* version and VHOST_USER_FLAG_* */
	uint32_t size;		/* bytes of payload */
};

/* One region of guest memory; its fd has the same position in the message. */
struct vhost_user_region {
	uint64_t guest_phys_addr;
	uint64_t size;		/* bytes */
	uint64_t user_addr;	/* the front-end's own mapping: ring addresses are in these terms */
	uint64_t mmap_offset;	/* where in the fd the region starts */
};

struct vhost_user_memory {
	uint32_t nregions;
	uint32_t padding;
	struct vhost_user_region regions[VHOST_USER_MAX_REGIONS];
};

struct vhost_user_log {
	uint64_t mmap_size;	/* bytes of log */
	uint64_t mmap_offset;	/* where in the fd they start */
};

/* Header size is VHOST_USER_CONFIG_HEADER + size. */
struct vhost_user_config {
	uint32_t offset;	/* bytes into the device's configuration space */
	uint32_t size;		/* bytes used of region */
	uint32_t flags;		/* VHOST_USER_CONFIG_* */
	uint8_t region[VHOST_USER_MAX_CONFIG];
};

#define VHOST_USER_CONFIG_HEADER	12u

struct vhost_user_shmem_config {
	uint32_t nregions;	/* how many of the sizes are not 0 */
	uint32_t padding;
	uint64_t sizes[VHOST_USER_MAX_SHMEM];	/* bytes, by shmid; 0: no such region */
};

struct vhost_user_mmap {
	uint8_t shmid;
	uint8_t padding[7];
	uint64_t fd_offset;	/* bytes into the fd */
	uint64_t shm_offset;	/* bytes into the shared memory region */
	uint64_t len;		/* bytes */
	uint64_t flags;		/* VHOST_USER_MMAP_* */
};

union vhost_user_payload {
	uint64_t u64;
	struct vhost_vring_state vring_state;	/* u32 index, u32 num */
	struct vhost_vring_addr vring_addr;	/* u32 index, flags; u64 desc, used, avail, log */
	struct vhost_user_memory memory;
	struct vhost_user_log log;
	struct vhost_user_config config;
	struct vhost_user_shmem_config shmem_config;
	struct vhost_user_mmap mmap;
};

_Static_assert(sizeof(struct vhost_user_header) == 12, "header");
_Static_assert(sizeof(struct vhost_vring_state) == 8, "vring state");
_Static_assert(sizeof(struct vhost_vring_addr) == 40, "vring address");
_Static_assert(sizeof(struct vhost_user_region) == 32, "memory region");
_Static_assert(sizeof(struct vhost_user_memory) == 8 + 8 * 32, "memory table");
_Static_assert(sizeof(struct vhost_user_log) == 16, "log");
_Static_assert(sizeof(struct vhost_user_config) == 12 + 256, "configuration");
_Static_assert(sizeof(struct vhost_user_shmem_config) == 8 + 256 * 8, "shared memory regions");
_Static_assert(sizeof(struct vhost_user_mmap) == 40, "mmap");

/*
 * A message in memory. Whoever receives one owns its fds: fdmsg_close_fds()
 * closes those that were not taken (a taken one is replaced by -1).
 */
struct vhost_user_msg {
	struct vhost_user_header hdr;
	union vhost_user_payload payload;
	int fds[VHOST_USER_MAX_FDS];
	unsigned int nfds;
};

#endif /* DMAPAT_VHOST_USER_H */
