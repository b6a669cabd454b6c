// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every way in which KVM_SET_DMA_BUF and KVM_GET_MEMTYPE refuse, each with its own
 * errno, and that a refusal changes nothing and leaks nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/bind.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/vm.h"

#define CAPABILITIES	(KVM_DMA_BUF_HAS_BIND | KVM_DMA_BUF_HAS_MEMTYPE | \
			 KVM_DMA_BUF_HAS_REGION_LIST | KVM_DMA_BUF_HAS_WRITE_PROTECT_ALL | \
			 KVM_DMA_BUF_HAS_MAPPED_LOG)

#define WINDOW_GPA	0x10000000UL
#define WINDOW_SIZE	0x1000000UL
#define BUF_SIZE	0x10000UL

static struct test_vm vm;
static uint8_t *window;
static int wc;			/* mapped at the start of the window */

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Window memory at @offset back to what it was: reserved, nothing behind it. */
static void window_clear(size_t offset, size_t size)
{
	test_assert(mmap(window + offset, size, PROT_NONE, MAP_FIXED | MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED);
}

static void refuse_fds(void)
{
	int memfd = memfd_create("no-dma-buf", MFD_CLOEXEC);
	int closed = dup(wc);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	close(closed);
	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE, closed, 0, NULL), EBADF, "closed fd");
	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE, -2, 0, NULL), EBADF, "fd -2");
	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE, memfd, 0, NULL), EBADFD, "memfd");
	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE, null, 0, NULL), EBADFD, "/dev/null");
	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE, vm.fd, 0, NULL), EBADFD, "the VM itself");
	close(memfd);
	close(null);
}

static void refuse_fields(void)
{
	struct kvm_dma_buf good = { .guest_phys_addr = WINDOW_GPA, .size = BUF_SIZE,
				    .dmabuf_fd = wc }, arg;
	struct kvm_memtype query = { .guest_phys_addr = WINDOW_GPA };
	int refused = 0;

	for (int bit = 0; bit < 32; bit++) {
		arg = good;
		arg.flags = 1U << bit;
		refused += ioctl(vm.fd, KVM_SET_DMA_BUF, &arg) && errno == EINVAL;
	}
	test_eq(refused, 32, "each of the 32 flags is EINVAL");
	for (unsigned int i = 0; i < 7; i++) {
		arg = good;
		arg.reserved[i] = 1;
		test_errno(ioctl(vm.fd, KVM_SET_DMA_BUF, &arg) ? errno : 0, EINVAL,
			   "bind: reserved[%u]", i);
	}
	for (unsigned int i = 0; i < 9; i++) {
		memset(query.reserved, 0, sizeof(query.reserved));
		query.reserved[i] = 1;
		test_errno(ioctl(vm.fd, KVM_GET_MEMTYPE, &query) ? errno : 0, EINVAL,
			   "query: reserved[%u]", i);
	}
	test_errno(ioctl(vm.fd, KVM_SET_DMA_BUF, NULL) ? errno : 0, EFAULT, "bind: NULL");
	test_errno(ioctl(vm.fd, KVM_GET_MEMTYPE, NULL) ? errno : 0, EFAULT, "query: NULL");
	test_errno(ioctl(vm.fd, _IO(0xDB, 0x3f), NULL) ? errno : 0, ENOTTY, "unknown number");
	test_errno(ioctl(vm.vcpu, KVM_SET_DMA_BUF, &good) ? errno : 0, EINVAL,
		   "on the vCPU, which knows no such ioctl");
}

static void refuse_ranges(void)
{
	test_errno(vm_bind(&vm, WINDOW_GPA + 1, BUF_SIZE, wc, 0, NULL), ERANGE, "gpa misaligned");
	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE + 8, wc, 0, NULL), ERANGE, "size misaligned");
	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE / 2, wc, 512, NULL), ERANGE,
		   "offset misaligned");
	test_errno(vm_bind(&vm, WINDOW_GPA, 0, wc, 0, NULL), ERANGE, "size 0");
	test_errno(vm_bind(&vm, -4096UL, 8192, wc, 0, NULL), ERANGE, "gpa wraps");
	test_errno(vm_bind(&vm, WINDOW_GPA, 8192, wc, -4096UL, NULL), ERANGE, "offset wraps");
	test_errno(vm_unbind(&vm, WINDOW_GPA + 1, BUF_SIZE), ERANGE, "unbind: gpa misaligned");
	test_errno(vm_unbind(&vm, WINDOW_GPA, 0), ERANGE, "unbind: size 0");

	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE + 4096, wc, 0, NULL), EOVERFLOW,
		   "a page more than the buffer has");
	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE, wc, 4096, NULL), EOVERFLOW,
		   "a page beyond its end");
	test_errno(vm_bind(&vm, WINDOW_GPA, 4096, wc, BUF_SIZE, NULL), EOVERFLOW,
		   "from its end on");
	test_errno(vm_bind(&vm, WINDOW_GPA, 4096, wc, 1UL << 60, NULL), EOVERFLOW, "far beyond");

	test_errno(vm_bind(&vm, 0x80000000UL, BUF_SIZE, wc, 0, NULL), ENXIO, "no slot there");
	test_errno(vm_bind(&vm, WINDOW_GPA - 4096, BUF_SIZE, wc, 0, NULL), ENXIO,
		   "starts before the slot");
	test_errno(vm_bind(&vm, WINDOW_GPA + WINDOW_SIZE - 4096, BUF_SIZE, wc, 0, NULL), ENXIO,
		   "ends behind the slot");
	test_errno(vm_unbind(&vm, 0x80000000UL, BUF_SIZE), ENXIO, "unbind: no slot there");
	test_errno(vm_bind(&vm, 0xfffbd000UL, 4096, wc, 0, NULL), ENXIO, "a slot of KVM's own");
}

static void refuse_slot_edge(void)
{
	uint8_t *two = mmap(NULL, BUF_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* The buffer is mapped as a whole, but two slots share it. */
	buffer_map_at(two, wc, BUF_SIZE, 0);
	test_assert(!vm_set_slot(&vm, 2, 0x40000000, BUF_SIZE / 2, two, 0));
	test_assert(!vm_set_slot(&vm, 3, 0x40000000 + BUF_SIZE / 2, BUF_SIZE / 2,
				 two + BUF_SIZE / 2, 0));
	test_errno(vm_bind(&vm, 0x40000000, BUF_SIZE, wc, 0, NULL), ENXIO, "across two slots");
	test_errno(vm_bind(&vm, 0x40000000, BUF_SIZE / 2, wc, 0, NULL), 0, "each by itself: first");
	test_errno(vm_bind(&vm, 0x40000000 + BUF_SIZE / 2, BUF_SIZE / 2, wc, BUF_SIZE / 2, NULL), 0,
		   "each by itself: second");
	vm_set_slot(&vm, 2, 0, 0, NULL, 0);
	vm_set_slot(&vm, 3, 0, 0, NULL, 0);
	munmap(two, BUF_SIZE);
}

static void refuse_overlap(void)
{
	test_errno(vm_bind(&vm, WINDOW_GPA + 0x4000, 0x4000, wc, 0x4000, NULL), 0, "bind the middle");
	test_errno(vm_bind(&vm, WINDOW_GPA + 0x4000, 0x4000, wc, 0x4000, NULL), EEXIST, "again");
	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE, wc, 0, NULL), EEXIST, "around it");
	test_errno(vm_bind(&vm, WINDOW_GPA + 0x3000, 0x2000, wc, 0x3000, NULL), EEXIST, "its start");
	test_errno(vm_bind(&vm, WINDOW_GPA + 0x7000, 0x2000, wc, 0x7000, NULL), EEXIST, "its end");
	test_errno(vm_bind(&vm, WINDOW_GPA + 0x5000, 0x1000, wc, 0x5000, NULL), EEXIST, "inside it");
	test_errno(vm_bind(&vm, WINDOW_GPA, 0x4000, wc, 0, NULL), 0, "just before it");
	test_errno(vm_bind(&vm, WINDOW_GPA + 0x8000, 0x8000, wc, 0x8000, NULL), 0, "just behind it");

	test_errno(vm_unbind(&vm, WINDOW_GPA, BUF_SIZE), ENOENT, "unbind all three at once");
	test_errno(vm_unbind(&vm, WINDOW_GPA + 0x4000, 0x1000), ENOENT, "unbind a part");
	test_errno(vm_unbind(&vm, WINDOW_GPA + 0x5000, 0x3000), ENOENT, "unbind the other part");
	test_errno(vm_unbind(&vm, WINDOW_GPA, 0x4000), 0, "unbind the first");
	test_errno(vm_unbind(&vm, WINDOW_GPA + 0x4000, 0x4000), 0, "unbind the middle");
	test_errno(vm_unbind(&vm, WINDOW_GPA + 0x8000, 0x8000), 0, "unbind the last");
	test_errno(vm_unbind(&vm, WINDOW_GPA + 0x4000, 0x4000), ENOENT, "unbind twice");
	test_errno(vm_unbind(&vm, WINDOW_GPA + 0x100000, 0x4000), ENOENT, "unbind nothing");
}

static void refuse_mappings(void)
{
	const size_t at = 0x100000;
	const uint64_t gpa = WINDOW_GPA + at;
	int other = buffer_heap("system-wc", BUF_SIZE);
	int memfd = memfd_create("not-the-buffer", MFD_CLOEXEC);

	test_assert(memfd >= 0 && !ftruncate(memfd, BUF_SIZE));

	test_errno(vm_bind(&vm, gpa, BUF_SIZE, wc, 0, NULL), EACCES, "private anonymous memory");

	munmap(window + at, BUF_SIZE);
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, wc, 0, NULL), EADDRNOTAVAIL, "nothing mapped");

	window_clear(at, BUF_SIZE);
	buffer_map_at(window + at, wc, BUF_SIZE, 0);
	munmap(window + at + 0x8000, 0x1000);
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, wc, 0, NULL), EADDRNOTAVAIL, "a hole in the mapping");

	buffer_map_at(window + at, other, BUF_SIZE, 0);
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, wc, 0, NULL), EXDEV, "another buffer of its kind");

	buffer_map_at(window + at, wc, BUF_SIZE, 0);
	buffer_map_at(window + at + 0x8000, other, 0x1000, 0x8000);
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, wc, 0, NULL), EXDEV, "one page of another buffer");

	buffer_map_at(window + at, memfd, BUF_SIZE, 0);
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, wc, 0, NULL), EXDEV, "a memfd");

	buffer_map_at(window + at, wc, BUF_SIZE / 2, 0x4000);
	test_errno(vm_bind(&vm, gpa, BUF_SIZE / 2, wc, 0, NULL), ESPIPE, "mapped from 0x4000 on");
	test_errno(vm_bind(&vm, gpa, BUF_SIZE / 2, wc, 0x5000, NULL), ESPIPE, "offset 0x5000");
	test_errno(vm_bind(&vm, gpa, BUF_SIZE / 2, wc, 0x4000, NULL), 0, "offset 0x4000 binds");
	test_errno(vm_unbind(&vm, gpa, BUF_SIZE / 2), 0, "and unbinds");

	buffer_map_at(window + at, wc, BUF_SIZE, 0);
	buffer_map_at(window + at + 0x8000, wc, 0x1000, 0);
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, wc, 0, NULL), ESPIPE, "one page out of order");

	window_clear(at, BUF_SIZE);
	close(memfd);
	close(other);
}

static void refuse_types(void)
{
	const uint32_t reg = DMAPAT_MOCK_REGISTERED;
	const size_t at = 0x200000;
	const uint64_t gpa = WINDOW_GPA + at;
	uint32_t memtype;
	int fd;

	fd = buffer_mock(BUF_SIZE, reg, DMABUF_MEMTYPE_WB, DMABUF_MEMTYPE_WB, DMABUF_MEMTYPE_WC);
	buffer_map_at(window + at, fd, BUF_SIZE, 0);
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, fd, 0, NULL), EMEDIUMTYPE,
		   "exporter says WC, mapping is WB");
	close(fd);

	fd = buffer_mock(BUF_SIZE, reg, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_UC);
	buffer_map_at(window + at, fd, BUF_SIZE, 0);
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, fd, 0, NULL), EMEDIUMTYPE,
		   "exporter says UC, mapping is WC");
	close(fd);

	fd = buffer_mock(BUF_SIZE, reg, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_WC);
	buffer_map_at(window + at, fd, BUF_SIZE, 0);
	test_assert(!mock_fail(fd, DMAPAT_MOCK_OP_FAULT, 0, EIO));
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, fd, 0, NULL), ENODATA, "no page to read a type from");
	test_assert(!mock_fail(fd, DMAPAT_MOCK_OP_MEMTYPE, 0, EIO));
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, fd, 0, NULL), EIO, "exporter's own error comes through");
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, fd, 0, &memtype), 0, "then it binds");
	test_eq(memtype, DMABUF_MEMTYPE_WC, "as WC");

	/* The type changes behind everybody's back: the next bind sees two answers. */
	test_errno(vm_unbind(&vm, gpa, BUF_SIZE), 0, "unbind");
	test_assert(!mock_change(fd, 0, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_UC));
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, fd, 0, NULL), EMEDIUMTYPE, "type that changed");
	window_clear(at, BUF_SIZE);
	close(fd);

	fd = buffer_mock(BUF_SIZE, DMAPAT_MOCK_DYNAMIC, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_WC, 0);
	buffer_map_at(window + at, fd, BUF_SIZE, 0);
	test_assert(!mock_fail(fd, DMAPAT_MOCK_OP_ATTACH, 0, ENOMEM));
	test_errno(vm_bind(&vm, gpa, BUF_SIZE, fd, 0, NULL), ENOMEM, "no memory for the attachment");
	window_clear(at, BUF_SIZE);
	close(fd);
}

/* As TTM drivers do: vm_pgoff is the buffer's place in the device's address space. */
static void refuse_device_offsets(void)
{
	const size_t at = 0x200000;
	const uint64_t gpa = WINDOW_GPA + at;
	const uint64_t device = 1UL << 32;
	int fd = buffer_mock(BUF_SIZE, DMAPAT_MOCK_NODE, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_WC, 0);

	buffer_map_at(window + at, fd, BUF_SIZE / 2, 0x4000);
	test_errno(vm_bind(&vm, gpa, BUF_SIZE / 2, fd, 0, NULL), ESPIPE, "device offset: from 0 on");
	test_errno(vm_bind(&vm, gpa, BUF_SIZE / 2, fd, device, NULL), EOVERFLOW,
		   "device offset: as buffer offset");
	test_errno(vm_bind(&vm, gpa, BUF_SIZE / 2, fd, 0x4000, NULL), 0, "device offset: binds");
	test_errno(vm_unbind(&vm, gpa, BUF_SIZE / 2), 0, "device offset: unbinds");
	window_clear(at, BUF_SIZE);
	close(fd);
}

static void refuse_query(void)
{
	struct kvm_memtype memtype;

	test_errno(vm_get_memtype(&vm, 0x80000000UL, &memtype), ENXIO, "query: no slot there");
	munmap(window + 0x300000, 4096);
	test_errno(vm_get_memtype(&vm, WINDOW_GPA + 0x300000, &memtype), EADDRNOTAVAIL,
		   "query: nothing mapped at the slot's hva");
	window_clear(0x300000, 4096);
}

static void refuse_other_process(void)
{
	struct kvm_memtype memtype;
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(vm_bind(&vm, WINDOW_GPA, BUF_SIZE, wc, 0, NULL) == EIO &&
		      vm_get_memtype(&vm, WINDOW_GPA, &memtype) == EIO ? 0 : 1);
	test_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
	test_ok(WIFEXITED(status) && !WEXITSTATUS(status), "a forked child gets EIO");
}

int main(void)
{
	struct dmapat_mock_stats stats;
	uint32_t memtype;
	int fds;

	vm_create(&vm, 0);
	mock_stats(&stats);
	window = mmap(NULL, WINDOW_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		      -1, 0);
	test_assert(window != MAP_FAILED);
	test_assert(!vm_set_slot(&vm, 1, WINDOW_GPA, WINDOW_SIZE, window, 0));
	wc = buffer_heap("system-wc", BUF_SIZE);
	buffer_map_at(window, wc, BUF_SIZE, 0);
	fds = count_fds();

	test_eq(ioctl(vm.kvm, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF), CAPABILITIES,
		"capability, on /dev/kvm");
	test_eq(ioctl(vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF), CAPABILITIES,
		"capability, on the VM");

	refuse_fds();
	refuse_fields();
	refuse_ranges();
	refuse_slot_edge();
	refuse_overlap();
	refuse_mappings();
	refuse_types();
	refuse_device_offsets();
	refuse_query();
	refuse_other_process();

	test_errno(vm_bind(&vm, WINDOW_GPA, BUF_SIZE, wc, 0, &memtype), 0, "after all that, it binds");
	test_eq(memtype, DMABUF_MEMTYPE_WC, "as WC");
	test_eq(count_fds(), fds, "no fd leaked");
	mock_stats(&stats);
	test_eq((long long)stats.buffers, 0, "no buffer leaked");
	test_eq((long long)stats.attachments, 0, "no attachment leaked");
	vm_destroy(&vm);
	return test_end();
}
