/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For unit tests of the VMM: a machine without KVM. RAM and window are real, the
 * vCPUs are none, and the kernel's answers about DMA-bufs come from fake_*: a memfd
 * stands for a DMA-buf, everything else does not.
 */
#ifndef UNIT_VMM_FAKE_H
#define UNIT_VMM_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/dmabuf.h"
#include "vmm/loop.h"
#include "vmm/memtype.h"
#include "vmm/options.h"
#include "vmm/vm.h"

#define FAKE_RAM	(2ULL << 20)
#define FAKE_WINDOW	(16ULL << 20)
#define FAKE_WINDOW_GPA	(4ULL << 30)

struct fake {
	struct options options;
	struct vm vm;
	struct loop *loop;
};

static struct memtype_answers fake_answers;
static char fake_name[32];

static inline void fake_create(struct fake *f)
{
	struct error err = { 0 };

	*f = (struct fake) {
		.options = { .bind = BIND_OFF, .gpu_timeout_ms = 5000, .cmdline = "" },
		.vm = { .options = &f->options, .sys_fd = -1, .vm_fd = -1, .status = VM_PRELAUNCH },
	};
	fake_answers = (struct memtype_answers) {
		.bind = MEMTYPE_NONE, .host = DMABUF_MEMTYPE_WC, .query = DMABUF_MEMTYPE_WC,
		.leaf = MEMTYPE_NONE,
	};
	fake_name[0] = '\0';
	assert_int_equal(loop__create(&f->loop), 0);
	f->vm.loop = f->loop;
	pthread_mutex_init(&f->vm.run_lock, NULL);
	pthread_cond_init(&f->vm.run_cond, NULL);
	pthread_mutex_init(&f->vm.dirty_lock, NULL);
	pthread_cond_init(&f->vm.dirty_cond, NULL);
	assert_int_equal(memory__init(&f->vm.ram, FAKE_RAM, &err), 0);
	assert_int_equal(window__init(&f->vm.window, FAKE_WINDOW_GPA, FAKE_WINDOW, &err), 0);
}

static inline void fake_destroy(struct fake *f)
{
	window__exit(&f->vm.window);
	memory__exit(&f->vm.ram);
	loop__destroy(f->loop);
	pthread_cond_destroy(&f->vm.dirty_cond);
	pthread_mutex_destroy(&f->vm.dirty_lock);
	pthread_cond_destroy(&f->vm.run_cond);
	pthread_mutex_destroy(&f->vm.run_lock);
}

static inline int fake_dmabuf(uint64_t size)
{
	int fd = memfd_create("dmabuf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

#endif /* UNIT_VMM_FAKE_H */
