// SPDX-License-Identifier: GPL-2.0-or-later
/* Payload loader; see loader.h. Nothing in the file is trusted. */
#include "vmm/loader.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "vmm/file_map.h"
#include "vmm/memory.h"

static void *loader__hva(const struct memory *ram, uint64_t gpa, uint64_t size, const char *what,
			 struct error *err)
{
	void *hva = memory__hva(ram, gpa, size);

	if (!hva || gpa < BOOT_RESERVED_END) {
		error__set(err, ERANGE,
			   "%s [0x%" PRIx64 ", +0x%" PRIx64 ") is not in RAM [0x%x, 0x%" PRIx64 ")",
			   what, gpa, size, BOOT_RESERVED_END, ram->size);
		return NULL;
	}
	return hva;
}

static int loader__check_header(const Elf64_Ehdr *eh, size_t size, struct error *err)
{
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB ||
	    eh->e_machine != EM_X86_64)
		return error__set(err, ENOEXEC,
				  "ELF: class %d, byte order %d, machine %d: not x86-64",
				  eh->e_ident[EI_CLASS], eh->e_ident[EI_DATA], eh->e_machine);
	if (eh->e_type != ET_EXEC)
		return error__set(err, ENOEXEC, "ELF: type %d: not an executable (%d)", eh->e_type,
				  ET_EXEC);
	if (eh->e_phentsize != sizeof(Elf64_Phdr))
		return error__set(err, ENOEXEC, "ELF: program headers of %d bytes, not %zu",
				  eh->e_phentsize, sizeof(Elf64_Phdr));
	if (eh->e_phoff > size || (size - eh->e_phoff) / sizeof(Elf64_Phdr) < eh->e_phnum)
		return error__set(err, ENOEXEC,
				  "ELF: %d program headers at 0x%" PRIx64 " are beyond the file of 0x%zx bytes",
				  eh->e_phnum, (uint64_t)eh->e_phoff, size);
	return 0;
}

static int loader__segment(const struct memory *ram, const uint8_t *image, size_t size,
			   const Elf64_Phdr *ph, struct error *err)
{
	uint8_t *hva;

	if (ph->p_offset > size || ph->p_filesz > size - ph->p_offset)
		return error__set(err, ENOEXEC,
				  "ELF: segment at 0x%" PRIx64 ", 0x%" PRIx64 " bytes, is beyond the file of 0x%zx bytes",
				  (uint64_t)ph->p_offset, (uint64_t)ph->p_filesz, size);
	if (ph->p_filesz > ph->p_memsz)
		return error__set(err, ENOEXEC,
				  "ELF: segment has 0x%" PRIx64 " bytes in the file, 0x%" PRIx64 " in memory",
				  (uint64_t)ph->p_filesz, (uint64_t)ph->p_memsz);
	hva = loader__hva(ram, ph->p_paddr, ph->p_memsz, "ELF segment", err);
	if (!hva)
		return -ERANGE;
	memcpy(hva, image + ph->p_offset, ph->p_filesz);
	memset(hva + ph->p_filesz, 0, ph->p_memsz - ph->p_filesz);
	return 0;
}

static int loader__load_elf(const struct memory *ram, const uint8_t *image, size_t size,
			    uint64_t *entry, struct error *err)
{
	bool entry_found = false;
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	unsigned int i;
	int r;

	if (size < sizeof(eh))
		return error__set(err, ENOEXEC, "ELF: file of %zu bytes has no whole header", size);
	memcpy(&eh, image, sizeof(eh));
	r = loader__check_header(&eh, size, err);
	if (r < 0)
		return r;

	for (i = 0; i < eh.e_phnum; i++) {
		memcpy(&ph, image + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type != PT_LOAD || !ph.p_memsz)
			continue;
		r = loader__segment(ram, image, size, &ph, err);
		if (r < 0)
			return r;
		if (eh.e_entry >= ph.p_paddr && eh.e_entry - ph.p_paddr < ph.p_memsz)
			entry_found = true;
	}
	if (!entry_found)
		return error__set(err, ENOEXEC,
				  "ELF: no segment holds the entry point 0x%" PRIx64,
				  (uint64_t)eh.e_entry);
	*entry = eh.e_entry;
	return 0;
}

int loader__load_image(const struct memory *ram, const void *image, size_t size, uint64_t *entry,
		       struct error *err)
{
	void *hva;

	if (!size)
		return error__set(err, ENOEXEC, "the payload is empty");
	if (size >= SELFMAG && !memcmp(image, ELFMAG, SELFMAG))
		return loader__load_elf(ram, image, size, entry, err);

	hva = loader__hva(ram, LOADER_FLAT_GPA, size, "flat payload", err);
	if (!hva)
		return -ERANGE;
	memcpy(hva, image, size);
	*entry = LOADER_FLAT_GPA;
	return 0;
}

int loader__load(const struct memory *ram, const char *path, uint64_t *entry, struct error *err)
{
	struct error why = { 0 };
	struct file_map file;
	int r;

	r = file_map__open(&file, "payload", path, err);
	if (r < 0)
		return r;
	r = loader__load_image(ram, file.data, file.size, entry, &why);
	if (r < 0)
		error__set(err, -r, "payload %s: %s", path, why.msg);
	file_map__close(&file);
	return r;
}
