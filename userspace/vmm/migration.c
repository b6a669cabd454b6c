// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migration as the control socket and main() see it: its status, its thread, its
 * report, and the arbitration of cont and stop. Entry points run in the event
 * loop's thread; source_thread() and destination_thread() are the other one.
 */
#include "vmm/migration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "vmm/control.h"
#include "vmm/exit_status.h"
#include "vmm/migration_channels.h"
#include "vmm/migration_clock.h"
#include "vmm/migration_pages.h"
#include "vmm/migration_stream.h"
#include "vmm/migration_vm.h"

#define MAX_MS	3600000u

static const char * const status_names[] = {
	[MIGRATION_NONE] = "none",
	[MIGRATION_SETUP] = "setup",
	[MIGRATION_ACTIVE] = "active",
	[MIGRATION_PRE_SWITCHOVER] = "pre-switchover",
	[MIGRATION_OUTCOME_UNKNOWN] = "outcome-unknown",
	[MIGRATION_COMPLETED] = "completed",
	[MIGRATION_FAILED] = "failed",
	[MIGRATION_CANCELLED] = "cancelled",
};

struct migration *migration__get(struct vm *vm)
{
	struct migration *m = vm->migration;

	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->force_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->cancel_fd < 0 || m->force_fd < 0) {
		if (m->cancel_fd >= 0)
			close(m->cancel_fd);
		free(m);
		return NULL;
	}
	m->vm = vm;
	m->source_ops = &migration_vm__source_ops;
	m->destination_ops = &migration_vm__destination_ops;
	m->listener.fd = -1;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->cond, NULL);
	vm->migration = m;
	return m;
}

static bool is_over(enum migration_status status)
{
	switch (status) {
	case MIGRATION_NONE:
	case MIGRATION_COMPLETED:
	case MIGRATION_FAILED:
	case MIGRATION_CANCELLED:
		return true;
	case MIGRATION_SETUP:
	case MIGRATION_ACTIVE:
	case MIGRATION_PRE_SWITCHOVER:
	case MIGRATION_OUTCOME_UNKNOWN:
		return false;
	}
	return false;
}

void migration__set_status(struct migration *m, enum migration_status status)
{
	cJSON *data = cJSON_CreateObject();

	cJSON_AddStringToObject(data, "status", status_names[status]);
	pthread_mutex_lock(&m->lock);
	if (is_over(status))
		m->end_ns = migration_clock__ns();
	m->status = status;
	if (m->error.msg[0])
		cJSON_AddStringToObject(data, "error", m->error.msg);
	pthread_cond_broadcast(&m->cond);
	pthread_mutex_unlock(&m->lock);
	control__event(m->vm->control, "MIGRATION", data);
}

static void order(int eventfd_fd)
{
	/* A counter that is full has been readable all along. */
	eventfd_write(eventfd_fd, 1);
}

static void set_error(struct migration *m, const struct error *err)
{
	pthread_mutex_lock(&m->lock);
	m->error = *err;
	pthread_mutex_unlock(&m->lock);
}

static void *source_thread(void *arg)
{
	struct migration *m = arg;
	struct migration_channel ch = {
		.fd = -1,
		.cancel_fd = m->cancel_fd,
		.timeout_ms = m->params.timeout_ms,
		.peer = "destination",
	};
	struct migration_source src = {
		.ops = m->source_ops,
		.opaque = m,
		.ch = &ch,
		.uri = m->uri,
		.params = m->params,
	};
	enum migration_outcome outcome = MIGRATION_STAYED;
	enum migration_status status;
	struct error err = { "" };

	if (!migration_channel__connect(&ch, m->uri, &err))
		outcome = migration_source__run(&src, &err);

	if (outcome == MIGRATION_MOVED) {
		vm__set_status(m->vm, VM_POSTMIGRATE);
		status = MIGRATION_COMPLETED;
		memset(&err, 0, sizeof(err));
		log_info("migrated to %s: %u passes, %" PRIu64 " pages, %" PRIu64 " ms of downtime",
			 m->uri, src.stats.rounds, src.stats.pages_sent, src.stats.downtime_ms);
	} else {
		pthread_mutex_lock(&m->lock);
		status = m->cancel && !m->committed ? MIGRATION_CANCELLED : MIGRATION_FAILED;
		pthread_mutex_unlock(&m->lock);
		log_warn("migration to %s: %s", m->uri, err.msg);
	}
	set_error(m, &err);
	migration__set_status(m, status);
	return NULL;
}

static void *destination_thread(void *arg)
{
	struct migration *m = arg;
	struct migration_channel ch = {
		.fd = -1,
		.cancel_fd = m->cancel_fd,
		.timeout_ms = MIGRATION_TIMEOUT_MS,
		.peer = "source",
	};
	struct migration_destination dst = {
		.ops = m->destination_ops,
		.opaque = m,
		.ch = &ch,
		.listener = &m->listener,
	};
	struct error err = { "" };
	int ret;

	ret = migration_listener__accept(&m->listener, &ch, &err);
	if (!ret)
		ret = migration_destination__run(&dst, &err);
	migration_listener__close(&m->listener);
	if (!ret) {
		migration__set_status(m, MIGRATION_COMPLETED);
		log_info("guest received at %s: %" PRIu64 " passes, %" PRIu64
			 " pages, %" PRIu64 " bytes verified", m->uri, dst.stats.rounds,
			 dst.stats.pages_received, dst.stats.bytes_verified);
		return NULL;
	}
	set_error(m, &err);
	migration__set_status(m, ret == -ECANCELED ? MIGRATION_CANCELLED : MIGRATION_FAILED);
	log_error("incoming migration at %s: %s: the guest does not run here", m->uri, err.msg);
	vm__exit(m->vm, EXIT_INCOMING);
	return NULL;
}

static enum migration_status status_of(struct migration *m)
{
	enum migration_status status;

	pthread_mutex_lock(&m->lock);
	status = m->status;
	pthread_mutex_unlock(&m->lock);
	return status;
}

static void join(struct migration *m)
{
	if (m->has_thread)
		pthread_join(m->thread, NULL);
	m->has_thread = false;
}

/* Everything back to the start, for a new thread. None runs. */
static void reset(struct migration *m, const char *uri, bool incoming)
{
	eventfd_t ignored;

	join(m);
	eventfd_read(m->cancel_fd, &ignored);
	eventfd_read(m->force_fd, &ignored);
	m->cancel = false;
	m->committed = false;
	m->incoming = incoming;
	snprintf(m->uri, sizeof(m->uri), "%s", uri);
	memset(&m->error, 0, sizeof(m->error));
	memset(&m->stats, 0, sizeof(m->stats));
	memset(&m->arrival, 0, sizeof(m->arrival));
	m->begin_ns = migration_clock__ns();
	m->nr_reports = 0;
}

static int start_thread(struct migration *m, void *(*fn)(void *), struct error *err)
{
	int ret;

	migration__set_status(m, MIGRATION_SETUP);
	ret = pthread_create(&m->thread, NULL, fn, m);
	if (ret) {
		migration__set_status(m, MIGRATION_FAILED);
		return error__set(err, ret, "migration thread: %s", strerror(ret));
	}
	m->has_thread = true;
	return 0;
}

/* The destination waits for a record no longer than for a silent peer. */
static int check_bandwidth(const struct migration_params *p, struct error *err)
{
	uint64_t least = 2000ULL * MIGRATION_MAX_PAYLOAD * p->channels / p->timeout_ms + 1;

	if (p->bandwidth && p->bandwidth < least)
		return error__set(err, EINVAL,
				  "bandwidth %" PRIu64 ": 0 (no limit) or at least %" PRIu64
				  " bytes a second expected, so that a record on each of %u channels takes half of timeout-ms %u at most",
				  p->bandwidth, least, p->channels, p->timeout_ms);
	return 0;
}

static int check_params(struct migration_params *p, struct error *err)
{
	if (!p->timeout_ms)
		p->timeout_ms = MIGRATION_TIMEOUT_MS;
	if (!p->downtime_limit_ms)
		p->downtime_limit_ms = MIGRATION_DOWNTIME_LIMIT_MS;
	if (!p->max_rounds)
		p->max_rounds = MIGRATION_MAX_ROUNDS;
	if (p->timeout_ms > MAX_MS || p->downtime_limit_ms > MAX_MS ||
	    p->max_rounds > MIGRATION_ROUNDS_LIMIT)
		return error__set(err, EINVAL,
				  "timeout-ms %u, downtime-limit-ms %u, max-rounds %u: at most %u, %u and %u",
				  p->timeout_ms, p->downtime_limit_ms, p->max_rounds, MAX_MS, MAX_MS,
				  MIGRATION_ROUNDS_LIMIT);
	if (p->compression_level > MIGRATION_LEVEL_MAX)
		return error__set(err, EINVAL, "compression-level %u: 0 (none) to %u expected",
				  p->compression_level, MIGRATION_LEVEL_MAX);
	if (!p->channels)
		p->channels = 1;
	if (p->channels > MIGRATION_MAX_CHANNELS)
		return error__set(err, EINVAL, "channels %u: 1 to %u expected", p->channels,
				  MIGRATION_MAX_CHANNELS);
	return check_bandwidth(p, err);
}

static int check_uri(const char *uri, struct error *err)
{
	if (strlen(uri) >= MIGRATION_URI_MAX)
		return error__set(err, EINVAL, "URI of %zu bytes, at most %u", strlen(uri),
				  MIGRATION_URI_MAX - 1);
	return migration_channel__check_uri(uri, err);
}

int migration__start(struct vm *vm, const char *uri, const struct migration_params *params,
		     struct error *err)
{
	struct migration_params p = *params;
	struct migration *m;
	int ret;

	ret = check_uri(uri, err);
	if (!ret)
		ret = check_params(&p, err);
	if (ret)
		return ret;
	if (vm->nr_devices)
		return error__set(err, EOPNOTSUPP,
				  "the VM has %u virtio devices, which do not migrate yet",
				  vm->nr_devices);
	m = migration__get(vm);
	if (!m)
		return error__set(err, ENOMEM, "no memory for a migration");
	if (!is_over(status_of(m)))
		return error__set(err, EBUSY, "a migration is under way: its status is %s",
				  status_names[status_of(m)]);

	switch (vm__status(vm)) {
	case VM_RUNNING:
	case VM_PAUSED:
	case VM_PRELAUNCH:
		break;
	case VM_INMIGRATE:
	case VM_FINISH_MIGRATE:
	case VM_POSTMIGRATE:
	case VM_INTERNAL_ERROR:
	case VM_SHUTDOWN:
		return error__set(err, EPERM, "the guest is in status %s: there is nothing to migrate",
				  vm__status_name(vm__status(vm)));
	}
	reset(m, uri, false);
	m->params = p;
	return start_thread(m, source_thread, err);
}

int migration__incoming(struct vm *vm, const char *uri, struct error *err)
{
	struct migration *m;
	int ret;

	ret = check_uri(uri, err);
	if (ret)
		return ret;
	m = migration__get(vm);
	if (!m || migration_state__init(&m->state, vm->nr_vcpus))
		return error__set(err, ENOMEM, "no memory for a migration");
	reset(m, uri, true);
	ret = migration_listener__open(&m->listener, uri, err);
	if (ret)
		return ret;
	ret = start_thread(m, destination_thread, err);
	if (!ret)
		log_info("waiting for a migration at %s", uri);
	return ret;
}

int migration__cancel(struct vm *vm, struct error *err)
{
	struct migration *m = vm->migration;
	int ret = 0;

	if (!m || m->incoming)
		return error__set(err, ENOENT, "no outgoing migration to cancel");
	pthread_mutex_lock(&m->lock);
	if (is_over(m->status)) {
		ret = error__set(err, ENOENT, "the last migration is over: its status is %s",
				 status_names[m->status]);
	} else if (m->committed) {
		ret = error__set(err, EBUSY, "too late: the guest has been handed to the destination");
	} else {
		m->cancel = true;
		order(m->cancel_fd);
	}
	pthread_mutex_unlock(&m->lock);
	return ret;
}

static int order_to_run_here(struct migration *m, struct error *err)
{
	order(m->force_fd);
	while (m->status == MIGRATION_OUTCOME_UNKNOWN)
		pthread_cond_wait(&m->cond, &m->lock);
	if (m->status == MIGRATION_COMPLETED)
		return error__set(err, EPERM, "the guest runs at %s after all", m->uri);
	return 0;
}

int migration__cont(struct vm *vm, bool force, struct error *err)
{
	struct migration *m = vm->migration;
	int ret = 0;

	if (vm__status(vm) == VM_INMIGRATE)
		return error__set(err, EPERM, "the guest has not arrived yet");
	if (!m)
		return vm__resume(vm, err);

	/* The lock keeps the switch-over out until the guest runs. */
	pthread_mutex_lock(&m->lock);
	if (m->status == MIGRATION_PRE_SWITCHOVER)
		ret = error__set(err, EBUSY, "the guest is being handed to %s", m->uri);
	else if (m->status == MIGRATION_OUTCOME_UNKNOWN && !force)
		ret = error__set(err, EPERM,
				 "the guest may run at %s: make sure that it does not, then use {\"force\": true}",
				 m->uri);
	else if (m->status == MIGRATION_OUTCOME_UNKNOWN)
		ret = order_to_run_here(m, err);
	if (!ret)
		ret = vm__resume(vm, err);
	pthread_mutex_unlock(&m->lock);
	return ret;
}

static int stop(struct vm *vm, struct error *err)
{
	enum vm_status before = vm__status(vm);

	if (before == VM_INMIGRATE)
		return error__set(err, EPERM, "the guest has not arrived yet");
	if (before != VM_RUNNING)
		return 0;
	before = vm__pause(vm, VM_PAUSED);
	/* It may have ended by itself meanwhile. */
	if (before != VM_RUNNING)
		vm__set_status(vm, before);
	return 0;
}

int migration__stop(struct vm *vm, struct error *err)
{
	struct migration *m = vm->migration;
	int ret;

	if (!m)
		return stop(vm, err);
	pthread_mutex_lock(&m->lock);
	if (m->status == MIGRATION_PRE_SWITCHOVER)
		ret = error__set(err, EBUSY, "the guest is being handed to %s", m->uri);
	else
		ret = stop(vm, err);
	pthread_mutex_unlock(&m->lock);
	return ret;
}

/* Of the first pass, which is the one that takes long. */
static unsigned int percent(const struct migration_stats *stats)
{
	uint64_t all = stats->rounds ? stats->round_pages[0] : 0;

	if (stats->rounds > 1)
		return 100;
	return all ? stats->round_done * 100 / all : 0;
}

static void report_rounds(const struct migration_stats *stats, cJSON *out)
{
	cJSON *pages, *bytes, *ms;
	uint32_t i;

	cJSON_AddNumberToObject(out, "rounds", stats->rounds);
	cJSON_AddNumberToObject(out, "percent", percent(stats));
	pages = cJSON_AddArrayToObject(out, "round_pages");
	bytes = cJSON_AddArrayToObject(out, "round_bytes");
	ms = cJSON_AddArrayToObject(out, "round_ms");
	for (i = 0; i < stats->rounds; i++) {
		cJSON_AddItemToArray(pages, cJSON_CreateNumber(stats->round_pages[i]));
		cJSON_AddItemToArray(bytes, cJSON_CreateNumber(stats->round_bytes[i]));
		cJSON_AddItemToArray(ms, cJSON_CreateNumber(stats->round_ms[i]));
	}
}

static void report_source(const struct migration *m, cJSON *out)
{
	const struct migration_stats *stats = &m->stats;
	cJSON *buffers, *buffer;
	uint32_t i;

	report_rounds(stats, out);
	cJSON_AddNumberToObject(out, "pages_sent", stats->pages_sent);
	cJSON_AddNumberToObject(out, "zero_pages", stats->zero_pages);
	cJSON_AddNumberToObject(out, "bytes_sent", stats->bytes_sent);
	cJSON_AddNumberToObject(out, "remaining", stats->remaining_pages * MIGRATION_PAGE_SIZE);
	cJSON_AddNumberToObject(out, "rate", stats->bytes_per_second);
	cJSON_AddNumberToObject(out, "dirty_rate", stats->dirty_pages_per_second);
	cJSON_AddNumberToObject(out, "throttle", stats->throttle_percent);
	cJSON_AddNumberToObject(out, "expected_downtime_ms", stats->expected_downtime_ms);
	cJSON_AddNumberToObject(out, "bytes_verified", stats->bytes_verified);
	cJSON_AddNumberToObject(out, "downtime_ms", stats->downtime_ms);
	buffers = cJSON_AddArrayToObject(out, "buffers");
	for (i = 0; i < stats->nr_regions; i++) {
		if (stats->regions[i].kind != MIGRATION_BUFFER)
			continue;
		buffer = cJSON_CreateObject();
		cJSON_AddStringToObject(buffer, "name", stats->regions[i].name);
		cJSON_AddNumberToObject(buffer, "size", stats->regions[i].size);
		cJSON_AddNumberToObject(buffer, "pages_sent", stats->regions[i].pages_sent);
		cJSON_AddItemToArray(buffers, buffer);
	}
}

static void report_destination(const struct migration *m, cJSON *out)
{
	cJSON_AddNumberToObject(out, "rounds", m->arrival.rounds);
	cJSON_AddNumberToObject(out, "pages_received", m->arrival.pages_received);
	cJSON_AddNumberToObject(out, "bytes_received", m->arrival.bytes_received);
	cJSON_AddNumberToObject(out, "bytes_verified", m->arrival.bytes_verified);
}

static uint64_t elapsed_ms(const struct migration *m)
{
	uint64_t end = is_over(m->status) ? m->end_ns : migration_clock__ns();

	return m->status == MIGRATION_NONE ? 0 : (end - m->begin_ns) / 1000000;
}

void migration__query(struct vm *vm, cJSON *out)
{
	struct migration *m = vm->migration;

	if (!m) {
		cJSON_AddStringToObject(out, "status", status_names[MIGRATION_NONE]);
		return;
	}
	pthread_mutex_lock(&m->lock);
	cJSON_AddStringToObject(out, "status", status_names[m->status]);
	cJSON_AddStringToObject(out, "direction", m->incoming ? "incoming" : "outgoing");
	cJSON_AddStringToObject(out, "uri", m->uri);
	if (m->error.msg[0])
		cJSON_AddStringToObject(out, "error", m->error.msg);
	cJSON_AddNumberToObject(out, "elapsed_ms", elapsed_ms(m));
	if (m->incoming) {
		report_destination(m, out);
	} else {
		report_source(m, out);
		migration_vm__report_sources(m, out);
	}
	pthread_mutex_unlock(&m->lock);
}

void migration__exit(struct vm *vm)
{
	struct migration *m = vm->migration;

	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	m->exiting = true;
	m->cancel = true;
	pthread_mutex_unlock(&m->lock);
	order(m->cancel_fd);
	order(m->force_fd);
	join(m);

	migration_listener__close(&m->listener);
	migration_state__exit(&m->state);
	pthread_cond_destroy(&m->cond);
	pthread_mutex_destroy(&m->lock);
	close(m->cancel_fd);
	close(m->force_fd);
	vm->migration = NULL;
	free(m);
}
