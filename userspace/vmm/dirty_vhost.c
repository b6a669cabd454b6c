// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log of a vhost-user back-end; see dirty_vhost.h.
 *
 * The back-end writes a page, then sets its bit; here bits are fetched and cleared in
 * one, then pages are read. The last sync() has the back-end stop its queues before it
 * looks (GET_VRING_BASE): each reply means that what the queue wrote is in the log.
 *
 * The log is ours, sealed: a back-end that ends or breaks the connection leaves what it
 * has noted, and cannot take the memory away. One that has gone before it is asked is no
 * reason not to migrate: the guest goes on without it here, too. One that goes, or does
 * not answer, when it is asked is: what it wrote last is not known.
 */
#include "vmm/dirty_vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/dirty_source.h"
#include "vmm/frontend.h"
#include "vmm/util.h"
#include "vmm/vm.h"

#define BITS	64u

_Static_assert(VHOST_USER_LOG_PAGE == VMM_PAGE_SIZE, "a bit is a page");

struct dirty_vhost {
	struct dirty_source source;
	struct frontend *fe;
	const struct dirty_sink *sink;
	int fd;
	uint64_t *words;	/* the log: bit 0 is guest address 0, where RAM starts */
	uint64_t nr_words;
};

static int dirty_vhost__map(struct dirty_vhost *v, struct error *err)
{
	uint64_t pages = v->fe->vm->ram.size / VMM_PAGE_SIZE;
	void *map;

	v->nr_words = (pages + BITS - 1) / BITS;
	v->fd = memfd_create("dmapat-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (v->fd < 0)
		return error__set(err, errno, "memfd_create: %s", strerror(errno));
	if (ftruncate(v->fd, v->nr_words * sizeof(*v->words)) < 0 ||
	    fcntl(v->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		error__set(err, errno, "log of %" PRIu64 " pages: %s", pages, strerror(errno));
		goto out;
	}
	map = mmap(NULL, v->nr_words * sizeof(*v->words), PROT_READ | PROT_WRITE, MAP_SHARED,
		   v->fd, 0);
	if (map == MAP_FAILED) {
		error__set(err, errno, "log of %" PRIu64 " pages: mmap: %s", pages,
			   strerror(errno));
		goto out;
	}
	v->words = map;
	return 0;
out:
	close(v->fd);
	return -ENOMEM;
}

static void dirty_vhost__unmap(struct dirty_vhost *v)
{
	munmap(v->words, v->nr_words * sizeof(*v->words));
	close(v->fd);
}

static int dirty_vhost__start(struct dirty_source *s, const struct dirty_sink *sink,
			      struct error *err)
{
	struct dirty_vhost *v = container_of(s, struct dirty_vhost, source);
	int r;

	r = dirty_vhost__map(v, err);
	if (r)
		return r;
	v->sink = sink;
	r = frontend__log(v->fe, FRONTEND_SCRIPT_LOG_ON, v->fd,
			  v->nr_words * sizeof(*v->words), err);
	if (!r || r == -ENOTCONN)
		return 0;
	dirty_vhost__unmap(v);
	return r;
}

static int dirty_vhost__sync(struct dirty_source *s, bool last, struct error *err)
{
	struct dirty_vhost *v = container_of(s, struct dirty_vhost, source);
	uint64_t i, word;
	int r = 0;

	if (last)
		r = frontend__log(v->fe, FRONTEND_SCRIPT_STOP_QUEUES, -1, 0, err);
	if (r && r != -ENOTCONN)
		return r;
	for (i = 0; i < v->nr_words; i++) {
		if (!__atomic_load_n(&v->words[i], __ATOMIC_RELAXED))
			continue;
		word = __atomic_exchange_n(&v->words[i], 0, __ATOMIC_SEQ_CST);
		dirty_sink__words(v->sink, VM_SLOT_RAM, i * BITS, &word, BITS);
	}
	return 0;
}

static void dirty_vhost__stop(struct dirty_source *s)
{
	struct dirty_vhost *v = container_of(s, struct dirty_vhost, source);

	frontend__log_off(v->fe);
	dirty_vhost__unmap(v);
}

static void dirty_vhost__free(struct dirty_source *s)
{
	free(container_of(s, struct dirty_vhost, source));
}

static const struct dirty_source_ops dirty_vhost__ops = {
	.start = dirty_vhost__start,
	.sync = dirty_vhost__sync,
	.stop = dirty_vhost__stop,
	.free = dirty_vhost__free,
};

struct dirty_source *dirty_vhost__create(struct frontend *fe)
{
	struct dirty_vhost *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	*v = (struct dirty_vhost) {
		.source = { .ops = &dirty_vhost__ops, .exact = true },
		.fe = fe,
	};
	snprintf(v->source.name, sizeof(v->source.name), "gpu-proc %u: vhost-user log",
		 fe->index);
	return &v->source;
}
