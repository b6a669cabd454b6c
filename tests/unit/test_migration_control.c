// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the control socket sees of a migration: statuses, refusals, cont and stop
 * while a switch-over decides, cancel, force, and the end of the process in the
 * middle of it. The VM has RAM and no vCPUs; the destination is a script.
 */
#include "unit/vmm_fake.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "unit/capture.h"
#include "vmm/exit_status.h"
#include "vmm/migration.h"
#include "vmm/migration_memory.h"
#include "vmm/migration_records.h"
#include "vmm/migration_stream.h"
#include "vmm/migration_vm.h"

#define DEADLINE_S	20

/* Where the scripted destination does something else than its duty. */
enum script {
	OBEY,
	REFUSE_HELLO,
	HOLD_ROUND,		/* until release() */
	HOLD_READY,
	HOLD_RUNNING,
	CLOSE_AT_GO,		/* after release() */
};

struct peer {
	pthread_t thread;
	struct migration_listener listener;
	enum script script;
	sem_t held;		/* posted when it holds */
	sem_t release;
	bool running_sent;
};

static char dir[] = "/tmp/migration-control.XXXXXX";
static char uri[128];

static void wait_sem(sem_t *sem)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += DEADLINE_S;
	if (sem_timedwait(sem, &ts))
		abort();
}

static void hold(struct peer *p)
{
	sem_post(&p->held);
	wait_sem(&p->release);
}

/* 0: the connection is over, as it was to be. */
static int peer_records(struct peer *p, struct migration_stream *s)
{
	struct migration_ready_record ready = { 0 };
	struct iovec iov = { &ready, sizeof(ready) };
	struct migration_record rec;
	struct error err = { "" };
	int ret;

	for (;;) {
		ret = migration_stream__recv(s, &rec, &err);
		if (ret)
			return ret;
		switch (rec.type) {
		case MIGRATION_REC_HELLO:
			if (p->script == REFUSE_HELLO) {
				migration_stream__send_abort(s, "destination has no dmapat modules");
				return 0;
			}
			ret = migration_stream__send(s, MIGRATION_REC_HELLO_OK, NULL, 0, &err);
			break;
		case MIGRATION_REC_ROUND:
			if (p->script == HOLD_ROUND)
				hold(p);
			ret = migration_stream__send(s, MIGRATION_REC_ROUND_OK, NULL, 0, &err);
			break;
		case MIGRATION_REC_END:
			if (p->script == HOLD_READY)
				hold(p);
			ret = migration_stream__send(s, MIGRATION_REC_READY, &iov, 1, &err);
			break;
		case MIGRATION_REC_GO:
			if (p->script == HOLD_RUNNING || p->script == CLOSE_AT_GO)
				hold(p);
			if (p->script == CLOSE_AT_GO)
				return 0;
			ret = migration_stream__send(s, MIGRATION_REC_RUNNING, NULL, 0, &err);
			p->running_sent = !ret;
			return ret;
		default:
			break;
		}
		if (ret)
			return ret;
	}
}

static void *peer_thread(void *arg)
{
	struct peer *p = arg;
	struct migration_channel ch = {
		.fd = -1, .cancel_fd = -1, .timeout_ms = DEADLINE_S * 1000, .peer = "source",
	};
	struct migration_stream s;
	struct error err = { "" };

	if (migration_listener__accept(&p->listener, &ch, &err) || migration_stream__init(&s, &ch))
		abort();
	if (!migration_stream__recv_preamble(&s, &err) && !migration_stream__send_preamble(&s, &err))
		peer_records(p, &s);
	migration_channel__close(&ch);
	migration_stream__exit(&s);
	return NULL;
}

static void peer_start(struct peer *p, enum script script)
{
	struct error err = { "" };

	memset(p, 0, sizeof(*p));
	p->script = script;
	sem_init(&p->held, 0, 0);
	sem_init(&p->release, 0, 0);
	assert_int_equal(migration_listener__open(&p->listener, uri, &err), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_thread, p), 0);
}

static void peer_end(struct peer *p)
{
	pthread_join(p->thread, NULL);
	migration_listener__close(&p->listener);
	sem_destroy(&p->held);
	sem_destroy(&p->release);
}

/* ---- the source's VM, as far as there is one ---- */

static int fake_describe(void *opaque, struct migration_machine *machine, struct error *err)
{
	struct migration *m = opaque;

	(void)err;
	memset(machine, 0, sizeof(*machine));
	machine->nr_regions = 1;
	machine->regions[0] = (struct migration_region) {
		.name = "RAM", .size = m->vm->ram.size, .hva = m->vm->ram.hva, .fd = m->vm->ram.fd,
	};
	return 0;
}

static void fake_release(void *opaque)
{
	(void)opaque;
}

static int fake_log_start(void *opaque, struct migration_memory *mem, struct error *err)
{
	struct migration *m = opaque;

	(void)err;
	m->memory = mem;
	migration__set_status(m, MIGRATION_ACTIVE);
	return 0;
}

static int fake_log_sync(void *opaque, bool last, struct migration_dirty *dirty,
			 struct error *err)
{
	struct migration *m = opaque;

	(void)last;
	(void)err;
	dirty->pages = migration_memory__collect(m->memory);
	dirty->floor = 0;
	return 0;
}

static void fake_log_stop(void *opaque)
{
	struct migration *m = opaque;

	m->memory = NULL;
}

static int fake_save(void *opaque, struct migration_source *src, struct error *err)
{
	(void)opaque;
	(void)src;
	(void)err;
	return 0;
}

static struct migration_source_ops ops;
static struct fake fake;
static struct vm *vm;
static struct migration *m;

static int setup(void **state)
{
	(void)state;
	capture_begin();
	fake_create(&fake);
	vm = &fake.vm;
	vm->status = VM_RUNNING;
	memset(vm->ram.hva, 0x33, 20 * 4096);
	m = migration__get(vm);
	assert_non_null(m);
	/* The run state, the switch-over and the progress are the real ones. */
	ops = migration_vm__source_ops;
	ops.describe = fake_describe;
	ops.release = fake_release;
	ops.log_start = fake_log_start;
	ops.log_sync = fake_log_sync;
	ops.log_stop = fake_log_stop;
	ops.save = fake_save;
	m->source_ops = &ops;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	migration__exit(vm);
	assert_null(vm->migration);
	fake_destroy(&fake);
	capture_end();
	return 0;
}

static int start_with(uint32_t timeout_ms, struct error *err)
{
	const struct migration_params params = { .timeout_ms = timeout_ms };

	return migration__start(vm, uri, &params, err);
}

static void start(uint32_t timeout_ms)
{
	struct error err = { "" };

	if (start_with(timeout_ms, &err))
		fail_msg("%s", err.msg);
}

static void wait_status(enum migration_status status)
{
	struct timespec ts;
	int ret = 0;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += DEADLINE_S;
	pthread_mutex_lock(&m->lock);
	while (m->status != status && !ret)
		ret = pthread_cond_timedwait(&m->cond, &m->lock, &ts);
	pthread_mutex_unlock(&m->lock);
	assert_int_equal(ret, 0);
}

static cJSON *query(void)
{
	cJSON *out = cJSON_CreateObject();

	migration__query(vm, out);
	return out;
}

static void expect_query(const char *member, const char *value)
{
	cJSON *out = query(), *item = cJSON_GetObjectItemCaseSensitive(out, member);

	assert_true(cJSON_IsString(item));
	if (!strstr(item->valuestring, value))
		fail_msg("%s is \"%s\", not \"%s\"", member, item->valuestring, value);
	cJSON_Delete(out);
}

static void refused(int ret, int want, struct error *err, const char *words)
{
	assert_int_equal(ret, want);
	if (!strstr(err->msg, words))
		fail_msg("\"%s\" has no \"%s\"", err->msg, words);
	err->msg[0] = '\0';
}

static void test_arguments(void **state)
{
	const struct migration_params none = { 0 };
	const struct migration_params slow = { .timeout_ms = 3600001 };
	const struct migration_params many = { .max_rounds = 101 };
	const struct migration_params level = { .compression_level = 20 };
	const struct migration_params wide = { .channels = 9 };
	const struct migration_params shared = {
		.channels = 3, .bandwidth = 334000, .timeout_ms = 5000,
	};
	const struct migration_params trickle = { .bandwidth = 111411, .timeout_ms = 5000 };
	const struct migration_params slower = { .bandwidth = 1000, .timeout_ms = 50 };
	struct error err = { "" };
	char path[400];

	(void)state;
	refused(migration__start(vm, uri, &level, &err), -EINVAL, &err,
		"compression-level 20: 0 (none) to 19 expected");
	refused(migration__start(vm, uri, &wide, &err), -EINVAL, &err,
		"channels 9: 1 to 8 expected");
	refused(migration__start(vm, uri, &shared, &err), -EINVAL, &err,
		"at least 334234 bytes a second expected, so that a record on each of 3 channels");
	refused(migration__start(vm, uri, &trickle, &err), -EINVAL, &err,
		"bandwidth 111411: 0 (no limit) or at least 111412 bytes a second expected");
	refused(migration__start(vm, uri, &slower, &err), -EINVAL, &err, "timeout-ms 50");
	refused(migration__start(vm, "exec:cat", &none, &err), -EINVAL, &err, "exec:cat");
	refused(migration__start(vm, uri, &slow, &err), -EINVAL, &err, "3600001");
	refused(migration__start(vm, uri, &many, &err), -EINVAL, &err, "max-rounds 101");
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	refused(migration__start(vm, path, &none, &err), -EINVAL, &err, "URI of 399 bytes");
	vm->nr_devices = 2;
	refused(migration__start(vm, uri, &none, &err), -EOPNOTSUPP, &err, "2");
	vm->nr_devices = 0;
	expect_query("status", "none");
}

static void test_statuses_without_a_guest(void **state)
{
	static const enum vm_status bad[] = {
		VM_INMIGRATE, VM_POSTMIGRATE, VM_INTERNAL_ERROR, VM_SHUTDOWN,
	};
	struct error err = { "" };
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		vm->status = bad[i];
		refused(start_with(0, &err), -EPERM, &err, vm__status_name(bad[i]));
	}
	vm->status = VM_INMIGRATE;
	refused(migration__cont(vm, false, &err), -EPERM, &err, "has not arrived");
	refused(migration__cont(vm, true, &err), -EPERM, &err, "has not arrived");
	refused(migration__stop(vm, &err), -EPERM, &err, "has not arrived");
}

static void test_nothing_to_cancel(void **state)
{
	struct error err = { "" };

	(void)state;
	refused(migration__cancel(vm, &err), -ENOENT, &err, "the last migration is over");
}

static void test_no_destination(void **state)
{
	(void)state;
	start(0);
	wait_status(MIGRATION_FAILED);
	expect_query("error", "cannot connect to the destination");
	assert_int_equal(vm__status(vm), VM_RUNNING);
}

static void test_completed(void **state)
{
	struct error err = { "" };
	struct peer p;
	cJSON *out;

	(void)state;
	peer_start(&p, OBEY);
	start(0);
	wait_status(MIGRATION_COMPLETED);
	assert_int_equal(vm__status(vm), VM_POSTMIGRATE);
	refused(migration__cont(vm, false, &err), -EPERM, &err, "postmigrate");
	refused(migration__cont(vm, true, &err), -EPERM, &err, "postmigrate");
	refused(start_with(0, &err), -EPERM, &err, "postmigrate");
	refused(migration__cancel(vm, &err), -ENOENT, &err, "completed");
	assert_int_equal(migration__stop(vm, &err), 0);
	assert_int_equal(vm__status(vm), VM_POSTMIGRATE);
	out = query();
	assert_null(cJSON_GetObjectItem(out, "error"));
	assert_int_equal(cJSON_GetObjectItem(out, "rounds")->valueint, 1);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(out, "round_pages")), 1);
	assert_int_equal(cJSON_GetObjectItem(out, "pages_sent")->valueint, 20);
	assert_int_equal(cJSON_GetObjectItem(out, "remaining")->valueint, 0);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(out, "round_ms")), 1);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(out, "round_bytes")), 1);
	assert_true(cJSON_GetArrayItem(cJSON_GetObjectItem(out, "round_bytes"), 0)->valueint >
		    20 * 4096);
	assert_int_equal(cJSON_GetObjectItem(out, "percent")->valueint, 100);
	assert_int_equal(cJSON_GetObjectItem(out, "throttle")->valueint, 0);
	assert_int_equal(cJSON_GetObjectItem(out, "dirty_rate")->valueint, 0);
	assert_int_equal(cJSON_GetObjectItem(out, "expected_downtime_ms")->valueint, 0);
	assert_true(cJSON_GetObjectItem(out, "elapsed_ms")->valuedouble >=
		    cJSON_GetObjectItem(out, "downtime_ms")->valuedouble);
	assert_true(cJSON_GetObjectItem(out, "bytes_sent")->valueint > 0);
	assert_true(cJSON_IsArray(cJSON_GetObjectItem(out, "buffers")));
	cJSON_Delete(out);
	peer_end(&p);
}

static void test_refused_then_completed(void **state)
{
	struct peer p;

	(void)state;
	peer_start(&p, REFUSE_HELLO);
	start(0);
	wait_status(MIGRATION_FAILED);
	expect_query("error", "destination has no dmapat modules");
	assert_int_equal(vm__status(vm), VM_RUNNING);
	peer_end(&p);

	peer_start(&p, OBEY);
	start(0);
	wait_status(MIGRATION_COMPLETED);
	assert_int_equal(vm__status(vm), VM_POSTMIGRATE);
	peer_end(&p);
}

static void test_one_at_a_time(void **state)
{
	struct error err = { "" };
	struct peer p;

	(void)state;
	peer_start(&p, HOLD_ROUND);
	start(DEADLINE_S * 1000);
	wait_sem(&p.held);
	refused(start_with(0, &err), -EBUSY, &err, "active");
	/* The guest's run state is its owner's before the switch-over. */
	assert_int_equal(migration__stop(vm, &err), 0);
	assert_int_equal(vm__status(vm), VM_PAUSED);
	assert_int_equal(migration__cont(vm, false, &err), 0);
	assert_int_equal(vm__status(vm), VM_RUNNING);
	sem_post(&p.release);
	wait_status(MIGRATION_COMPLETED);
	peer_end(&p);
}

static void test_cancel(void **state)
{
	struct error err = { "" };
	struct peer p;

	(void)state;
	peer_start(&p, HOLD_ROUND);
	start(DEADLINE_S * 1000);
	wait_sem(&p.held);
	assert_int_equal(migration__cancel(vm, &err), 0);
	wait_status(MIGRATION_CANCELLED);
	expect_query("error", "migration cancelled");
	assert_int_equal(vm__status(vm), VM_RUNNING);
	sem_post(&p.release);
	peer_end(&p);
}

static void test_switchover_owns_the_run_state(void **state)
{
	struct error err = { "" };
	struct peer p;

	(void)state;
	peer_start(&p, HOLD_READY);
	start(DEADLINE_S * 1000);
	wait_sem(&p.held);
	wait_status(MIGRATION_PRE_SWITCHOVER);
	assert_int_equal(vm__status(vm), VM_FINISH_MIGRATE);
	refused(migration__cont(vm, false, &err), -EBUSY, &err, "is being handed to");
	refused(migration__cont(vm, true, &err), -EBUSY, &err, "is being handed to");
	refused(migration__stop(vm, &err), -EBUSY, &err, "is being handed to");
	/* It can still be cancelled, and then runs on. */
	assert_int_equal(migration__cancel(vm, &err), 0);
	wait_status(MIGRATION_CANCELLED);
	assert_int_equal(vm__status(vm), VM_RUNNING);
	sem_post(&p.release);
	peer_end(&p);
}

static void test_stopped_guest_stays_stopped(void **state)
{
	struct error err = { "" };
	struct peer p;

	(void)state;
	vm->status = VM_PAUSED;
	peer_start(&p, HOLD_READY);
	start(DEADLINE_S * 1000);
	wait_sem(&p.held);
	assert_int_equal(migration__cancel(vm, &err), 0);
	wait_status(MIGRATION_CANCELLED);
	assert_int_equal(vm__status(vm), VM_PAUSED);
	sem_post(&p.release);
	peer_end(&p);
}

/* GO is out and nothing is heard. */
static void reach_unknown(struct peer *p, enum script script)
{
	peer_start(p, script);
	start(50);
	wait_status(MIGRATION_OUTCOME_UNKNOWN);
	wait_sem(&p->held);
	assert_int_equal(vm__status(vm), VM_PAUSED);
	expect_query("status", "outcome-unknown");
	expect_query("error", "the guest may run at the destination");
}

static void test_unknown_is_safe(void **state)
{
	struct error err = { "" };
	struct peer p;

	(void)state;
	reach_unknown(&p, HOLD_RUNNING);
	refused(migration__cont(vm, false, &err), -EPERM, &err, "{\"force\": true}");
	refused(migration__cancel(vm, &err), -EBUSY, &err, "too late");
	refused(start_with(0, &err), -EBUSY, &err, "outcome-unknown");
	assert_int_equal(vm__status(vm), VM_PAUSED);

	/* It says that it runs, late. */
	sem_post(&p.release);
	wait_status(MIGRATION_COMPLETED);
	assert_int_equal(vm__status(vm), VM_POSTMIGRATE);
	refused(migration__cont(vm, true, &err), -EPERM, &err, "postmigrate");
	peer_end(&p);
	assert_true(p.running_sent);
}

static void test_unknown_forced(void **state)
{
	struct error err = { "" };
	struct peer p;

	(void)state;
	reach_unknown(&p, HOLD_RUNNING);
	assert_int_equal(migration__cont(vm, true, &err), 0);
	assert_int_equal(vm__status(vm), VM_RUNNING);
	expect_query("status", "failed");
	expect_query("error", "because it was ordered to");
	/* A destination that wakes up now cannot say that it runs, so it does not. */
	sem_post(&p.release);
	peer_end(&p);
	assert_false(p.running_sent);
}

static void test_unknown_ends_with_the_destination(void **state)
{
	struct peer p;

	(void)state;
	reach_unknown(&p, CLOSE_AT_GO);
	sem_post(&p.release);
	wait_status(MIGRATION_FAILED);
	expect_query("error", "the guest had not started there");
	assert_int_equal(vm__status(vm), VM_RUNNING);
	peer_end(&p);
}

/* The process ends: the thread does, and the guest does not run for a moment. */
static void test_exit_while_unknown(void **state)
{
	struct peer p;

	(void)state;
	reach_unknown(&p, HOLD_RUNNING);
	migration__exit(vm);
	assert_int_equal(vm__status(vm), VM_PAUSED);
	sem_post(&p.release);
	peer_end(&p);
	assert_false(p.running_sent);
}

static void test_exit_while_active(void **state)
{
	struct peer p;

	(void)state;
	peer_start(&p, HOLD_ROUND);
	start(DEADLINE_S * 1000);
	wait_sem(&p.held);
	migration__exit(vm);
	sem_post(&p.release);
	peer_end(&p);
}

static void test_incoming_waits_and_ends(void **state)
{
	struct error err = { "" };

	(void)state;
	vm->status = VM_INMIGRATE;
	vm->nr_vcpus = 1;
	assert_int_equal(migration__incoming(vm, uri, &err), 0);
	assert_int_equal(access(uri + 5, F_OK), 0);
	expect_query("status", "setup");
	expect_query("direction", "incoming");
	refused(migration__cancel(vm, &err), -ENOENT, &err, "no outgoing migration");
	vm->nr_vcpus = 0;
	migration__exit(vm);
	assert_int_equal(access(uri + 5, F_OK), -1);
	assert_int_equal(vm__status(vm), VM_INMIGRATE);
}

static void test_incoming_nonsense_ends_the_process(void **state)
{
	struct migration_channel ch = {
		.fd = -1, .cancel_fd = -1, .timeout_ms = 1000, .peer = "destination",
	};
	char nonsense[] = "GET / HTTP/1.1\r\n";
	struct iovec iov = { nonsense, strlen(nonsense) };
	struct error err = { "" };

	(void)state;
	vm->status = VM_INMIGRATE;
	vm->nr_vcpus = 1;
	assert_int_equal(migration__incoming(vm, uri, &err), 0);
	vm->nr_vcpus = 0;
	assert_int_equal(migration_channel__connect(&ch, uri, &err), 0);
	assert_int_equal(migration_channel__write(&ch, &iov, 1, false, &err), 0);
	migration_channel__close(&ch);
	wait_status(MIGRATION_FAILED);
	expect_query("error", "does not speak dmapat's migration stream");
	migration__exit(vm);
	assert_true(vm->exiting);
	assert_int_equal(vm->exit_status, EXIT_INCOMING);
	assert_int_equal(vm__status(vm), VM_INMIGRATE);
}

static void test_without_a_migration(void **state)
{
	struct error err = { "" };
	cJSON *out;

	(void)state;
	migration__exit(vm);
	migration__exit(vm);
	out = query();
	assert_string_equal(cJSON_GetObjectItem(out, "status")->valuestring, "none");
	cJSON_Delete(out);
	assert_int_equal(migration__stop(vm, &err), 0);
	assert_int_equal(vm__status(vm), VM_PAUSED);
	assert_int_equal(migration__stop(vm, &err), 0);
	assert_int_equal(migration__cont(vm, false, &err), 0);
	assert_int_equal(vm__status(vm), VM_RUNNING);
	vm->status = VM_SHUTDOWN;
	assert_int_equal(migration__stop(vm, &err), 0);
	assert_int_equal(vm__status(vm), VM_SHUTDOWN);
}

static int fds_before;

static int make_dir(void **state)
{
	(void)state;
	fds_before = count_fds();
	assert_non_null(mkdtemp(dir));
	snprintf(uri, sizeof(uri), "unix:%s/socket", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	assert_int_equal(count_fds(), fds_before);
	return rmdir(dir);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_arguments),
		T(test_statuses_without_a_guest),
		T(test_nothing_to_cancel),
		T(test_no_destination),
		T(test_completed),
		T(test_refused_then_completed),
		T(test_one_at_a_time),
		T(test_cancel),
		T(test_switchover_owns_the_run_state),
		T(test_stopped_guest_stays_stopped),
		T(test_unknown_is_safe),
		T(test_unknown_forced),
		T(test_unknown_ends_with_the_destination),
		T(test_exit_while_unknown),
		T(test_exit_while_active),
		T(test_incoming_waits_and_ends),
		T(test_incoming_nonsense_ends_the_process),
		T(test_without_a_migration),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
