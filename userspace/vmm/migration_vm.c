// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a migration reaches the VM: its description, its dirty log, its run state,
 * its vCPUs and devices. Everything here runs in the migration's thread; what the
 * control socket can change meanwhile is under m->lock.
 */
#include "vmm/migration_vm.h"

#include <errno.h>
#include <linux/dmabuf_memtype.h>
#include <linux/kvm_dmabuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/control.h"
#include "vmm/dirty_bitmap.h"
#include "vmm/dirty_buffer.h"
#include "vmm/dirty_marks.h"
#include "vmm/dirty_ring.h"
#include "vmm/dirty_vhost.h"
#include "vmm/migration_cpu.h"
#include "vmm/migration_memory.h"
#include "vmm/options.h"
#include "vmm/util.h"
#include "vmm/vcpu.h"

static void describe_ram(struct vm *vm, struct migration_region *r)
{
	*r = (struct migration_region) {
		.name = "RAM",
		.kind = MIGRATION_RAM,
		.memtype = DMABUF_MEMTYPE_WB,
		.gpa = vm->ram.gpa,
		.size = vm->ram.size,
		.hva = vm->ram.hva,
		.fd = vm->ram.fd,
		.slot = vm->ram.slot,
	};
}

static void describe_buffer(struct vm *vm, const struct buffer *buf, struct migration_region *r)
{
	*r = (struct migration_region) {
		.kind = MIGRATION_BUFFER,
		.memtype = buf->memtype,
		.gpa = vm->window.gpa + buf->offset,
		.size = buf->size,
		.hva = buf->hva,
		.fd = buf->fd,
		.slot = vm->window.slot,
		.slot_page = buf->offset >> MIGRATION_PAGE_SHIFT,
	};
	snprintf(r->name, sizeof(r->name), "%s", buf->name);
}

static void release(void *opaque)
{
	struct migration *m = opaque;

	window__thaw(&m->vm->window);
}

static int describe(struct migration *m, struct migration_machine *machine, struct error *err)
{
	struct vm *vm = m->vm;
	unsigned int i;
	int cap;

	window__freeze(&vm->window);
	if (vm->window.nr_buffers >= MIGRATION_MAX_REGIONS) {
		release(m);
		return error__set(err, E2BIG, "%u buffers, a migration has room for %d",
				  vm->window.nr_buffers, MIGRATION_MAX_REGIONS - 1);
	}
	memset(machine, 0, sizeof(*machine));
	cap = ioctl(vm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF);
	machine->bind = vm->options->bind == BIND_REQUIRE && cap > 0 &&
			(cap & KVM_DMA_BUF_HAS_BIND);
	machine->nr_vcpus = vm->nr_vcpus;
	machine->window_gpa = vm->window.gpa;
	machine->window_size = vm->window.size;
	describe_ram(vm, &machine->regions[0]);
	for (i = 0; i < vm->window.nr_buffers; i++)
		describe_buffer(vm, vm->window.buffers[i], &machine->regions[1 + i]);
	machine->nr_regions = 1 + i;
	return 0;
}

/* What the guest counts on: the CPUID that it was given, here or at its first host. */
static int source_describe(void *opaque, struct migration_machine *machine, struct error *err)
{
	struct migration *m = opaque;
	const struct kvm_cpuid2 *cpuid = m->vm->vcpus[0].cpuid;
	int ret;

	ret = describe(m, machine, err);
	if (!ret)
		migration_cpu__words(machine, cpuid->entries, cpuid->nent);
	return ret;
}

/* What this host can give. */
static int destination_describe(void *opaque, struct migration_machine *machine,
				struct error *err)
{
	struct migration *m = opaque;
	int ret;

	ret = describe(m, machine, err);
	if (ret)
		return ret;
	ret = migration_cpu__host_words(machine, m->vm->sys_fd, err);
	if (ret)
		release(m);
	else
		migration__set_status(m, MIGRATION_ACTIVE);
	return ret;
}

static void mark_page(const struct dirty_sink *sink, uint32_t slot, uint64_t page)
{
	struct migration *m = container_of(sink, struct migration, sink);

	migration_memory__mark(m->memory, slot, page);
}

/* Everybody who may write guest memory. */
static int add_sources(struct migration *m, struct error *err)
{
	struct dirty_sources *sources = &m->sources;
	struct vm *vm = m->vm;
	unsigned int i;
	int ret;

	ret = dirty_sources__add(sources, vm->dirty_ring_entries ? dirty_ring__create(vm) :
				 dirty_bitmap__create(vm), err);
	if (!ret)
		ret = dirty_sources__add(sources, dirty_marks__create(vm), err);
	for (i = 0; !ret && i < vm->nr_gpus; i++)
		ret = dirty_sources__add(sources, dirty_vhost__create(vm->gpus[i]), err);
	for (i = 0; !ret && i < vm->window.nr_buffers; i++)
		ret = dirty_sources__add(sources, dirty_buffer__create(&vm->window,
								       vm->window.buffers[i]),
					 err);
	return ret;
}

static int log_start(void *opaque, struct migration_memory *mem, struct error *err)
{
	struct migration *m = opaque;
	int ret;

	m->memory = mem;
	m->sink.page = mark_page;
	ret = add_sources(m, err);
	if (!ret)
		ret = dirty_sources__start(&m->sources, &m->sink, err);
	if (ret)
		dirty_sources__free(&m->sources);
	else
		migration__set_status(m, MIGRATION_ACTIVE);
	return ret;
}

static void note_sources(struct migration *m)
{
	const struct dirty_source *s;
	unsigned int i;

	pthread_mutex_lock(&m->lock);
	m->nr_reports = m->sources.nr;
	for (i = 0; i < m->sources.nr; i++) {
		s = m->sources.all[i];
		memcpy(m->reports[i].name, s->name, sizeof(s->name));
		m->reports[i].exact = s->exact;
		m->reports[i].pages = s->pages;
		m->reports[i].writers = s->writers;
	}
	pthread_mutex_unlock(&m->lock);
}

static int log_sync(void *opaque, bool last, struct migration_dirty *dirty, struct error *err)
{
	struct migration *m = opaque;
	int ret;

	ret = dirty_sources__sync(&m->sources, last, err);
	note_sources(m);
	if (ret)
		return ret;
	dirty->pages = migration_memory__collect(m->memory);
	dirty->floor = dirty_sources__floor(&m->sources);
	return 0;
}

static void log_stop(void *opaque)
{
	struct migration *m = opaque;

	dirty_sources__stop(&m->sources);
	dirty_sources__free(&m->sources);
	m->memory = NULL;
}

static int source_throttle(void *opaque, unsigned int percent, struct error *err)
{
	struct migration *m = opaque;

	return vcpu_throttle__set(m->vm, percent, err);
}

static cJSON *report_writers(uint32_t writers)
{
	static const char * const names[] = {
		"cpu-mapping", "device", "fence", "cpu-access", "kernel",
	};
	cJSON *out = cJSON_CreateArray();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (writers & 1u << i)
			cJSON_AddItemToArray(out, cJSON_CreateString(names[i]));
	return out;
}

void migration_vm__report_sources(const struct migration *m, cJSON *out)
{
	cJSON *list = cJSON_AddArrayToObject(out, "sources"), *item;
	unsigned int i;

	for (i = 0; i < m->nr_reports; i++) {
		item = cJSON_CreateObject();
		cJSON_AddStringToObject(item, "name", m->reports[i].name);
		cJSON_AddBoolToObject(item, "exact", m->reports[i].exact);
		cJSON_AddNumberToObject(item, "pages", m->reports[i].pages);
		if (m->reports[i].writers)
			cJSON_AddItemToObject(item, "writers",
					      report_writers(m->reports[i].writers));
		cJSON_AddItemToArray(list, item);
	}
}

static int check_cancel(struct migration *m, struct error *err)
{
	return m->cancel ? error__set(err, ECANCELED, "migration cancelled") : 0;
}

static int source_pause(void *opaque, bool *ran, struct error *err)
{
	struct migration *m = opaque;
	enum vm_status before;
	int ret;

	/* From here on cont and stop are refused. */
	pthread_mutex_lock(&m->lock);
	ret = check_cancel(m, err);
	pthread_mutex_unlock(&m->lock);
	if (ret)
		return ret;
	migration__set_status(m, MIGRATION_PRE_SWITCHOVER);

	before = vm__pause(m->vm, VM_FINISH_MIGRATE);
	switch (before) {
	case VM_RUNNING:
	case VM_PAUSED:
	case VM_PRELAUNCH:
		m->status_before = before;
		*ran = before == VM_RUNNING;
		return 0;
	case VM_INMIGRATE:
	case VM_FINISH_MIGRATE:
	case VM_POSTMIGRATE:
	case VM_INTERNAL_ERROR:
	case VM_SHUTDOWN:
		break;
	}
	vm__set_status(m->vm, before);
	return error__set(err, EPERM, "the guest cannot run any more: its status is %s",
			  vm__status_name(before));
}

static void source_resume(void *opaque)
{
	struct migration *m = opaque;
	struct error err = { "" };
	bool exiting;

	pthread_mutex_lock(&m->lock);
	exiting = m->exiting;
	pthread_mutex_unlock(&m->lock);
	if (m->status_before == VM_RUNNING && !exiting)
		vm__resume(m->vm, &err);
	else
		vm__set_status(m->vm, exiting ? VM_PAUSED : m->status_before);
}

static int source_save(void *opaque, struct migration_source *src, struct error *err)
{
	struct migration *m = opaque;
	struct migration_state state;
	int ret;

	if (migration_state__init(&state, m->vm->nr_vcpus))
		return error__set(err, ENOMEM, "no memory for the state of %u vCPUs",
				  m->vm->nr_vcpus);
	ret = migration_state__get(&state, m->vm, err);
	if (!ret)
		ret = migration_state__send(&state, src, err);
	migration_state__exit(&state);
	return ret;
}

static int source_commit(void *opaque, struct error *err)
{
	struct migration *m = opaque;
	int ret;

	pthread_mutex_lock(&m->lock);
	ret = check_cancel(m, err);
	m->committed = !ret;
	pthread_mutex_unlock(&m->lock);
	return ret;
}

static int source_unknown(void *opaque, const char *reason)
{
	struct migration *m = opaque;

	pthread_mutex_lock(&m->lock);
	snprintf(m->error.msg, sizeof(m->error.msg), "%s", reason);
	pthread_mutex_unlock(&m->lock);
	vm__set_status(m->vm, VM_PAUSED);
	migration__set_status(m, MIGRATION_OUTCOME_UNKNOWN);
	return m->force_fd;
}

static void source_progress(void *opaque, const struct migration_stats *stats)
{
	struct migration *m = opaque;
	bool pass;
	cJSON *data;

	pthread_mutex_lock(&m->lock);
	pass = stats->rounds != m->stats.rounds;
	m->stats = *stats;
	pthread_mutex_unlock(&m->lock);
	if (!pass)
		return;
	data = cJSON_CreateObject();
	cJSON_AddNumberToObject(data, "pass", stats->rounds);
	control__event(m->vm->control, "MIGRATION_PASS", data);
}

static int destination_load(void *opaque, uint32_t id, uint32_t instance, const uint8_t *data,
			    size_t len, struct error *err)
{
	struct migration *m = opaque;

	return migration_state__take(&m->state, id, instance, data, len, err);
}

static int destination_loaded(void *opaque, struct error *err)
{
	struct migration *m = opaque;
	int ret;

	ret = migration_state__check_complete(&m->state, err);
	if (ret)
		return ret;
	/* The vCPU threads have been started, and are on their way to where they wait. */
	vm__pause(m->vm, VM_INMIGRATE);
	return migration_state__set(&m->state, m->vm, err);
}

static void destination_start(void *opaque, bool runs)
{
	struct migration *m = opaque;
	struct error err = { "" };

	if (runs)
		vm__resume(m->vm, &err);
	else
		vm__set_status(m->vm, VM_PAUSED);
}

static void destination_progress(void *opaque, const struct migration_arrival *stats)
{
	struct migration *m = opaque;

	pthread_mutex_lock(&m->lock);
	m->arrival = *stats;
	pthread_mutex_unlock(&m->lock);
}

const struct migration_source_ops migration_vm__source_ops = {
	.describe = source_describe,
	.release = release,
	.log_start = log_start,
	.log_sync = log_sync,
	.log_stop = log_stop,
	.throttle = source_throttle,
	.pause = source_pause,
	.save = source_save,
	.commit = source_commit,
	.resume = source_resume,
	.unknown = source_unknown,
	.progress = source_progress,
};

const struct migration_destination_ops migration_vm__destination_ops = {
	.describe = destination_describe,
	.release = release,
	.load = destination_load,
	.loaded = destination_loaded,
	.start = destination_start,
	.progress = destination_progress,
};
