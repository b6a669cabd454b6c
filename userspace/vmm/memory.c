// SPDX-License-Identifier: GPL-2.0-or-later
/* Guest RAM and memslots; see memory.h. */
#include "vmm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/vm.h"

int memory__init(struct memory *mem, uint64_t size, struct error *err)
{
	void *hva;
	int r;

	*mem = (struct memory) { .fd = -1, .size = size, .slot = VM_SLOT_RAM };

	mem->fd = memfd_create("dmapat-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (mem->fd < 0)
		return error__set(err, errno, "guest RAM: memfd_create: %s", strerror(errno));
	if (ftruncate(mem->fd, size) < 0) {
		r = error__set(err, errno, "guest RAM: %" PRIu64 " bytes: %s", size,
			       strerror(errno));
		goto out;
	}
	if (fcntl(mem->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		r = error__set(err, errno, "guest RAM: seal: %s", strerror(errno));
		goto out;
	}
	hva = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, mem->fd, 0);
	if (hva == MAP_FAILED) {
		r = error__set(err, errno, "guest RAM: mmap of %" PRIu64 " bytes: %s", size,
			       strerror(errno));
		goto out;
	}
	mem->hva = hva;
	return 0;
out:
	memory__exit(mem);
	return r;
}

void memory__exit(struct memory *mem)
{
	if (mem->hva)
		munmap(mem->hva, mem->size);
	if (mem->fd >= 0)
		close(mem->fd);
	*mem = (struct memory) { .fd = -1 };
}

void *memory__hva(const struct memory *mem, uint64_t gpa, uint64_t len)
{
	if (gpa < mem->gpa || gpa - mem->gpa > mem->size || len > mem->size - (gpa - mem->gpa))
		return NULL;
	return mem->hva + (gpa - mem->gpa);
}
