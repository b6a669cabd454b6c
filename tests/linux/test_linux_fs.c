// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vhost-user back-end that dmapat knows nothing of, Debian's virtiofsd as it is: a Linux
 * guest mounts what it serves, reads and writes. It is killed twice, between two mounts
 * and under one: the VM lives, the device says that it needs a reset, and with a new
 * virtiofsd the guest's driver has it work again.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "lib/process.h"
#include "linux_vm.h"

#define VIRTIOFSD	"/t/virtiofsd"
#define SHARE		"/tmp/share"
#define SOCKET		"/tmp/fs.sock"
#define CONTROL		"/tmp/control"
#define FS_DEVICE	"vhost-user-fs,socket=/tmp/fs.sock,tag=a tag"
#define MIB		(1u << 20)

static void start_virtiofsd(struct process *fs)
{
	process_run(fs, VIRTIOFSD, "-f", "--socket-path=" SOCKET, "-o",
		    "source=" SHARE ",sandbox=chroot");
}

static void kill_virtiofsd(struct process *fs)
{
	kill(fs->pid, SIGKILL);
	test_eq(process_end(fs), 128 + SIGKILL, "virtiofsd killed");
}

static void make_file(const char *path)
{
	static uint8_t bytes[MIB + 12345];
	size_t i;
	int fd;

	srand(3);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = rand();
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	test_assert(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	close(fd);
}

static void test_copy(const char *name, const char *wanted)
{
	char path[64], hash[80];

	snprintf(path, sizeof(path), SHARE "/%s", name);
	linux_vm__sha256(path, hash);
	test_ok(!strcmp(hash, wanted), "%s as the guest wrote it: %s, wanted %s", name, hash,
		wanted);
}

int main(void)
{
	char hash[80], wanted[128];
	struct process vmm, fs;
	struct control control;

	signal(SIGPIPE, SIG_IGN);
	test_assert(mkdir(SHARE, 0755) == 0);
	make_file(SHARE "/known");
	linux_vm__sha256(SHARE "/known", hash);
	snprintf(wanted, sizeof(wanted), "guest: known %s", hash);

	start_virtiofsd(&fs);
	process_run(&vmm, LINUX_VMM, "run", "--memory", "192M", "--kernel", LINUX_KERNEL,
		    "--initrd", LINUX_INITRD, "--cmdline",
		    "console=ttyS0 quiet panic=-1 mtrr=debug use-fs", "--console", "-",
		    "--control", CONTROL, "--device", FS_DEVICE, "--device", "virtio-rng");
	control_connect(&control, CONTROL);
	/* Of which a BAR with cached blobs is mapped write-back. */
	linux_vm__says(&vmm, "guest: MTRR default type: write-back", "memory types");
	linux_vm__says(&vmm, "guest: tag a tag", "configuration");
	linux_vm__says(&vmm, wanted, "file as the host wrote it");
	linux_vm__says(&vmm, "guest: unmounted first", "mounted, written, unmounted");
	test_copy("first", hash);

	kill_virtiofsd(&fs);
	test_ok(control_wait(&control, "DEVICE_DISCONNECTED"), "event: %s", control.line);
	test_ok(strstr(control.line, SOCKET), "names the socket");
	linux_vm__says(&vmm, "guest: needs a reset", "back-end killed");
	linux_vm__says(&vmm, "guest: lives", "back-end killed");
	start_virtiofsd(&fs);
	test_ok(control_wait(&control, "DEVICE_CONNECTED"), "event: %s", control.line);
	linux_vm__says(&vmm, "guest: unmounted second", "a new back-end, after the reset");
	test_copy("second", hash);

	linux_vm__says(&vmm, "guest: mounted third", "mounted again");
	kill_virtiofsd(&fs);
	linux_vm__says(&vmm, "guest: lives on", "killed under a mount");
	test_eq(process_end(&vmm), 0, "switched off by the guest: exit status");
	control_close(&control);
	unlink(SOCKET);
	return test_end();
}
