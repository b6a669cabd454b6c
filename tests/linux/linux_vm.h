/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests with Linux guests have in common. */
#ifndef TESTS_LINUX_VM_H
#define TESTS_LINUX_VM_H

#include <stdio.h>

#include "lib/ktap.h"
#include "lib/process.h"

#define LINUX_VMM	"/t/dmapat-vmm"
#define LINUX_KERNEL	"/t/vmlinuz"
#define LINUX_INITRD	"/t/guest-initrd"
/* A guest's boot, emulated twice over, takes longer than a program's start. */
#define LINUX_WAITS	5

/* As the guest's sha256sum prints it; busybox has the same program here. */
static inline void linux_vm__sha256(const char *path, char hash[80])
{
	char command[64];
	FILE *f;

	snprintf(command, sizeof(command), "sha256sum %s", path);
	f = popen(command, "r");
	test_assert(f && fscanf(f, "%64s", hash) == 1);
	pclose(f);
}

static inline void linux_vm__says(struct process *vmm, const char *text, const char *what)
{
	bool said = false;
	int i;

	for (i = 0; i < LINUX_WAITS && !said; i++)
		said = process_says(vmm, text);
	if (!test_ok(said, "%s: \"%s\"", what, text))
		process_show(vmm);
}

#endif /* TESTS_LINUX_VM_H */
