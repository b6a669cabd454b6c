// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket: good commands, bad lines, events, clients that misbehave. */
#include "unit/vmm_fake_kernel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit/capture.h"
#include "vmm/control.h"
#include "vmm/control_command.h"
#include "vmm/frontend.h"

struct test {
	struct fake fake;
	struct frontend gpu;
	char dir[32];
	char path[64];
	int fds_before;
};

static int setup(void **state)
{
	struct test *t = calloc(1, sizeof(*t));
	struct error err = { 0 };

	if (!t)
		return -1;
	t->fds_before = count_fds();
	fake_create(&t->fake);
	t->gpu.socket = "gpu.sock";
	t->fake.vm.launched = true;
	strcpy(t->dir, "/tmp/dmapat-test-XXXXXX");
	if (!mkdtemp(t->dir))
		return -1;
	snprintf(t->path, sizeof(t->path), "%s/control", t->dir);
	if (control__create(&t->fake.vm.control, t->fake.loop, &t->fake.vm, t->path, &err) < 0)
		return -1;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;
	int before = t->fds_before;

	control__destroy(t->fake.vm.control);
	if (access(t->path, F_OK) == 0 || rmdir(t->dir) < 0)
		return -1;
	fake_destroy(&t->fake);
	free(t);
	return count_fds() == before ? 0 : -1;
}

static void pump(struct test *t)
{
	int i;

	for (i = 0; i < 8; i++)
		assert_int_equal(loop__run_once(t->fake.loop, 0), 0);
}

static int client(struct test *t)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, t->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	pump(t);
	return fd;
}

/* The next line from the VMM as JSON; NULL when it closed the connection. */
static cJSON *next(struct test *t, int fd)
{
	char line[CONTROL_MAX_LINE];
	size_t len = 0;
	ssize_t n;

	pump(t);
	do {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		assert_int_equal(poll(&pfd, 1, 5000), 1);
		n = read(fd, line + len, 1);
		if (n <= 0)
			return NULL;
	} while (line[len++] != '\n');
	line[len - 1] = '\0';
	return cJSON_Parse(line);
}

static bool silent(struct test *t, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	pump(t);
	return poll(&pfd, 1, 0) == 0;
}

static cJSON *run(struct test *t, const char *line)
{
	return control_command__line(&t->fake.vm, line, strlen(line));
}

static const char *string(const cJSON *json, const char *name)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));

	return s ? s : "";
}

static void assert_error(struct test *t, const char *line, const char *class, const char *says)
{
	cJSON *answer = run(t, line), *error;

	error = cJSON_GetObjectItemCaseSensitive(answer, "error");
	if (!error)
		fail_msg("%s is no error", line);
	if (strcmp(string(error, "class"), class) || !strstr(string(error, "desc"), says))
		fail_msg("%s: %s '%s', not %s '%s'", line, string(error, "class"),
			 string(error, "desc"), class, says);
	assert_null(cJSON_GetObjectItemCaseSensitive(answer, "return"));
	cJSON_Delete(answer);
}

static void test_bad_lines(void **state)
{
	struct test *t = *state;

	assert_error(t, "", "ParseError", "not one JSON object");
	assert_error(t, "   ", "ParseError", "not one JSON object");
	assert_error(t, "hello", "ParseError", "not one JSON object");
	assert_error(t, "[]", "ParseError", "not one JSON object");
	assert_error(t, "5", "ParseError", "not one JSON object");
	assert_error(t, "null", "ParseError", "not one JSON object");
	assert_error(t, "{", "ParseError", "not one JSON object");
	assert_error(t, "{\"execute\":\"query-status\"", "ParseError", "not one JSON object");
	assert_error(t, "{\"execute\":\"query-status\"}}", "ParseError", "not one JSON object");
	assert_error(t, "{\"execute\":\"query-status\"} {}", "ParseError", "not one JSON object");
	assert_error(t, "{}", "BadRequest", "'execute' is missing");
	assert_error(t, "{\"execute\":5}", "BadRequest", "'execute' must be");
	assert_error(t, "{\"execute\":\"\"}", "BadRequest", "'execute' must be");
	assert_error(t, "{\"execute\":null}", "BadRequest", "'execute' must be");
	assert_error(t, "{\"execute\":\"query-status\",\"arguments\":[]}", "BadRequest",
		     "'arguments' must be");
	assert_error(t, "{\"execute\":\"query-status\",\"args\":{}}", "BadRequest",
		     "no member 'args'");
	assert_error(t, "{\"Execute\":\"query-status\"}", "BadRequest", "no member 'Execute'");
	assert_error(t, "{\"execute\":\"reboot\"}", "CommandNotFound", "no such command");
	assert_error(t, "{\"execute\":\"query-status\",\"arguments\":{\"x\":1}}", "BadRequest",
		     "no argument 'x'");
	assert_error(t, "{\"execute\":\"migrate\"}", "BadRequest", "'uri' of migrate is missing");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{}}", "BadRequest",
		     "'uri' of migrate is missing");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":1}}", "BadRequest",
		     "'uri' of migrate has the wrong type");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"\"}}", "BadRequest",
		     "'uri' of migrate has the wrong type");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:/x\",\"timeout-ms\":-1}}",
		     "BadRequest", "timeout-ms");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:/x\",\"max-rounds\":1.5}}",
		     "BadRequest", "max-rounds");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:/x\",\"max-rounds\":1e20}}",
		     "BadRequest", "max-rounds");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:/x\",\"bandwidth\":-1}}",
		     "BadRequest", "'bandwidth' of migrate has the wrong type or value");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:/x\",\"bandwidth\":0.5}}",
		     "BadRequest", "'bandwidth' of migrate has the wrong type or value");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:/x\",\"bandwidth\":1e17}}",
		     "BadRequest", "'bandwidth' of migrate has the wrong type or value");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:/x\",\"bandwidth\":\"100M\"}}",
		     "BadRequest", "'bandwidth' of migrate has the wrong type or value");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:/x\",\"compression-level\":-1}}",
		     "BadRequest", "'compression-level' of migrate has the wrong type or value");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:/x\",\"compression-level\":true}}",
		     "BadRequest", "'compression-level' of migrate has the wrong type or value");
	assert_error(t, "{\"execute\":\"cont\",\"arguments\":{\"force\":1}}", "BadRequest", "force");
}

static void test_nested_and_binary(void **state)
{
	static const char nul[] = "{\"execute\":\"query-status\"\0}";
	struct test *t = *state;
	char deep[4096];
	cJSON *answer;

	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_error(t, deep, "ParseError", "not one JSON object");
	answer = control_command__line(&t->fake.vm, nul, sizeof(nul) - 1);
	assert_non_null(cJSON_GetObjectItemCaseSensitive(answer, "error"));
	cJSON_Delete(answer);
}

static void test_id(void **state)
{
	static const char *const ids[] = { "7", "\"seven\"", "{\"a\":[1,2]}", "null" };
	struct test *t = *state;
	char line[128], *text;
	cJSON *answer, *id;
	unsigned int i;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		snprintf(line, sizeof(line), "{\"execute\":\"%s\",\"id\":%s}",
			 i % 2 ? "query-status" : "nonsense", ids[i]);
		answer = run(t, line);
		id = cJSON_GetObjectItemCaseSensitive(answer, "id");
		text = cJSON_PrintUnformatted(id);
		assert_string_equal(text, ids[i]);
		cJSON_free(text);
		cJSON_Delete(answer);
	}
	answer = run(t, "{\"execute\":\"query-status\"}");
	assert_null(cJSON_GetObjectItemCaseSensitive(answer, "id"));
	cJSON_Delete(answer);
}

static void assert_status(struct test *t, const char *status)
{
	cJSON *answer = run(t, "{\"execute\":\"query-status\"}"), *out;

	out = cJSON_GetObjectItemCaseSensitive(answer, "return");
	assert_string_equal(string(out, "status"), status);
	assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(out, "running")),
			 !strcmp(status, "running"));
	cJSON_Delete(answer);
}

static void assert_done(struct test *t, const char *line)
{
	cJSON *answer = run(t, line);

	if (!cJSON_GetObjectItemCaseSensitive(answer, "return"))
		fail_msg("%s: %s", line,
			 string(cJSON_GetObjectItemCaseSensitive(answer, "error"), "desc"));
	cJSON_Delete(answer);
}

static void test_stop_cont(void **state)
{
	struct test *t = *state;

	assert_status(t, "prelaunch");
	assert_done(t, "{\"execute\":\"cont\"}");
	assert_status(t, "running");
	assert_done(t, "{\"execute\":\"cont\"}");
	assert_done(t, "{\"execute\":\"stop\"}");
	assert_status(t, "paused");
	assert_done(t, "{\"execute\":\"stop\"}");
	assert_done(t, "{\"execute\":\"cont\"}");
	assert_status(t, "running");
	vm__set_status(&t->fake.vm, VM_INTERNAL_ERROR);
	assert_error(t, "{\"execute\":\"cont\"}", "GenericError", "internal-error");
	vm__set_status(&t->fake.vm, VM_SHUTDOWN);
	assert_error(t, "{\"execute\":\"cont\"}", "GenericError", "shutdown");
}

/* A buffer whose type is another one by now does not go back under the guest. */
static void test_cont_checks_types(void **state)
{
	struct test *t = *state;
	struct error err = { 0 };
	struct buffer *buf;

	strcpy(fake_name, "front");
	assert_int_equal(window__map(&t->fake.vm, &t->gpu, fake_dmabuf(4096), 0, 0, 4096, &buf, &err), 0);
	assert_done(t, "{\"execute\":\"cont\"}");
	assert_done(t, "{\"execute\":\"stop\"}");
	fake_answers.host = DMABUF_MEMTYPE_WB;
	assert_error(t, "{\"execute\":\"cont\"}", "GenericError", "mapping is WB");
	assert_status(t, "paused");
	fake_answers.query = DMABUF_MEMTYPE_WB;
	assert_error(t, "{\"execute\":\"cont\"}", "GenericError",
		     "front: its type has changed from WC to WB, and the guest was told map_info wc");
	assert_status(t, "paused");
	fake_answers.host = DMABUF_MEMTYPE_WC;
	fake_answers.query = DMABUF_MEMTYPE_WC;
	assert_done(t, "{\"execute\":\"cont\"}");
	assert_status(t, "running");
}

/* While a gpu-proc has yet to deliver, the guest must not start. */
static void test_not_launched(void **state)
{
	struct test *t = *state;

	t->fake.vm.launched = false;
	assert_error(t, "{\"execute\":\"cont\"}", "GenericError", "not set up yet");
	assert_error(t, "{\"execute\":\"stop\"}", "GenericError", "not set up yet");
	assert_error(t, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:/x\"}}", "GenericError",
		     "not set up yet");
	assert_status(t, "prelaunch");
	assert_int_equal(t->fake.vm.status, VM_PRELAUNCH);
}

static void test_quit(void **state)
{
	struct test *t = *state;

	assert_done(t, "{\"execute\":\"quit\"}");
	assert_true(t->fake.vm.exiting);
	assert_int_equal(t->fake.vm.exit_status, 0);
}

static void test_query_memtype(void **state)
{
	struct test *t = *state;
	struct error err = { 0 };
	struct buffer *buf;
	cJSON *answer, *b;
	int fd = fake_dmabuf(8192);

	assert_int_equal(pwrite(fd, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8, 4096), 8);
	strcpy(fake_name, "front");
	assert_int_equal(window__map(&t->fake.vm, &t->gpu, fd, 4096, 0x5000, 4096, &buf, &err), 0);
	answer = run(t, "{\"execute\":\"query-memtype\"}");
	b = cJSON_GetObjectItemCaseSensitive(answer, "return");
	b = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(b, "buffers"), 0);
	assert_string_equal(string(b, "name"), "front");
	assert_string_equal(string(b, "exporter"), "memfd");
	assert_string_equal(string(b, "gpu-proc"), "gpu.sock");
	assert_string_equal(string(b, "sample"), "0123456789abcdef");
	assert_string_equal(string(b, "query"), "WC");
	assert_string_equal(string(b, "host"), "WC");
	assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(b, "bind")));
	assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(b, "leaf")));
	assert_true(cJSON_GetObjectItemCaseSensitive(b, "gpa")->valuedouble ==
		    FAKE_WINDOW_GPA + 0x5000);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(b, "size")->valueint, 4096);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(b, "map_info")->valueint, 3);
	cJSON_Delete(answer);
}

static void test_socket(void **state)
{
	static const char two[] = "{\"execute\":\"query-status\",\"id\":1}\n"
				  "{\"execute\":\"nonsense\",\"id\":2}\n{\"execute\":";
	static const char rest[] = "\"query-status\",\"id\":3}\r\n";
	struct test *t = *state;
	int fd = client(t), i;
	struct stat st;
	cJSON *answer;

	/* whoever may connect commands the VM */
	assert_int_equal(stat(t->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(write(fd, two, sizeof(two) - 1), sizeof(two) - 1);
	for (i = 1; i <= 2; i++) {
		answer = next(t, fd);
		assert_int_equal(cJSON_GetObjectItemCaseSensitive(answer, "id")->valueint, i);
		assert_int_equal(cJSON_HasObjectItem(answer, "error"), i == 2);
		cJSON_Delete(answer);
	}
	assert_true(silent(t, fd));
	assert_int_equal(write(fd, rest, sizeof(rest) - 1), sizeof(rest) - 1);
	answer = next(t, fd);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(answer, "id")->valueint, 3);
	cJSON_Delete(answer);
	close(fd);
	pump(t);
}

static void test_long_line(void **state)
{
	struct test *t = *state;
	int fd = client(t), other = client(t);
	size_t sent = 0;
	char text[4096];
	cJSON *answer;

	memset(text, 'x', sizeof(text));
	while (sent < CONTROL_MAX_LINE) {
		ssize_t n = send(fd, text, sizeof(text), MSG_NOSIGNAL | MSG_DONTWAIT);

		assert_true(n > 0);
		sent += n;
		pump(t);
	}
	answer = next(t, fd);
	assert_string_equal(string(cJSON_GetObjectItemCaseSensitive(answer, "error"), "class"),
			    "LineTooLong");
	cJSON_Delete(answer);
	assert_null(next(t, fd));
	close(fd);

	/* the longest line that is allowed is answered; others are not touched */
	memset(text, ' ', sizeof(text));
	for (sent = 0; sent < CONTROL_MAX_LINE - sizeof(text); sent += sizeof(text)) {
		assert_int_equal(write(other, text, sizeof(text)), sizeof(text));
		pump(t);
	}
	assert_int_equal(write(other, "{\"execute\":\"query-status\"}\n", 27), 27);
	answer = next(t, other);
	assert_non_null(cJSON_GetObjectItemCaseSensitive(answer, "return"));
	cJSON_Delete(answer);
	close(other);
	pump(t);
}

static void test_events(void **state)
{
	struct test *t = *state;
	int a = client(t), b = client(t);
	cJSON *event, *data = cJSON_CreateObject();

	cJSON_AddNumberToObject(data, "gpa", 4096);
	control__event(t->fake.vm.control, "MEMORY_FAULT", data);
	control__event(t->fake.vm.control, "STOP", NULL);
	event = next(t, a);
	assert_string_equal(string(event, "event"), "MEMORY_FAULT");
	data = cJSON_GetObjectItemCaseSensitive(event, "data");
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(data, "gpa")->valueint, 4096);
	data = cJSON_GetObjectItemCaseSensitive(event, "timestamp");
	assert_true(cJSON_GetObjectItemCaseSensitive(data, "seconds")->valuedouble > 1e9);
	cJSON_Delete(event);
	event = next(t, a);
	assert_string_equal(string(event, "event"), "STOP");
	assert_true(cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(event, "data")));
	cJSON_Delete(event);
	event = next(t, b);
	assert_string_equal(string(event, "event"), "MEMORY_FAULT");
	cJSON_Delete(event);
	close(a);
	close(b);
	pump(t);
	/* nobody listens: nothing happens */
	control__event(t->fake.vm.control, "STOP", NULL);
	pump(t);
	control__event(NULL, "STOP", cJSON_CreateObject());
}

/* An event that was posted by another thread, and one that a command causes. */
static void *post_event(void *arg)
{
	struct test *t = arg;

	control__event(t->fake.vm.control, "FROM_THREAD", NULL);
	return NULL;
}

static void test_event_from_thread(void **state)
{
	struct test *t = *state;
	int fd = client(t);
	pthread_t thread;
	cJSON *json;

	assert_int_equal(pthread_create(&thread, NULL, post_event, t), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	json = next(t, fd);
	assert_string_equal(string(json, "event"), "FROM_THREAD");
	cJSON_Delete(json);

	assert_int_equal(write(fd, "{\"execute\":\"cont\"}\n", 19), 19);
	json = next(t, fd);
	assert_non_null(cJSON_GetObjectItemCaseSensitive(json, "return"));
	cJSON_Delete(json);
	json = next(t, fd);
	assert_string_equal(string(json, "event"), "RESUME");
	cJSON_Delete(json);
	close(fd);
	pump(t);
}

static void test_closed_peer(void **state)
{
	struct test *t = *state;
	int fd = client(t), other;

	/* gone before its answers can be written */
	assert_int_equal(write(fd, "{\"execute\":\"query-status\"}\n{\"execute\":\"query-status\"}\n",
			       54), 54);
	close(fd);
	pump(t);
	/* half a line, then gone */
	fd = client(t);
	assert_int_equal(write(fd, "{\"exec", 6), 6);
	close(fd);
	pump(t);
	/* half closed: no more commands, but it is answered what it asked */
	fd = client(t);
	assert_int_equal(write(fd, "{\"execute\":\"query-status\"}\n", 27), 27);
	shutdown(fd, SHUT_WR);
	cJSON_Delete(next(t, fd));
	assert_null(next(t, fd));
	close(fd);

	other = client(t);
	assert_int_equal(write(other, "{\"execute\":\"query-status\"}\n", 27), 27);
	cJSON_Delete(next(t, other));
	close(other);
	pump(t);
}

/* One who never reads is dropped; the others are served. */
static void test_slow_reader(void **state)
{
	struct test *t = *state;
	int slow = client(t), fd = client(t);
	char *big = calloc(1, 32768);
	unsigned int i;
	const char *log;
	cJSON *json;

	assert_non_null(big);
	memset(big, 'x', 32767);
	capture_begin();
	for (i = 0; i < 64; i++) {
		json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "text", big);
		control__event(t->fake.vm.control, "BIG", json);
		json = next(t, fd);
		assert_string_equal(string(json, "event"), "BIG");
		cJSON_Delete(json);
	}
	log = capture_end();
	assert_logged(log, "a client does not read");
	free(big);
	close(slow);
	close(fd);
	pump(t);
}

static void test_too_many_clients(void **state)
{
	int fds[CONTROL_MAX_CLIENTS + 1];
	struct test *t = *state;
	unsigned int i;

	capture_begin();
	for (i = 0; i < CONTROL_MAX_CLIENTS + 1; i++)
		fds[i] = client(t);
	assert_logged(capture_end(), "more than 16 clients");
	assert_null(next(t, fds[CONTROL_MAX_CLIENTS]));
	close(fds[0]);
	close(fds[CONTROL_MAX_CLIENTS]);
	pump(t);
	fds[0] = client(t);
	assert_true(silent(t, fds[0]));
	assert_int_equal(write(fds[0], "{}\n", 3), 3);
	cJSON_Delete(next(t, fds[0]));
	for (i = 0; i < CONTROL_MAX_CLIENTS; i++)
		close(fds[i]);
	pump(t);
}

/* A socket on which nobody listens is replaced; other files are left alone. */
static void test_stale_socket(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct test *t = *state;
	struct control *control;
	struct error err = { 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/stale", t->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(control__create(&control, t->fake.loop, &t->fake.vm, addr.sun_path, &err),
			 0);
	control__destroy(control);
	assert_int_equal(access(addr.sun_path, F_OK), -1);

	fd = open(addr.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_int_equal(control__create(&control, t->fake.loop, &t->fake.vm, addr.sun_path, &err),
			 -EADDRINUSE);
	assert_int_equal(access(addr.sun_path, F_OK), 0);
	unlink(addr.sun_path);
}

static void test_bad_path(void **state)
{
	struct test *t = *state;
	struct control *control;
	struct error err = { 0 };
	char path[256];

	assert_int_equal(control__create(&control, t->fake.loop, &t->fake.vm, t->path, &err),
			 -EADDRINUSE);
	assert_non_null(strstr(err.msg, t->path));
	memset(&err, 0, sizeof(err));
	assert_int_equal(control__create(&control, t->fake.loop, &t->fake.vm,
					 "/nonexistent/control", &err), -ENOENT);
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	memset(&err, 0, sizeof(err));
	assert_int_equal(control__create(&control, t->fake.loop, &t->fake.vm, path, &err),
			 -ENAMETOOLONG);
	assert_non_null(strstr(err.msg, "255 bytes"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_lines),
		TEST(test_nested_and_binary),
		TEST(test_id),
		TEST(test_stop_cont),
		TEST(test_cont_checks_types),
		TEST(test_not_launched),
		TEST(test_quit),
		TEST(test_query_memtype),
		TEST(test_socket),
		TEST(test_long_line),
		TEST(test_events),
		TEST(test_event_from_thread),
		TEST(test_closed_peer),
		TEST(test_slow_reader),
		TEST(test_too_many_clients),
		TEST(test_stale_socket),
		TEST(test_bad_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
