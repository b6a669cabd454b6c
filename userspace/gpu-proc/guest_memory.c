// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's memory: SET_MEM_TABLE maps it, the rings and the requests in them
 * lie in it; and the log that SET_LOG_BASE maps, in which every page of it that is
 * written here is noted. Called by session_request.c and queue.c. A front-end that
 * shrinks a file behind either ends this process with SIGBUS; nobody else is hurt by
 * that.
 */
#include "guest_memory.h"
#include "log.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool wraps(uint64_t start, uint64_t len)
{
	return len && start + (len - 1) < start;
}

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a <= b + (b_len - 1) && b <= a + (a_len - 1);
}

static int check_region(const struct vhost_user_memory *table, unsigned int i)
{
	const struct vhost_user_region *r = &table->regions[i], *o;
	unsigned int j;

	if (!r->size || wraps(r->guest_phys_addr, r->size) || wraps(r->user_addr, r->size) ||
	    r->size > INT64_MAX || r->mmap_offset > INT64_MAX - r->size) {
		log_error("memory region %u: size 0x%llx at guest 0x%llx, user 0x%llx, file offset 0x%llx: empty, or wraps around",
			  i, (unsigned long long)r->size, (unsigned long long)r->guest_phys_addr,
			  (unsigned long long)r->user_addr, (unsigned long long)r->mmap_offset);
		return -1;
	}
	for (j = 0; j < i; j++) {
		o = &table->regions[j];
		if (overlap(r->guest_phys_addr, r->size, o->guest_phys_addr, o->size)) {
			log_error("memory region %u at guest 0x%llx+0x%llx overlaps region %u at 0x%llx+0x%llx",
				  i, (unsigned long long)r->guest_phys_addr,
				  (unsigned long long)r->size, j,
				  (unsigned long long)o->guest_phys_addr,
				  (unsigned long long)o->size);
			return -1;
		}
		if (overlap(r->user_addr, r->size, o->user_addr, o->size)) {
			log_error("memory region %u at user 0x%llx+0x%llx overlaps region %u at 0x%llx+0x%llx",
				  i, (unsigned long long)r->user_addr, (unsigned long long)r->size,
				  j, (unsigned long long)o->user_addr,
				  (unsigned long long)o->size);
			return -1;
		}
	}
	return 0;
}

static int map_region(struct guest_region *region, const struct vhost_user_region *desc,
		      unsigned int i, int fd)
{
	size_t skip = desc->mmap_offset % sysconf(_SC_PAGESIZE);
	unsigned long long end = desc->mmap_offset + desc->size;
	struct stat st;

	if (fstat(fd, &st) < 0) {
		log_error("memory region %u: cannot ask for the size of its file: %m", i);
		return -1;
	}
	if ((uint64_t)st.st_size < end) {
		log_error("memory region %u: ends at byte 0x%llx of its file, which has 0x%llx", i,
			  end, (unsigned long long)st.st_size);
		return -1;
	}
	region->desc = *desc;
	region->map_len = desc->size + skip;
	region->map = mmap(NULL, region->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   desc->mmap_offset - skip);
	if (region->map == MAP_FAILED) {
		log_error("memory region %u: cannot map 0x%llx bytes: %m", i,
			  (unsigned long long)desc->size);
		return -1;
	}
	region->base = (char *)region->map + skip;
	return 0;
}

static int map_log(struct guest_log *log, const struct vhost_user_log *desc, int fd)
{
	size_t skip = desc->mmap_offset % sysconf(_SC_PAGESIZE);
	unsigned long long end;
	struct stat st;

	if (!desc->mmap_size || desc->mmap_size > INT64_MAX ||
	    desc->mmap_offset > INT64_MAX - desc->mmap_size) {
		log_error("dirty log: 0x%llx bytes at file offset 0x%llx: empty, or wraps around",
			  (unsigned long long)desc->mmap_size,
			  (unsigned long long)desc->mmap_offset);
		return -1;
	}
	if (fstat(fd, &st) < 0) {
		log_error("dirty log: cannot ask for the size of its file: %m");
		return -1;
	}
	end = desc->mmap_offset + desc->mmap_size;
	if ((uint64_t)st.st_size < end) {
		log_error("dirty log: ends at byte 0x%llx of its file, which has 0x%llx", end,
			  (unsigned long long)st.st_size);
		return -1;
	}
	log->map_len = desc->mmap_size + skip;
	log->map = mmap(NULL, log->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			desc->mmap_offset - skip);
	if (log->map == MAP_FAILED) {
		log_error("dirty log: cannot map 0x%llx bytes: %m",
			  (unsigned long long)desc->mmap_size);
		return -1;
	}
	log->bits = (uint8_t *)log->map + skip;
	log->bytes = desc->mmap_size;
	return 0;
}

static bool covers(const struct guest_log *log, uint64_t gpa, uint64_t len)
{
	return !wraps(gpa, len) && (gpa + (len - 1)) / VHOST_USER_LOG_PAGE / 8 < log->bytes;
}

/* Every region of the map must have its place in the log. */
static int check_covered(const struct guest_log *log, const struct vhost_user_region *r,
			 unsigned int i)
{
	if (covers(log, r->guest_phys_addr, r->size))
		return 0;
	log_error("dirty log: 0x%llx bytes do not cover memory region %u at guest 0x%llx+0x%llx",
		  (unsigned long long)log->bytes, i, (unsigned long long)r->guest_phys_addr,
		  (unsigned long long)r->size);
	return -1;
}

static void unmap_log(struct guest_log *log)
{
	if (log->map)
		munmap(log->map, log->map_len);
	log->map = NULL;
}

int guest_memory_set_log(struct guest_memory *memory, const struct vhost_user_log *desc, int fd)
{
	struct guest_log new = { .on = memory->log.on, .event = memory->log.event };
	unsigned int i;

	if (map_log(&new, desc, fd) < 0)
		return -1;
	for (i = 0; i < memory->count; i++) {
		if (check_covered(&new, &memory->regions[i].desc, i) < 0) {
			unmap_log(&new);
			return -1;
		}
	}
	unmap_log(&memory->log);
	memory->log = new;
	return 0;
}

void guest_memory_set_log_event(struct guest_memory *memory, int fd)
{
	if (memory->log.event >= 0)
		close(memory->log.event);
	memory->log.event = fd;
}

void guest_memory_clear_log(struct guest_memory *memory)
{
	unmap_log(&memory->log);
	guest_memory_set_log_event(memory, -1);
	memory->log.on = false;
}

bool guest_memory_logs(const struct guest_memory *memory, uint64_t gpa, uint64_t len)
{
	return memory->log.map && covers(&memory->log, gpa, len);
}

void guest_memory_mark(const struct guest_memory *memory, uint64_t gpa, uint64_t len)
{
	uint64_t page, last;

	if (!memory->log.on || !len || !guest_memory_logs(memory, gpa, len))
		return;
	last = (gpa + (len - 1)) / VHOST_USER_LOG_PAGE;
	/* The front-end takes bits away meanwhile. */
	for (page = gpa / VHOST_USER_LOG_PAGE; page <= last; page++)
		__atomic_fetch_or(&memory->log.bits[page / 8], 1u << page % 8, __ATOMIC_SEQ_CST);
}

void guest_memory_announce(const struct guest_memory *memory)
{
	uint64_t one = 1;
	ssize_t ret;

	if (!memory->log.on || memory->log.event < 0)
		return;
	/* Full is as good as written: it is readable. */
	ret = write(memory->log.event, &one, sizeof(one));
	(void)ret;
}

void guest_memory_init(struct guest_memory *memory)
{
	*memory = (struct guest_memory){ .log.event = -1 };
}

/* The map alone. */
static void unmap_regions(struct guest_memory *memory)
{
	while (memory->count) {
		memory->count--;
		munmap(memory->regions[memory->count].map,
		       memory->regions[memory->count].map_len);
	}
}

int guest_memory_set(struct guest_memory *memory, const struct vhost_user_memory *table,
		     const int *fds)
{
	struct guest_memory new = { .log = memory->log };
	unsigned int i;

	for (i = 0; i < table->nregions; i++) {
		if (check_region(table, i) < 0 ||
		    (new.log.map && check_covered(&new.log, &table->regions[i], i) < 0) ||
		    map_region(&new.regions[i], &table->regions[i], i, fds[i]) < 0) {
			unmap_regions(&new);
			return -1;
		}
		new.count++;
	}
	unmap_regions(memory);
	*memory = new;
	return 0;
}

void guest_memory_clear(struct guest_memory *memory)
{
	unmap_regions(memory);
	guest_memory_clear_log(memory);
}

static void *find(const struct guest_memory *memory, uint64_t addr, uint64_t len, bool guest)
{
	unsigned int i;

	for (i = 0; i < memory->count; i++) {
		const struct guest_region *r = &memory->regions[i];
		uint64_t start = guest ? r->desc.guest_phys_addr : r->desc.user_addr;

		if (addr >= start && len <= r->desc.size && addr - start <= r->desc.size - len)
			return r->base + (addr - start);
	}
	return NULL;
}

void *guest_memory_from_guest(const struct guest_memory *memory, uint64_t gpa, uint64_t len)
{
	return find(memory, gpa, len, true);
}

void *guest_memory_from_user(const struct guest_memory *memory, uint64_t addr, uint64_t len)
{
	return find(memory, addr, len, false);
}
