// SPDX-License-Identifier: GPL-2.0-or-later
/* A Debian 13 guest and its console; see debian_guest.h. */
#include "debian_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/ktap.h"

#define MAX_ARGS	40
/* Of a process's time limit: all is emulated twice over */
#define WAITS		5

#define BOOT		"root=/dev/vda rw console=ttyS0 quiet panic=-1 systemd.show_status=no "
/* What takes long when it is emulated twice over, and is not looked at */
#define LEAVE_OUT	"mitigations=off cryptomgr.notests systemd.mask=getty-static.service initcall_blacklist="
#define INITCALLS	"load_system_certificate_list,jent_mod_init,init_ima,init_evm"

static const char cmdline[] = BOOT LEAVE_OUT INITCALLS;

/* As a boot loader does: out of the guest's disk, into where the VMM finds them. */
static void take_kernel(void)
{
	test_assert(mount(DEBIAN_GUEST_DISK, "/mnt", "ext4", MS_RDONLY, NULL) == 0);
	test_assert(system("cp /mnt/vmlinuz /mnt/initrd.img /tmp") == 0);
	test_assert(umount("/mnt") == 0);
}

void debian_guest_start(struct debian_guest *guest, const char *const *options)
{
	static const char *const fixed[] = {
		DEBIAN_GUEST_VMM, "run", "--memory", "1G", "--console", "-",
		"--kernel", "/tmp/vmlinuz", "--initrd", "/tmp/initrd.img",
		"--cmdline", cmdline,
		"--device", DEBIAN_GUEST_DRIVE,
	};
	const char *argv[MAX_ARGS];
	size_t n = sizeof(fixed) / sizeof(fixed[0]);

	memcpy(argv, fixed, sizeof(fixed));
	while (*options && n < MAX_ARGS - 1)
		argv[n++] = *options++;
	test_assert(!*options);
	argv[n] = NULL;
	guest->commands = 0;
	take_kernel();
	process_start(&guest->vmm, argv);
}

static bool says(struct debian_guest *guest, const char *text, int waits)
{
	while (waits--)
		if (process_says(&guest->vmm, text))
			return true;
	return false;
}

static bool type(struct debian_guest *guest, const char *text)
{
	size_t len = strlen(text);

	return write(guest->vmm.in, text, len) == (ssize_t)len;
}

bool debian_guest_login(struct debian_guest *guest)
{
	return says(guest, "guest login:", WAITS) && type(guest, "root\n") &&
	       says(guest, "root@guest:~#", 1) && debian_guest_run(guest, "udevadm settle") == 0;
}

int debian_guest_run(struct debian_guest *guest, const char *command)
{
	char line[512], begin[32], end[32];
	const char *first, *last;
	int status, len;

	guest->commands++;
	/* The echo of what is typed must look like neither; the end must be the last to come. */
	snprintf(line, sizeof(line), "echo @\"\"begin %u.; %s; echo \"=$?\" @\"\"end %u.\n",
		 guest->commands, command, guest->commands);
	snprintf(begin, sizeof(begin), "@begin %u.", guest->commands);
	snprintf(end, sizeof(end), " @end %u.", guest->commands);
	if (!type(guest, line) || !says(guest, end, WAITS))
		return -1;
	first = strstr(guest->vmm.text, begin);
	last = strstr(guest->vmm.text, end);
	if (!first || first > last)
		return -1;
	first += strlen(begin);
	while (last > first && *last != '=')
		last--;
	len = last - first;
	snprintf(guest->output, sizeof(guest->output), "%.*s", len, first);
	return sscanf(last, "=%d", &status) == 1 ? status : -1;
}

int debian_guest_end(struct debian_guest *guest)
{
	int status = type(guest, "systemctl poweroff\n") ? process_end(&guest->vmm) : -1;

	unlink("/tmp/vmlinuz");
	unlink("/tmp/initrd.img");
	return status;
}
