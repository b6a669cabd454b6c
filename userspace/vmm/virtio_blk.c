// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-blk on a raw file or block device (VIRTIO 1.2, 5.2): read, write, flush,
 * discard, write zeroes, id. Requests are served one after the other in the device's
 * thread.
 */
#include "vmm/virtio_devices.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "vmm/util.h"

#define CLASS_STORAGE	0x018000
#define QUEUE_SIZE	256
#define SECTOR		512u
#define SEG_MAX		254u
#define DISCARD_MAX	(1u << 21)	/* sectors in one request: 1 GiB */

struct virtio_blk {
	struct virtio_device dev;
	struct virtio_blk_config config;
	char *path;
	int fd;
	bool read_only;
	uint64_t sectors;
};

static struct virtio_blk *blk_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_blk, dev);
}

static void config_read(struct virtio_device *dev, uint32_t offset, void *data, uint32_t len)
{
	memcpy(data, (uint8_t *)&blk_of(dev)->config + offset, len);
}

static bool in_range(const struct virtio_blk *blk, uint64_t sector, uint64_t count)
{
	return sector <= blk->sectors && count <= blk->sectors - sector;
}

/* The chain's data between header and status, as iovecs. Returns how many, or -1. */
static int data_iov(const struct virtqueue_chain *c, bool in, struct iovec *iov)
{
	const struct iovec *from = in ? c->iov + c->nr_out : c->iov;
	unsigned int n = in ? c->nr_in : c->nr_out, i;
	size_t skip = in ? 0 : sizeof(struct virtio_blk_outhdr);
	size_t left = in ? c->in_len - 1 : c->out_len - skip;
	int count = 0;

	for (i = 0; i < n && left; i++) {
		struct iovec v = from[i];
		size_t skipped = skip < v.iov_len ? skip : v.iov_len;

		skip -= skipped;
		v.iov_base = (uint8_t *)v.iov_base + skipped;
		v.iov_len -= skipped;
		if (v.iov_len > left)
			v.iov_len = left;
		if (!v.iov_len)
			continue;
		if (count == IOV_MAX)
			return -1;
		left -= v.iov_len;
		iov[count++] = v;
	}
	return count;
}

/* All of it, or an error: a short transfer is no transfer to the guest. */
static int transfer(struct virtio_blk *blk, uint64_t sector, bool in)
{
	const struct virtqueue_chain *c = &blk->dev.chain;
	size_t len = in ? c->in_len - 1 : c->out_len - sizeof(struct virtio_blk_outhdr);
	struct iovec iov[IOV_MAX], *v = iov;
	off_t at = sector * SECTOR;
	ssize_t done;
	int n;

	n = data_iov(c, in, iov);
	if (n < 0 || len % SECTOR || !in_range(blk, sector, len / SECTOR))
		return -EINVAL;
	while (len) {
		done = in ? preadv(blk->fd, v, n, at) : pwritev(blk->fd, v, n, at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		at += done;
		len -= done;
		for (; n && (size_t)done >= v->iov_len; v++, n--)
			done -= v->iov_len;
		if (n) {
			v->iov_base = (uint8_t *)v->iov_base + done;
			v->iov_len -= done;
		}
	}
	return 0;
}

static int discard(struct virtio_blk *blk, bool zero)
{
	const struct virtqueue_chain *c = &blk->dev.chain;
	struct virtio_blk_discard_write_zeroes range;
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (c->out_len != sizeof(struct virtio_blk_outhdr) + sizeof(range))
		return -EINVAL;
	virtqueue_read(c, sizeof(struct virtio_blk_outhdr), &range, sizeof(range));
	if (range.num_sectors > DISCARD_MAX || !in_range(blk, range.sector, range.num_sectors) ||
	    range.flags & ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP || (!zero && range.flags))
		return -EINVAL;
	if (!range.num_sectors)
		return 0;
	if (zero && !(range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
		mode = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	if (!fallocate(blk->fd, mode, range.sector * SECTOR, (off_t)range.num_sectors * SECTOR))
		return 0;
	/* A hint that the file system does not take. */
	return !zero && errno == EOPNOTSUPP ? 0 : -errno;
}

static uint8_t serve(struct virtio_blk *blk)
{
	const struct virtqueue_chain *c = &blk->dev.chain;
	char id[VIRTIO_BLK_ID_BYTES] = "dmapat";
	struct virtio_blk_outhdr hdr;
	int r;

	virtqueue_read(c, 0, &hdr, sizeof(hdr));
	switch (hdr.type) {
	case VIRTIO_BLK_T_IN:
		r = transfer(blk, hdr.sector, true);
		break;
	case VIRTIO_BLK_T_OUT:
		r = blk->read_only ? -EROFS : transfer(blk, hdr.sector, false);
		break;
	case VIRTIO_BLK_T_FLUSH:
		r = fdatasync(blk->fd) ? -errno : 0;
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		r = blk->read_only ? -EROFS : discard(blk, hdr.type == VIRTIO_BLK_T_WRITE_ZEROES);
		break;
	case VIRTIO_BLK_T_GET_ID:
		if (c->in_len - 1 < sizeof(id))
			return VIRTIO_BLK_S_IOERR;
		virtqueue_write(c, 0, id, sizeof(id));
		return VIRTIO_BLK_S_OK;
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
	if (r < 0)
		log_warn("virtio-blk %s: request %u at sector %llu: %s", blk->path, hdr.type,
			 (unsigned long long)hdr.sector, strerror(-r));
	return r < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static void process(struct virtio_device *dev, unsigned int q)
{
	struct virtio_blk *blk = blk_of(dev);
	const struct virtqueue_chain *c = &dev->chain;
	bool answered = false;
	uint8_t status;

	while (virtio__pop(dev, q)) {
		/* Without these two there is nothing to do and nowhere to say so. */
		if (c->out_len < sizeof(struct virtio_blk_outhdr) || !c->in_len) {
			dev->broken(dev, "a request without header or room for its status");
			return;
		}
		status = serve(blk);
		virtqueue_write(c, c->in_len - 1, &status, sizeof(status));
		virtio__push(dev, q, c->in_len);
		answered = true;
	}
	if (answered)
		virtio__signal(dev, q);
}

static void destroy(struct virtio_device *dev)
{
	struct virtio_blk *blk = blk_of(dev);

	if (blk->fd >= 0)
		close(blk->fd);
	virtio__exit(dev);
	free(blk->path);
	free(blk);
}

#define FEATURES (1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_FLUSH | \
		  1ULL << VIRTIO_BLK_F_BLK_SIZE)
#define FEATURES_WRITABLE (FEATURES | 1ULL << VIRTIO_BLK_F_DISCARD | \
			   1ULL << VIRTIO_BLK_F_WRITE_ZEROES)

#define OPS(offered) { \
	.name = "virtio-blk", .id = VIRTIO_ID_BLOCK, .class_code = CLASS_STORAGE, \
	.features = (offered), .config_size = sizeof(struct virtio_blk_config), \
	.config_read = config_read, .start = virtio_worker__start, .stop = virtio_worker__stop, \
	.process = process, .destroy = destroy, }

static const struct virtio_device_ops ops_writable = OPS(FEATURES_WRITABLE);
static const struct virtio_device_ops ops_read_only = OPS(FEATURES | 1ULL << VIRTIO_BLK_F_RO);

/* Two writers of one image destroy it. */
static int lock(const struct virtio_blk *blk, struct error *err)
{
	struct flock l = { .l_type = blk->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(blk->fd, F_OFD_SETLK, &l) < 0)
		return error__set(err, errno, "virtio-blk %s: %s", blk->path,
				  errno == EAGAIN || errno == EACCES ?
				  "in use by another process" : strerror(errno));
	return 0;
}

static int open_image(struct virtio_blk *blk, struct error *err)
{
	struct stat st;
	uint64_t size;
	int r;

	blk->fd = open(blk->path, (blk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (blk->fd < 0 || fstat(blk->fd, &st) < 0)
		return error__set(err, errno, "virtio-blk %s: %s", blk->path, strerror(errno));
	size = st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(blk->fd, BLKGETSIZE64, &size) < 0)
		return error__set(err, errno, "virtio-blk %s: its size: %s", blk->path,
				  strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return error__set(err, EINVAL, "virtio-blk %s: neither a file nor a block device",
				  blk->path);
	if (!size || size % SECTOR)
		return error__set(err, EINVAL,
				  "virtio-blk %s: %llu bytes, must be whole sectors of %u",
				  blk->path, (unsigned long long)size, SECTOR);
	r = lock(blk, err);
	blk->sectors = size / SECTOR;
	return r;
}

int virtio_blk__create(struct virtio_device **out, struct vm *vm, const struct device_option *opt,
		       struct error *err)
{
	const char *file = device_option__get(opt, "file");
	struct virtio_blk *blk;
	int r;

	if (!file)
		return error__set(err, EINVAL, "--device virtio-blk: file=PATH is needed");
	blk = calloc(1, sizeof(*blk));
	if (!blk)
		return error__set(err, ENOMEM, "out of memory");
	blk->fd = -1;
	r = device_option__bool(opt, "readonly", &blk->read_only, err);
	if (!r)
		r = virtio__init(&blk->dev, blk->read_only ? &ops_read_only : &ops_writable, vm,
				 1, QUEUE_SIZE, err);
	if (r < 0) {
		free(blk);
		return r;
	}
	blk->path = strdup(file);
	r = blk->path ? open_image(blk, err) : error__set(err, ENOMEM, "out of memory");
	if (r < 0) {
		destroy(&blk->dev);
		return r;
	}
	blk->config = (struct virtio_blk_config) {
		.capacity = blk->sectors,
		.seg_max = SEG_MAX,
		.blk_size = SECTOR,
		.max_discard_sectors = DISCARD_MAX,
		.max_discard_seg = 1,
		.discard_sector_alignment = 1,
		.max_write_zeroes_sectors = DISCARD_MAX,
		.max_write_zeroes_seg = 1,
		.write_zeroes_may_unmap = 1,
	};
	*out = &blk->dev;
	return 0;
}
