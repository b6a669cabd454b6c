// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel and the initrd of Debian 13's packages boot from a disk to a shell, in which a
 * command is typed; what the guest writes is on its disk when it is off.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "debian_guest.h"
#include "lib/ktap.h"

int main(void)
{
	static const char *const no_options[] = { NULL };
	static struct debian_guest guest;

	signal(SIGPIPE, SIG_IGN);
	debian_guest_start(&guest, no_options);
	if (!test_ok(debian_guest_login(&guest), "a shell on the console")) {
		process_show(&guest.vmm);
		return test_end();
	}
	test_eq(debian_guest_run(&guest, "uname -v; cat /etc/debian_version"), 0, "typed command");
	test_ok(strstr(guest.vmm.text, "Debian 6.12.") && strstr(guest.vmm.text, "\n13."),
		"Debian 13's kernel, and its system");
	test_eq(debian_guest_run(&guest, "findmnt -n -o SOURCE,FSTYPE / | grep '/dev/vda *ext4'"), 0,
		"root file system on the virtio disk");
	test_eq(debian_guest_run(&guest, "systemctl --failed --no-legend | grep ."), 1,
		"no unit of systemd failed");
	test_eq(debian_guest_run(&guest, "echo kept > /root/note"), 0, "wrote to its disk");
	test_eq(debian_guest_end(&guest), 0, "switched off by systemd: exit status");

	test_assert(mount(DEBIAN_GUEST_DISK, "/mnt", "ext4", MS_RDONLY, NULL) == 0);
	test_eq(system("grep -q kept /mnt/root/note"), 0, "the disk has it");
	test_assert(umount("/mnt") == 0);
	return test_end();
}
