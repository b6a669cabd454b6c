// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-net with one pair of queues and no offloads (VIRTIO 1.2, 5.1), on a tap
 * device or on a socket on which each message is a frame.
 */
#include "vmm/virtio_devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "vmm/util.h"

#define CLASS_ETHERNET	0x020000
#define QUEUE_SIZE	256
#define QUEUE_RX	0
#define QUEUE_TX	1
#define FRAME_MAX	65536u
#define MAC_BYTES	6

struct virtio_net {
	struct virtio_device dev;
	struct virtio_net_config config;
	int fd;
	uint8_t frame[sizeof(struct virtio_net_hdr_v1) + FRAME_MAX];
};

static struct virtio_net *net_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_net, dev);
}

static void config_read(struct virtio_device *dev, uint32_t offset, void *data, uint32_t len)
{
	memcpy(data, (uint8_t *)&net_of(dev)->config + offset, len);
}

/* A frame that the other side cannot take now is lost, as on a wire. */
static void transmit(struct virtio_net *net)
{
	const size_t hdr = sizeof(struct virtio_net_hdr_v1);
	bool answered = false;
	ssize_t n;
	size_t len;

	while (virtio__pop(&net->dev, QUEUE_TX)) {
		len = virtqueue_read(&net->dev.chain, hdr, net->frame, FRAME_MAX);
		if (len) {
			n = write(net->fd, net->frame, len);
			(void)n;
		}
		virtio__push(&net->dev, QUEUE_TX, 0);
		answered = true;
	}
	if (answered)
		virtio__signal(&net->dev, QUEUE_TX);
}

static void process(struct virtio_device *dev, unsigned int q)
{
	struct virtio_net *net = net_of(dev);

	if (q == QUEUE_TX)
		transmit(net);
	else
		dev->input_fd = net->fd;
}

static void input(struct virtio_device *dev)
{
	struct virtio_net *net = net_of(dev);
	struct virtio_net_hdr_v1 *hdr = (void *)net->frame;
	bool answered = false;
	ssize_t n;
	size_t len;

	for (;;) {
		/* A buffer first: a frame that has been read must go somewhere. */
		if (!virtio__pop(dev, QUEUE_RX)) {
			dev->input_fd = -1;
			break;
		}
		do {
			n = read(net->fd, net->frame + sizeof(*hdr), FRAME_MAX);
			len = sizeof(*hdr) + (n > 0 ? n : 0);
		} while (n > 0 && len > dev->chain.in_len);
		if (n <= 0) {
			virtqueue_unpop(&dev->queues[QUEUE_RX].vq);
			/* The peer of a socket has gone: nothing will come any more. */
			if (n == 0 || (errno != EAGAIN && errno != EINTR))
				dev->input_fd = -1;
			break;
		}
		*hdr = (struct virtio_net_hdr_v1) { .num_buffers = 1 };
		virtqueue_write(&dev->chain, 0, net->frame, len);
		virtio__push(dev, QUEUE_RX, len);
		answered = true;
	}
	if (answered)
		virtio__signal(dev, QUEUE_RX);
}

static void destroy(struct virtio_device *dev)
{
	struct virtio_net *net = net_of(dev);

	if (net->fd >= 0)
		close(net->fd);
	virtio__exit(dev);
	free(net);
}

static const struct virtio_device_ops ops = {
	.name = "virtio-net", .id = VIRTIO_ID_NET, .class_code = CLASS_ETHERNET,
	.features = 1ULL << VIRTIO_NET_F_MAC,
	.config_size = sizeof(struct virtio_net_config), .config_read = config_read,
	.start = virtio_worker__start, .stop = virtio_worker__stop,
	.process = process, .input = input, .destroy = destroy,
};

static int open_tap(const char *name, struct error *err)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd;

	if (strlen(name) >= sizeof(ifr.ifr_name))
		return error__set(err, EINVAL, "virtio-net: tap=%s: more than %zu characters", name,
				  sizeof(ifr.ifr_name) - 1);
	strcpy(ifr.ifr_name, name);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return error__set(err, errno, "virtio-net: /dev/net/tun: %s", strerror(errno));
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		int r = error__set(err, errno, "virtio-net: tap=%s: %s", name, strerror(errno));

		close(fd);
		return r;
	}
	return fd;
}

/* One that the caller of the VMM has opened for it, a message a frame. */
static int take_fd(const char *text, struct error *err)
{
	socklen_t len = sizeof(int);
	int type = 0;
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || *end || fd < 3 || fd > 1 << 20)
		return error__set(err, EINVAL, "virtio-net: fd=%s: not a file descriptor's number",
				  text);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return error__set(err, errno, "virtio-net: fd=%s: %s", text, strerror(errno));
	if (type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return error__set(err, EPROTOTYPE,
				  "virtio-net: fd=%s: neither a datagram nor a sequenced packet socket",
				  text);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

static int parse_mac(const char *text, uint8_t *mac, struct error *err)
{
	char rest;

	/* One of the locally administered addresses, if none is given. */
	if (!text) {
		if (getrandom(mac, MAC_BYTES, 0) != MAC_BYTES)
			return error__set(err, errno, "virtio-net: no random address");
		mac[0] = (mac[0] & 0xfc) | 2;
		return 0;
	}
	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5], &rest) != MAC_BYTES)
		return error__set(err, EINVAL, "virtio-net: mac=%s: six bytes XX:XX:XX:XX:XX:XX are wanted",
				  text);
	if (mac[0] & 1)
		return error__set(err, EINVAL, "virtio-net: mac=%s: a group's address", text);
	return 0;
}

int virtio_net__create(struct virtio_device **out, struct vm *vm, const struct device_option *opt,
		       struct error *err)
{
	const char *tap = device_option__get(opt, "tap");
	const char *fd = device_option__get(opt, "fd");
	struct virtio_net *net;
	int r;

	if (!tap == !fd)
		return error__set(err, EINVAL, "--device virtio-net: one of tap=NAME and fd=N is needed");
	net = calloc(1, sizeof(*net));
	if (!net)
		return error__set(err, ENOMEM, "out of memory");
	net->fd = -1;
	r = virtio__init(&net->dev, &ops, vm, 2, QUEUE_SIZE, err);
	if (r < 0) {
		free(net);
		return r;
	}
	r = parse_mac(device_option__get(opt, "mac"), net->config.mac, err);
	if (!r)
		r = tap ? open_tap(tap, err) : take_fd(fd, err);
	if (r < 0) {
		destroy(&net->dev);
		return r;
	}
	net->fd = r;
	fcntl(net->fd, F_SETFL, fcntl(net->fd, F_GETFL) | O_NONBLOCK);
	*out = &net->dev;
	return 0;
}
