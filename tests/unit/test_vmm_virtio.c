// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * --device, and the devices behind it, driven over their queues without KVM: what a
 * request does to the file or the socket, and what a driver that lies gets.
 */
#include "unit/vmm_fake.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit/capture.h"
#include "unit/virtio_driver.h"
#include "vmm/virtio_devices.h"

#define DISK_SECTORS	64u
#define STEPS		2000
#define STEP_MS		5

#define HEADER		DRIVER_DATA
#define DATA		(DRIVER_DATA + 0x1000)
#define STATUS		(DRIVER_DATA + 0x800)

static struct fake fake;
static struct virtio_device *dev;
static struct driver drv[2];
static unsigned int signals;
static char broken_why[128];
static char dir[] = "/tmp/dmapat-virtio.XXXXXX";
static char path[64];

static void send_signal(struct virtio_device *d, uint16_t vector)
{
	(void)d;
	__atomic_add_fetch(&signals, vector, __ATOMIC_RELEASE);
}

static void note_broken(struct virtio_device *d, const char *why)
{
	(void)d;
	snprintf(broken_why, sizeof(broken_why), "%s", why);
	__atomic_add_fetch(&signals, 1000, __ATOMIC_RELEASE);
}

static int setup(void **state)
{
	(void)state;
	fake_create(&fake);
	signals = 0;
	broken_why[0] = '\0';
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (dev) {
		dev->ops->stop(dev);
		dev->ops->destroy(dev);
		dev = NULL;
	}
	unlink(path);
	rmdir(dir);
	fake_destroy(&fake);
	return 0;
}

static int try_device(const char *text, struct error *err)
{
	struct device_option opt;
	int r;

	memset(err, 0, sizeof(*err));
	r = device_option__parse(&opt, text, err);
	if (r < 0)
		return r;
	if (!strcmp(opt.name, "virtio-blk"))
		r = virtio_blk__create(&dev, &fake.vm, &opt, err);
	else if (!strcmp(opt.name, "virtio-rng"))
		r = virtio_rng__create(&dev, &fake.vm, &opt, err);
	else if (!strcmp(opt.name, "virtio-net"))
		r = virtio_net__create(&dev, &fake.vm, &opt, err);
	else
		r = virtio_console__create(&dev, &fake.vm, &opt, err);
	device_option__free(&opt);
	return r;
}

/* Each queue has rings of its own in a 128 KiB part of RAM. */
static void start_device(const char *fmt, ...)
{
	struct error err = { 0 };
	char text[128];
	unsigned int q;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (try_device(text, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	dev->send = send_signal;
	dev->broken = note_broken;
	for (q = 0; q < dev->nr_queues; q++) {
		driver_init(&drv[q], fake.vm.ram.hva + 0x20000 * q);
		dev->queues[q].size = DRIVER_NUM;
		dev->queues[q].desc = 0x20000 * q + DRIVER_DESC;
		dev->queues[q].avail = 0x20000 * q + DRIVER_AVAIL;
		dev->queues[q].used = 0x20000 * q + DRIVER_USED;
		dev->queues[q].vector = 1;
		dev->queues[q].enabled = true;
	}
	assert_int_equal(dev->ops->start(dev, &err), 0);
}

static void wait_signal(unsigned int n)
{
	int step;

	for (step = 0; __atomic_load_n(&signals, __ATOMIC_ACQUIRE) < n; step++) {
		if (step == STEPS)
			fail_msg("the device did not answer");
		poll(NULL, 0, STEP_MS);
	}
}

static void kick(unsigned int q)
{
	eventfd_write(dev->queues[q].kick_fd, 1);
}

static uint8_t *ram(uint64_t gpa)
{
	return fake.vm.ram.hva + gpa;
}

static void make_disk(void)
{
	uint8_t sector[512];
	unsigned int i;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (i = 0; i < DISK_SECTORS; i++) {
		memset(sector, i + 1, sizeof(sector));
		assert_int_equal(write(fd, sector, sizeof(sector)), sizeof(sector));
	}
	close(fd);
}

static uint8_t disk_byte(unsigned int sector)
{
	uint8_t byte = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, &byte, 1, sector * 512), 1);
	close(fd);
	return byte;
}

/* One request: header, @len bytes of data (to the device or from it), status. */
static uint8_t blk(uint32_t type, uint64_t sector, uint32_t len, bool in)
{
	struct virtio_blk_outhdr *hdr = (void *)ram(HEADER);
	unsigned int before = __atomic_load_n(&signals, __ATOMIC_ACQUIRE);

	*hdr = (struct virtio_blk_outhdr) { .type = type, .sector = sector };
	*ram(STATUS) = 0xff;
	driver_desc(drv[0].desc, 0, HEADER, sizeof(*hdr), 0, len ? 1 : 2);
	driver_desc(drv[0].desc, 1, DATA, len, in ? VRING_DESC_F_WRITE : 0, 2);
	driver_desc(drv[0].desc, 2, STATUS, 1, VRING_DESC_F_WRITE, -1);
	driver_offer(&drv[0], 0);
	kick(0);
	wait_signal(before + 1);
	return *ram(STATUS);
}

static void test_blk(void **state)
{
	struct virtio_blk_discard_write_zeroes *range = (void *)ram(DATA);
	struct virtio_blk_config config;

	(void)state;
	make_disk();
	start_device("virtio-blk,file=%s", path);
	dev->ops->config_read(dev, 0, &config, sizeof(config));
	assert_int_equal(config.capacity, DISK_SECTORS);

	assert_int_equal(blk(VIRTIO_BLK_T_IN, 3, 1024, true), VIRTIO_BLK_S_OK);
	assert_int_equal(*ram(DATA), 4);
	assert_int_equal(*ram(DATA + 512), 5);
	assert_int_equal(drv[0].used->ring[0].len, 1025);
	memset(ram(DATA), 0xab, 512);
	assert_int_equal(blk(VIRTIO_BLK_T_OUT, 63, 512, false), VIRTIO_BLK_S_OK);
	assert_int_equal(disk_byte(63), 0xab);
	assert_int_equal(disk_byte(62), 63);
	assert_int_equal(blk(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
	assert_int_equal(blk(VIRTIO_BLK_T_GET_ID, 0, 20, true), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)ram(DATA), "dmapat");

	*range = (struct virtio_blk_discard_write_zeroes) { .sector = 8, .num_sectors = 8 };
	assert_int_equal(blk(VIRTIO_BLK_T_DISCARD, 0, sizeof(*range), false), VIRTIO_BLK_S_OK);
	*range = (struct virtio_blk_discard_write_zeroes) { .sector = 16, .num_sectors = 8,
		.flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP };
	assert_int_equal(blk(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(*range), false),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(disk_byte(15), 0);
	assert_int_equal(disk_byte(16), 0);
	assert_int_equal(disk_byte(23), 0);
	assert_int_equal(disk_byte(24), 25);
	assert_int_equal(disk_byte(7), 8);
}

static void test_blk_refuses(void **state)
{
	struct virtio_blk_discard_write_zeroes *range = (void *)ram(DATA);

	(void)state;
	make_disk();
	start_device("virtio-blk,file=%s", path);
	capture_begin();
	assert_int_equal(blk(VIRTIO_BLK_T_IN, 64, 512, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk(VIRTIO_BLK_T_IN, 63, 1024, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk(VIRTIO_BLK_T_IN, UINT64_MAX, 512, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk(VIRTIO_BLK_T_OUT, UINT64_MAX / 512 + 1, 512, false),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk(VIRTIO_BLK_T_OUT, 0, 100, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk(99, 0, 512, true), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(blk(VIRTIO_BLK_T_GET_ID, 0, 19, true), VIRTIO_BLK_S_IOERR);
	*range = (struct virtio_blk_discard_write_zeroes) { .sector = 60, .num_sectors = 8 };
	assert_int_equal(blk(VIRTIO_BLK_T_DISCARD, 0, sizeof(*range), false), VIRTIO_BLK_S_IOERR);
	*range = (struct virtio_blk_discard_write_zeroes) { .num_sectors = 8, .flags = 2 };
	assert_int_equal(blk(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(*range), false),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk(VIRTIO_BLK_T_DISCARD, 0, 3, false), VIRTIO_BLK_S_IOERR);
	assert_logged(capture_end(), "sector 64");
	assert_int_equal(disk_byte(0), 1);
	assert_int_equal(disk_byte(63), 64);

	/* No room for a status: the device stands still. */
	driver_desc(drv[0].desc, 0, HEADER, sizeof(struct virtio_blk_outhdr), 0, -1);
	driver_offer(&drv[0], 0);
	kick(0);
	wait_signal(1000);
	assert_non_null(strstr(broken_why, "without header or room"));
}

static void test_blk_read_only(void **state)
{
	(void)state;
	make_disk();
	start_device("virtio-blk,file=%s,readonly=on", path);
	assert_true(dev->ops->features & 1ULL << VIRTIO_BLK_F_RO);
	capture_begin();
	assert_int_equal(blk(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_IOERR);
	capture_end();
	assert_int_equal(blk(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
	assert_int_equal(disk_byte(0), 1);
}

/* A ring that cannot be used stops nothing but its device. */
static void test_broken_ring(void **state)
{
	(void)state;
	make_disk();
	start_device("virtio-blk,file=%s", path);
	driver_offer(&drv[0], 200);
	kick(0);
	wait_signal(1000);
	assert_non_null(strstr(broken_why, "beyond its table"));
	kick(0);
	dev->ops->stop(dev);
}

static void test_rng(void **state)
{
	static const uint8_t zeroes[64];

	(void)state;
	start_device("virtio-rng");
	driver_desc(drv[0].desc, 0, DATA, 64, VRING_DESC_F_WRITE, -1);
	driver_offer(&drv[0], 0);
	kick(0);
	wait_signal(1);
	assert_int_equal(drv[0].used->ring[0].len, 64);
	assert_memory_not_equal(ram(DATA), zeroes, sizeof(zeroes));
}

static void test_net(void **state)
{
	const size_t hdr = sizeof(struct virtio_net_hdr_v1);
	struct virtio_net_config config;
	uint8_t frame[128];
	int s[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	start_device("virtio-net,fd=%d,mac=52:54:00:12:34:56", s[0]);
	dev->ops->config_read(dev, 0, &config, sizeof(config));
	assert_memory_equal(config.mac, "\x52\x54\x00\x12\x34\x56", 6);

	/* Out: the header stays here. */
	memset(ram(DATA), 0, hdr);
	memcpy(ram(DATA + hdr), "frame to the wire", 17);
	driver_desc(drv[1].desc, 0, DATA, hdr + 17, 0, -1);
	driver_offer(&drv[1], 0);
	kick(1);
	assert_int_equal(recv(s[1], frame, sizeof(frame), 0), 17);
	assert_memory_equal(frame, "frame to the wire", 17);
	wait_signal(1);

	/* In: it waits for a buffer, and one that is too long is lost. */
	assert_int_equal(send(s[1], "frame one", 9, 0), 9);
	memset(frame, 'x', sizeof(frame));
	assert_int_equal(send(s[1], frame, sizeof(frame), 0), sizeof(frame));
	assert_int_equal(send(s[1], "frame two", 9, 0), 9);
	driver_desc(drv[0].desc, 0, DATA, 40, VRING_DESC_F_WRITE, -1);
	driver_desc(drv[0].desc, 1, DATA + 64, 40, VRING_DESC_F_WRITE, -1);
	driver_offer(&drv[0], 0);
	kick(0);
	wait_signal(2);
	assert_int_equal(drv[0].used->ring[0].len, hdr + 9);
	assert_memory_equal(ram(DATA + hdr), "frame one", 9);
	assert_int_equal(((struct virtio_net_hdr_v1 *)ram(DATA))->num_buffers, 1);
	driver_offer(&drv[0], 1);
	kick(0);
	wait_signal(3);
	assert_int_equal(drv[0].used->ring[1].id, 1);
	assert_memory_equal(ram(DATA + 64 + hdr), "frame two", 9);

	/* The peer goes: the device waits in peace, and stops when it is told. */
	close(s[1]);
	driver_offer(&drv[0], 0);
	kick(0);
}

static int connect_console(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void console_says(const char *text)
{
	unsigned int before = __atomic_load_n(&signals, __ATOMIC_ACQUIRE);

	memcpy(ram(DATA), text, strlen(text));
	driver_desc(drv[1].desc, 0, DATA, strlen(text), 0, -1);
	driver_offer(&drv[1], 0);
	kick(1);
	wait_signal(before + 1);
}

static void test_console(void **state)
{
	char text[64] = "";
	int client;

	(void)state;
	start_device("virtio-console,socket=%s", path);
	console_says("nobody listens");

	client = connect_console();
	driver_desc(drv[0].desc, 0, DATA + 64, 32, VRING_DESC_F_WRITE, -1);
	driver_offer(&drv[0], 0);
	kick(0);
	assert_int_equal(write(client, "to the guest", 12), 12);
	wait_signal(2);
	assert_int_equal(drv[0].used->ring[0].len, 12);
	assert_memory_equal(ram(DATA + 64), "to the guest", 12);
	console_says("to the client");
	assert_int_equal(read(client, text, sizeof(text)), 13);
	assert_string_equal(text, "to the client");

	/* Another client after it; what comes without a buffer waits. */
	close(client);
	client = connect_console();
	assert_int_equal(write(client, "early", 5), 5);
	driver_offer(&drv[0], 0);
	kick(0);
	wait_signal(4);
	assert_memory_equal(ram(DATA + 64), "early", 5);
	close(client);
}

/* A client that does not read holds up the queue, and not the device's end. */
static void test_console_stuck(void **state)
{
	unsigned int i, before;
	int client;
	char c;

	(void)state;
	start_device("virtio-console,socket=%s", path);
	client = connect_console();
	driver_desc(drv[0].desc, 0, DATA, 32, VRING_DESC_F_WRITE, -1);
	driver_offer(&drv[0], 0);
	kick(0);
	assert_int_equal(write(client, "x", 1), 1);
	wait_signal(1);
	for (i = 0; i < DRIVER_NUM; i++)
		driver_desc(drv[1].desc, i, 0x100000, 0x100000, 0, -1);
	before = drv[1].used->idx;
	for (i = 0; i < DRIVER_NUM; i++)
		driver_offer(&drv[1], i);
	kick(1);
	assert_int_equal(recv(client, &c, 1, MSG_PEEK), 1);
	assert_int_equal(__atomic_load_n(&drv[1].used->idx, __ATOMIC_ACQUIRE), before);
	dev->ops->stop(dev);
	close(client);
}

static void refused(const char *text, int want, const char *says)
{
	struct error err;

	assert_int_equal(try_device(text, &err), want);
	if (!strstr(err.msg, says))
		fail_msg("%s: says '%s', not '%s'", text, err.msg, says);
	assert_null(dev);
}

static void test_options(void **state)
{
	int fds = count_fds(), fd;
	char text[128];
	int s[2];

	(void)state;
	refused("", -EINVAL, "not one of");
	refused("virtio-gpu", -EINVAL, "not one of");
	refused("virtio-blk", -EINVAL, "file=PATH is needed");
	refused("virtio-blk,", -EINVAL, "KEY=VALUE");
	refused("virtio-blk,file", -EINVAL, "KEY=VALUE");
	refused("virtio-blk,file=", -EINVAL, "KEY=VALUE");
	refused("virtio-blk,file=a,file=b", -EINVAL, "file twice");
	refused("virtio-blk,path=a", -EINVAL, "no option path");
	refused("virtio-blk,file=/nonexistent", -ENOENT, "/nonexistent");
	refused("virtio-blk,file=/dev/null", -EINVAL, "neither a file");
	refused("virtio-blk,file=/tmp,readonly=on", -EINVAL, "neither a file");
	refused("virtio-blk,file=/tmp/x,readonly=yes", -EINVAL, "neither on nor off");
	refused("virtio-rng,file=a", -EINVAL, "no option file");
	refused("virtio-console", -EINVAL, "socket=PATH");
	refused("virtio-console,socket=/nonexistent/s", -ENOENT, "/nonexistent/s");
	refused("virtio-net", -EINVAL, "one of tap=NAME and fd=N");
	refused("virtio-net,tap=a,fd=3", -EINVAL, "one of tap=NAME and fd=N");
	refused("virtio-net,fd=x", -EINVAL, "not a file descriptor");
	refused("virtio-net,fd=2", -EINVAL, "not a file descriptor");
	refused("virtio-net,fd=999", -EBADF, "fd=999");
	refused("virtio-net,tap=a-name-that-is-too-long", -EINVAL, "more than 15");
	refused("virtio-net,fd=3,mac=1:2:3:4:5", -EINVAL, "six bytes");
	refused("virtio-net,fd=3,mac=01:00:00:00:00:00", -EINVAL, "group");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	snprintf(text, sizeof(text), "virtio-net,fd=%d", s[0]);
	refused(text, -EPROTOTYPE, "neither a datagram");
	close(s[0]);
	close(s[1]);

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	snprintf(text, sizeof(text), "virtio-blk,file=%s", path);
	refused(text, -EINVAL, "whole sectors");
	assert_int_equal(ftruncate(fd, 1000), 0);
	refused(text, -EINVAL, "1000 bytes");
	close(fd);
	assert_int_equal(count_fds(), fds);
}

/* An image that another VMM writes is not opened. */
static void test_lock(void **state)
{
	struct virtio_device *first;
	struct error err;
	char text[128];

	(void)state;
	make_disk();
	snprintf(text, sizeof(text), "virtio-blk,file=%s", path);
	assert_int_equal(try_device(text, &err), 0);
	first = dev;
	dev = NULL;
	refused(text, -EAGAIN, "in use by another process");
	first->ops->destroy(first);
	assert_int_equal(try_device(text, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_blk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blk_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blk_read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rng, setup, teardown),
		cmocka_unit_test_setup_teardown(test_net, setup, teardown),
		cmocka_unit_test_setup_teardown(test_console, setup, teardown),
		cmocka_unit_test_setup_teardown(test_console_stuck, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
