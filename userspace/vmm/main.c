// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmapat-vmm: a virtual machine whose GPU buffers come from dmapat-gpu-proc.
 *
 * One process, one VM. The main thread turns the event loop: control socket,
 * vhost-user sockets, console input, signals. Each vCPU has a thread of its own,
 * and so has a migration. No children.
 */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "version.h"
#include "vmm/ctl.h"
#include "vmm/exit_status.h"
#include "vmm/migrate_command.h"
#include "vmm/run.h"

static const char usage[] =
"usage: dmapat-vmm run [OPTIONS]                            run a virtual machine\n"
"       dmapat-vmm ctl SOCKET COMMAND [JSON-ARGUMENTS]      command a running one\n"
"       dmapat-vmm migrate SOCKET URI [OPTIONS]             move its guest, and watch\n"
"       dmapat-vmm --help | --version\n"
"See dmapat-vmm(1), dmapat-vmm run --help and dmapat-vmm migrate --help.\n";

int main(int argc, char **argv)
{
	log_set_program("dmapat-vmm");
	if (argc > 1 && !strcmp(argv[1], "run"))
		return run__main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "ctl"))
		return ctl__main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "migrate"))
		return migrate_command__main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return EXIT_GUEST_OK;
	}
	if (argc > 1 && !strcmp(argv[1], "--version")) {
		puts("dmapat-vmm " DMAPAT_VERSION);
		return EXIT_GUEST_OK;
	}
	fputs(usage, stderr);
	return EXIT_USAGE;
}
