/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual machine: KVM's fds, guest RAM, vCPUs, the host-visible window,
 * devices, and the run state that all of them obey.
 *
 * Threads: one event loop (control socket, vhost-user front-ends, console
 * input, signals), one thread for each vCPU, and one for a migration while it
 * lasts. vm__pause(), vm__resume() and vm__set_status() may be called from any
 * thread but a vCPU's.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/error.h"
#include "vmm/gsi.h"
#include "vmm/memory.h"
#include "vmm/memory_transaction.h"
#include "vmm/pci.h"
#include "vmm/serial.h"
#include "vmm/vcpu_throttle.h"
#include "vmm/window.h"

struct control;
struct dirty_marks;
struct dirty_ring;
struct frontend;
struct loop;
struct migration;
struct options;
struct vcpu;

/* Slots of the VM. The ids are part of the migration stream. */
#define VM_SLOT_RAM	0
#define VM_SLOT_WINDOW	1
#define VM_NR_SLOTS	2

/* Values and names as in QMP's RunState. */
enum vm_status {
	VM_PRELAUNCH,		/* set up, never ran */
	VM_RUNNING,
	VM_PAUSED,		/* by `stop`, or by a memory fault that `cont` retries */
	VM_INMIGRATE,		/* waits for, or receives, a migration */
	VM_FINISH_MIGRATE,	/* source: stopped for the last pass */
	VM_POSTMIGRATE,		/* source: the destination has it; never runs again */
	VM_INTERNAL_ERROR,	/* cannot go on; never runs again */
	VM_SHUTDOWN,		/* the guest ended */
};

struct vm {
	const struct options *options;
	int sys_fd;			/* /dev/kvm */
	int vm_fd;

	struct memory ram;		/* slot VM_SLOT_RAM, from GPA 0 */
	struct window window;		/* slot VM_SLOT_WINDOW */
	struct memory_map memory_map;	/* the memslots */
	enum vm_status status_before;	/* while a change of memslots has stopped the vCPUs */
	struct serial serial;		/* COM1 */

	struct bus ports;		/* what vCPUs' accesses reach */
	struct bus mmio;
	struct gsi gsi;
	struct pci pci;
	struct device devices[DEVICE_MAX];
	unsigned int nr_devices;

	struct vcpu *vcpus;
	unsigned int nr_vcpus;

	/*
	 * Migrations that this guest has been through. Sent with the devices'
	 * state; the destination sets what it received plus one. The guest reads
	 * it at VM_PORT_GENERATION.
	 */
	uint32_t generation;

	/* Dirty rings: entries for each vCPU, 0 where KVM keeps bitmaps instead. */
	uint32_t dirty_ring_entries;
	pthread_mutex_t dirty_lock;	/* one harvester at a time; guards what follows */
	pthread_cond_t dirty_cond;	/* the rings were emptied, or their thread ends */
	uint64_t dirty_harvests;	/* how often they were */
	struct dirty_ring *dirty_ring;	/* while a migration tracks vCPUs by the rings */
	struct dirty_marks *dirty_marks;	/* while a migration tracks devices */

	/* Run state. */
	pthread_mutex_t run_lock;
	pthread_cond_t run_cond;
	enum vm_status status;
	bool launched;			/* setup is done: cont and migrate make sense */
	bool exiting;			/* vCPU threads leave, the event loop ends */
	int exit_status;		/* of the process: enum exit_status or the guest's */
	struct vcpu_throttle throttle;	/* a migration's */

	struct frontend *frontends;	/* the connection to each vhost-user back-end */
	struct frontend **gpus;		/* those of each --gpu-proc, in their order */
	unsigned int nr_gpus;
	struct control *control;
	struct migration *migration;	/* owned by migration.c; NULL until one starts */
	struct loop *loop;
};

/* Guest-visible ports of the machine besides COM1. */
#define VM_PORT_GENERATION	0xf0	/* 32-bit read: vm->generation */
#define VM_PORT_EXIT		0xf4	/* write: the guest ends, exit status = value */

const char *vm__status_name(enum vm_status status);
enum vm_status vm__status(struct vm *vm);

/*
 * Take every vCPU out of KVM_RUN, with pending I/O completed, so that its state
 * may be read, then set @status. Returns the status before. A VM that does not
 * run only changes its status. Emits STOP if it ran.
 */
enum vm_status vm__pause(struct vm *vm, enum vm_status status);

/*
 * Let the vCPUs run (again). -EPERM from VM_POSTMIGRATE, VM_INTERNAL_ERROR and
 * VM_SHUTDOWN; the migration sets another status first if it may run on.
 */
int vm__resume(struct vm *vm, struct error *err);

/* Change the status of a VM that does not run, without letting it run. */
void vm__set_status(struct vm *vm, enum vm_status status);

/*
 * End the process with @exit_status as soon as the event loop comes round.
 * Callable from every thread, vCPUs' included.
 */
void vm__exit(struct vm *vm, int exit_status);

/*
 * The VMM itself wrote [gpa, gpa+len): tell the dirty log. Called by devices
 * after the write. A no-op while nothing logs.
 */
void vm__mark_dirty(struct vm *vm, uint64_t gpa, uint64_t len);

/* Called by run.c: KVM, RAM, window and vCPUs, without a guest; and back. */
int vm__create(struct vm *vm, const struct options *opts, struct loop *loop, struct error *err);
void vm__destroy(struct vm *vm);
/* End the vCPU threads, so that nobody runs who sends events. */
void vm__stop_vcpus(struct vm *vm);
/* Start the vCPU threads; they wait for vm__resume(). */
int vm__start_vcpus(struct vm *vm, struct error *err);

/*
 * From a vCPU's thread, which cannot wait for itself: stop all vCPUs. The status
 * says whether `cont` makes sense. The caller sends the event.
 */
void vm__stop_from_vcpu(struct vm *vm, enum vm_status status);

#endif /* VMM_VM_H */
