/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exit status of dmapat-vmm. 0 to EXIT_GUEST_MAX are the guest's own, written to
 * VM_PORT_EXIT; the rest are sysexits(3)'s and, for signals, the shell's.
 */
#ifndef VMM_EXIT_STATUS_H
#define VMM_EXIT_STATUS_H

enum exit_status {
	EXIT_GUEST_OK	= 0,
	EXIT_GUEST_MAX	= 63,
	EXIT_USAGE	= 64,	/* options */
	EXIT_SETUP	= 69,	/* KVM, payload, gpu-proc, a buffer: before the guest ran */
	EXIT_STOPPED	= 70,	/* the guest cannot go on: triple fault, KVM error, lost gpu-proc */
	EXIT_INCOMING	= 74,	/* incoming migration failed */
	EXIT_SIGNAL	= 128,	/* + the number of the signal */
};

#endif /* VMM_EXIT_STATUS_H */
