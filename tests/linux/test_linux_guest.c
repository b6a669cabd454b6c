// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stock Debian kernel as guest of dmapat-vmm, by both boot protocols: two vCPUs, and
 * each virtio device used from inside (tests/linux/guest-init) and looked at from here.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zstd.h>

#include "lib/ktap.h"
#include "lib/process.h"
#include "linux_vm.h"

#define VMM		LINUX_VMM
#define KERNEL		LINUX_KERNEL
#define INITRD		LINUX_INITRD
#define VMLINUX		"/tmp/vmlinux"
#define DISK		"/tmp/disk"
#define DISK_DEVICE	"virtio-blk,file=/tmp/disk"
#define DISK_RO		"/tmp/disk-ro"
#define DISK_RO_DEVICE	"virtio-blk,file=/tmp/disk-ro,readonly=on"
#define CONSOLE		"/tmp/console"
#define CONSOLE_DEVICE	"virtio-console,socket=/tmp/console"
#define MIB		(1u << 20)
#define DISK_SIZE	(4 * MIB)

#define GUEST_MAC	"\x52\x54\x00\x12\x34\x56"

static uint8_t disk[DISK_SIZE];

static void write_disk(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	test_assert(fd >= 0 && write(fd, disk, sizeof(disk)) == sizeof(disk));
	close(fd);
}

static void make_disk(const char *path, unsigned int seed)
{
	size_t i;

	srand(seed);
	for (i = 0; i < sizeof(disk); i++)
		disk[i] = rand();
	write_disk(path);
}

/* ---- the other end of the guest's network card ---- */

struct peer {
	int fd;
	unsigned int pings;
	unsigned int strangers;		/* frames from another address than the guest's */
};

static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (; len > 1; p += 2, len -= 2)
		sum += p[0] << 8 | p[1];
	if (len)
		sum += p[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Echo request (RFC 792) to echo reply, back to where it came from. */
static bool answer_ping(uint8_t *frame, size_t len)
{
	uint8_t *ip = frame + 14, *icmp = ip + 20, swap[6];
	uint16_t sum;

	if (len < 42 || memcmp(frame + 12, "\x08\x00\x45", 3) || ip[9] != 1 || icmp[0] != 8)
		return false;
	memcpy(swap, frame, 6);
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, swap, 6);
	memcpy(swap, ip + 12, 4);
	memcpy(ip + 12, ip + 16, 4);
	memcpy(ip + 16, swap, 4);
	icmp[0] = 0;
	icmp[2] = 0;
	icmp[3] = 0;
	sum = checksum(icmp, (ip[2] << 8 | ip[3]) - 20);
	icmp[2] = sum >> 8;
	icmp[3] = sum;
	return true;
}

/* ARP request (RFC 826) for 10.0.2.2: 52:54:00:00:00:02. */
static bool answer_arp(uint8_t *frame, size_t len)
{
	static const uint8_t here[] = { 0x52, 0x54, 0, 0, 0, 2, 10, 0, 2, 2 };
	uint8_t *arp = frame + 14;

	if (len < 42 || memcmp(frame + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10) ||
	    memcmp(arp + 24, here + 6, 4))
		return false;
	arp[7] = 2;
	memcpy(arp + 18, arp + 8, 10);
	memcpy(arp + 8, here, sizeof(here));
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, arp + 8, 6);
	return true;
}

/* Ends when the VMM does. */
static void *peer_thread(void *arg)
{
	struct peer *peer = arg;
	uint8_t frame[2048];
	ssize_t n;

	while ((n = recv(peer->fd, frame, sizeof(frame), 0)) > 0) {
		if (n >= 14 && memcmp(frame + 6, GUEST_MAC, 6))
			peer->strangers++;
		if (answer_ping(frame, n))
			peer->pings++;
		else if (!answer_arp(frame, n))
			continue;
		test_assert(send(peer->fd, frame, n, 0) == n);
	}
	return NULL;
}

/* ---- the other end of the guest's virtio console ---- */

static void *console_thread(void *arg)
{
	char *text = arg;
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = CONSOLE };
	int64_t deadline = process_now_ms() + process_timeout_ms();
	size_t len = 0;
	ssize_t n;
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 &&
	       process_now_ms() < deadline)
		poll(NULL, 0, 10);
	while (!strstr(text, "from the guest") && len < 200 && (n = read(fd, text + len, 50)) > 0)
		len += n;
	if (write(fd, "from the host\n", 14) != 14)
		text[0] = '\0';
	/* Until the VMM ends: a console without a client drops what comes. */
	while (read(fd, text + 200, 50) > 0)
		;
	close(fd);
	return NULL;
}

static void test_devices(void)
{
	char text[256] = "", wanted[128], hash[80], hash_ro[80], device[80], after[80];
	struct peer peer = { 0 };
	pthread_t network, console;
	struct process vmm;
	int s[2];

	make_disk(DISK_RO, 2);
	linux_vm__sha256(DISK_RO, hash_ro);
	make_disk(DISK, 1);
	linux_vm__sha256(DISK, hash);
	/* The VMM's end is inherited; this one must not be. */
	test_assert(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0);
	fcntl(s[1], F_SETFD, FD_CLOEXEC);
	peer.fd = s[1];
	snprintf(device, sizeof(device), "virtio-net,fd=%d,mac=52:54:00:12:34:56", s[0]);

	process_run(&vmm, VMM, "run", "--memory", "192M", "--vcpus", "2", "--kernel", KERNEL,
		    "--initrd", INITRD, "--cmdline", "console=ttyS0 quiet panic=-1",
		    "--console", "-", "--device", DISK_DEVICE, "--device", DISK_RO_DEVICE,
		    "--device", "virtio-rng", "--device", CONSOLE_DEVICE, "--device", device);
	close(s[0]);
	test_assert(pthread_create(&network, NULL, peer_thread, &peer) == 0);
	test_assert(pthread_create(&console, NULL, console_thread, text) == 0);

	linux_vm__says(&vmm, "guest: up, 2 processors", "bzImage");
	snprintf(wanted, sizeof(wanted), "guest: disk %s", hash);
	linux_vm__says(&vmm, wanted, "disk as the host wrote it");
	linux_vm__says(&vmm, "guest: discarded, 0 bytes left", "discard");
	snprintf(wanted, sizeof(wanted), "guest: read-only disk %s", hash_ro);
	linux_vm__says(&vmm, wanted, "read-only disk");
	test_ok(!strstr(vmm.text, "wrote to the read-only disk"), "nothing wrote to it");
	linux_vm__says(&vmm, "guest: random 64 bytes of virtio_rng.0", "entropy");
	linux_vm__says(&vmm, "guest: address 52:54:00:12:34:56", "network");
	linux_vm__says(&vmm, "guest: 4 packets transmitted, 4 packets received", "network");
	linux_vm__says(&vmm, "guest: console: from the host", "console");
	/* A vector for each device's configuration and each queue: 2, 2, 2, 3, 3 */
	linux_vm__says(&vmm, "guest: vectors 12, pins 0", "interrupts");
	linux_vm__says(&vmm, "guest: second processor ran 1", "SMP");
	test_eq(process_end(&vmm), 0, "switched off by the guest: exit status");
	pthread_join(network, NULL);
	pthread_join(console, NULL);
	close(s[1]);

	test_eq(peer.pings, 4, "echo requests on the wire");
	test_eq(peer.strangers, 0, "frames from another address");
	test_ok(strstr(text, "from the guest"), "console said \"from the guest\"");
	test_ok(access(CONSOLE, F_OK) < 0, "the console's socket is gone");
	memcpy(disk + 2 * MIB, disk, MIB);
	memset(disk + 3 * MIB, 0, MIB);
	write_disk("/tmp/wanted");
	linux_vm__sha256("/tmp/wanted", wanted);
	linux_vm__sha256(DISK, after);
	test_ok(!strcmp(wanted, after), "disk afterwards: %s, wanted %s", after, wanted);
	linux_vm__sha256(DISK_RO, after);
	test_ok(!strcmp(hash_ro, after), "read-only disk afterwards: %s, wanted %s", after,
		hash_ro);
}

/* vmlinux out of the bzImage: boot protocol 2.08's payload_offset and payload_length. */
static void extract_vmlinux(void)
{
	struct stat st;
	uint32_t offset, length, unpacked;
	uint8_t *image, *elf;
	size_t size;
	int fd;

	fd = open(KERNEL, O_RDONLY | O_CLOEXEC);
	test_assert(fd >= 0 && fstat(fd, &st) == 0);
	image = malloc(st.st_size);
	test_assert(image && read(fd, image, st.st_size) == st.st_size);
	close(fd);
	memcpy(&offset, image + 0x248, sizeof(offset));
	memcpy(&length, image + 0x24c, sizeof(length));
	offset += (image[0x1f1] + 1) * 512;
	test_assert(offset < st.st_size && length <= st.st_size - offset && length > 4);
	/* The last four bytes are the size when unpacked. */
	memcpy(&unpacked, image + offset + length - 4, sizeof(unpacked));
	size = unpacked;
	elf = malloc(size);
	test_assert(elf && ZSTD_decompress(elf, size, image + offset, length - 4) == size);
	fd = open(VMLINUX, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	test_assert(fd >= 0 && write(fd, elf, size) == (ssize_t)size);
	close(fd);
	free(elf);
	free(image);
}

static void test_pvh(void)
{
	struct process vmm;

	extract_vmlinux();
	process_run(&vmm, VMM, "run", "--memory", "256M", "--kernel", VMLINUX, "--initrd", INITRD,
		    "--cmdline", "console=ttyS0 quiet panic=-1 only-boot", "--console", "-");
	linux_vm__says(&vmm, "guest: up, 1 processors", "vmlinux");
	test_eq(process_end(&vmm), 0, "switched off by the guest: exit status");
	unlink(VMLINUX);
}

static void test_refused(const char *kernel, const char *initrd, const char *memory,
			 const char *says)
{
	struct process vmm;

	process_run(&vmm, VMM, "run", "--memory", memory, "--kernel", kernel, "--initrd", initrd);
	linux_vm__says(&vmm, says, "refused");
	test_eq(process_end(&vmm), 69, "exit status");
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_devices();
	test_pvh();
	test_refused("/etc/passwd", INITRD, "192M", "not a kernel");
	test_refused(INITRD, INITRD, "192M", "neither an ELF nor a bzImage");
	test_refused("/nonexistent", INITRD, "192M", "kernel /nonexistent: No such file");
	test_refused(KERNEL, "/dev/null", "192M", "initrd /dev/null: empty");
	test_refused(KERNEL, INITRD, "32M", "RAM has 0x2000000 bytes");
	return test_end();
}
