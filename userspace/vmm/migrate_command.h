/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `dmapat-vmm migrate`: a migration that can be watched. Called by main(). */
#ifndef VMM_MIGRATE_COMMAND_H
#define VMM_MIGRATE_COMMAND_H

/* argv[0] is "migrate". Returns the exit status: 0 when the destination runs the guest. */
int migrate_command__main(int argc, char **argv);

#endif /* VMM_MIGRATE_COMMAND_H */
