/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `dmapat-vmm run`. Called by main(). */
#ifndef VMM_RUN_H
#define VMM_RUN_H

/* Returns the exit status of the process, see exit_status.h. */
int run__main(int argc, char **argv);

#endif /* VMM_RUN_H */
