/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Debian 13 guest of dmapat-vmm: its kernel and initrd are those of its own disk, which is the
 * emulated host's second one; tests/emu/init has mounted the first as /host, where the VMM runs.
 */
#ifndef TESTS_GPU_DEBIAN_GUEST_H
#define TESTS_GPU_DEBIAN_GUEST_H

#include <stdbool.h>
#include "lib/process.h"

#define DEBIAN_GUEST_DISK	"/dev/vdb"
#define DEBIAN_GUEST_DRIVE	"virtio-blk,file=/dev/vdb"
#define DEBIAN_GUEST_VMM	"/bin/chroot", "/host", "/t/dmapat-vmm"

struct debian_guest {
	struct process vmm;
	unsigned int commands;
	char output[8192];	/* what the last command printed */
};

/* Start the VMM with the guest's disk as /dev/vda there, and @options (NULL-terminated). */
void debian_guest_start(struct debian_guest *guest, const char *const *options);

/* Wait for the console's prompt, log in as root, and wait for the drivers, which may come later. */
bool debian_guest_login(struct debian_guest *guest);

/*
 * Type @command into the shell on the console, wait for its end. Its exit status, -1 where
 * there was none in time; what it printed is in @guest->output.
 */
int debian_guest_run(struct debian_guest *guest, const char *command);

/* Switch off from inside. The VMM's exit status. */
int debian_guest_end(struct debian_guest *guest);

#endif /* TESTS_GPU_DEBIAN_GUEST_H */
