/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `dmapat-vmm ctl`: one command to a control socket. Called by main(). */
#ifndef VMM_CTL_H
#define VMM_CTL_H

/* 0, 1 the command failed, EXIT_USAGE, EXIT_SETUP: no connection, no answer. */
int ctl__main(int argc, char **argv);

#endif /* VMM_CTL_H */
