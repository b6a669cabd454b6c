// SPDX-License-Identifier: GPL-2.0-or-later
/* Options of dmapat-vmm run: what is taken, what is refused, and with which words. */
#include "unit/vmm_fake.h"

#include "vmm/frontend.h"

#define MAX_ARGS	40

static enum options_result parse(struct options *opts, struct error *err, const char *line)
{
	static char copy[4096];
	char *argv[MAX_ARGS + 1] = { (char *)"run" }, *word, *save = NULL;
	int argc = 1;

	memset(err, 0, sizeof(*err));
	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(argc < MAX_ARGS);
		argv[argc++] = word;
	}
	return options__parse(opts, argc, argv, err);
}

static void test_defaults(void **state)
{
	struct options opts;
	struct error err;

	(void)state;
	assert_int_equal(parse(&opts, &err, "--payload x"), OPTIONS_OK);
	assert_int_equal(opts.memory, 64 << 20);
	assert_true(opts.window_base == 4ULL << 30);
	assert_true(opts.window_size == 1ULL << 30);
	assert_int_equal(opts.bind, BIND_REQUIRE);
	assert_int_equal(opts.vcpus, 1);
	assert_string_equal(opts.cmdline, "");
	assert_null(opts.control);
	assert_null(opts.incoming);
	assert_false(opts.paused);
	assert_int_equal(opts.nr_gpus, 0);
	options__free(&opts);
}

static void test_all(void **state)
{
	enum options_result r;
	struct options opts;
	struct error err;

	(void)state;
	assert_int_equal(parse(&opts, &err,
			       "--memory 0x2000000 --vcpus 2 --payload p --cmdline mode=touch"),
			 OPTIONS_OK);
	assert_int_equal(opts.memory, 32 << 20);
	assert_int_equal(opts.vcpus, 2);
	assert_string_equal(opts.cmdline, "mode=touch");

	assert_int_equal(parse(&opts, &err,
			       "--payload p --window-base 8G --window-size 32M --paused"),
			 OPTIONS_OK);
	assert_true(opts.window_base == 8ULL << 30);
	assert_int_equal(opts.window_size, 32 << 20);
	assert_true(opts.paused);

	r = parse(&opts, &err, "--payload p --gpu-proc /a --gpu-proc /b,offset=16M --gpu-timeout 5");
	assert_int_equal(r, OPTIONS_OK);
	assert_int_equal(opts.nr_gpus, 2);
	assert_string_equal(opts.gpus[0].socket, "/a");
	assert_true(opts.gpus[0].offset == FRONTEND_OFFSET_AUTO);
	assert_string_equal(opts.gpus[1].socket, "/b");
	assert_int_equal(opts.gpus[1].offset, 16 << 20);
	assert_int_equal(opts.gpu_timeout_ms, 5);
	options__free(&opts);

	r = parse(&opts, &err,
		  "--incoming unix:/i --bind off --control /c --console - --dirty-ring 4K --dirty-log bitmap");
	assert_int_equal(r, OPTIONS_OK);
	assert_int_equal(opts.dirty_log, DIRTY_LOG_BITMAP);
	assert_string_equal(opts.incoming, "unix:/i");
	assert_int_equal(opts.bind, BIND_OFF);
	assert_string_equal(opts.control, "/c");
	assert_string_equal(opts.console, "-");
	assert_int_equal(opts.dirty_ring, 4096);
}

static void test_refused(void **state)
{
	static const struct {
		const char *line;
		const char *says;
	} cases[] = {
		{ "", "one of --payload, --kernel and --incoming" },
		{ "--payload p --incoming unix:x", "one of --payload, --kernel and --incoming" },
		{ "--payload p --kernel k", "one of --payload, --kernel and --incoming" },
		{ "--payload p --initrd i", "--initrd without --kernel" },
		{ "--kernel k --device", "wants a value" },
		{ "--kernel k --device virtio-blk,x", "KEY=VALUE" },
		{ "--incoming unix:x --device virtio-rng", "do not migrate yet" },
		{ "--incoming unix:x --paused", "--paused and --incoming" },
		{ "--payload p --nonsense", "unknown option" },
		{ "--payload", "wants a value" },
		{ "--payload p stray", "stray" },
		{ "--payload p --memory 1x", "not a number" },
		{ "--payload p --memory -1", "not a number" },
		{ "--payload p --memory 4095", "not between" },
		{ "--payload p --memory 4G", "not between" },
		{ "--payload p --memory 1048577", "not a multiple" },
		{ "--payload p --memory 99999999999999999999", "not a number" },
		{ "--payload p --vcpus 0", "not between" },
		{ "--payload p --vcpus 17", "not between" },
		{ "--payload p --window-base 32M", "overlaps RAM" },
		{ "--payload p --window-base 3G", "APICs" },
		{ "--payload p --window-base 0x100000800", "not page aligned" },
		{ "--payload p --window-size 100", "not between" },
		{ "--payload p --window-size 8T", "not a number" },
		{ "--payload p --bind maybe", "neither require nor off" },
		{ "--payload p --gpu-proc ,offset=1M", "no socket" },
		{ "--payload p --gpu-proc a,size=1M", "only ,offset=SIZE" },
		{ "--payload p --gpu-proc a,offset=x", "only ,offset=SIZE" },
		{ "--payload p --gpu-proc a,offset=5", "not page aligned" },
		{ "--payload p --gpu-timeout 0", "not between" },
		{ "--kernel k --device vhost-user-fs,tag=t", "socket=VALUE is needed" },
		{ "--kernel k --device vhost-user-fs,socket=s", "tag=VALUE is needed" },
		{ "--kernel k --device vhost-user-fs,socket=s,tag=", "tag=: KEY=VALUE is wanted" },
		{ "--kernel k --device vhost-user-gpu", "socket=VALUE is needed" },
		{ "--kernel k --device vhost-user-gpu,socket=s,tag=t", "has no option tag" },
		{ "--kernel k --device vhost-user-gpu,socket=s --device vhost-user-gpu,socket=t",
		  "the window is the BAR of one" },
		{ "--kernel k --device vhost-user-gpu,socket=s --gpu-proc t", "no --gpu-proc" },
		{ "--payload p --dirty-log no", "neither auto nor ring nor bitmap" },
		{ "--payload p --dirty-ring 1000", "not between" },
		{ "--payload p --dirty-ring 5000", "not a power of two" },
		{ "--payload p --gpu-proc 1 --gpu-proc 2 --gpu-proc 3 --gpu-proc 4 --gpu-proc 5 --gpu-proc 6 --gpu-proc 7 --gpu-proc 8 --gpu-proc 9",
		  "more than 8" },
	};
	struct options opts;
	struct error err;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(&opts, &err, cases[i].line), OPTIONS_BAD);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("'%s' says '%s', not '%s'", cases[i].line, err.msg, cases[i].says);
		assert_int_equal(opts.nr_gpus, 0);
	}
}

static void test_cmdline_length(void **state)
{
	char text[BOOT_INFO_CMDLINE_MAX + 1];
	char run[] = "run", payload[] = "--payload", file[] = "p", cmdline[] = "--cmdline";
	char *argv[6] = { run, payload, file, cmdline, text };
	struct error err = { 0 };
	struct options opts;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[BOOT_INFO_CMDLINE_MAX - 1] = '\0';
	assert_int_equal(options__parse(&opts, 5, argv, &err), OPTIONS_OK);
	options__free(&opts);
	text[BOOT_INFO_CMDLINE_MAX - 1] = 'a';
	text[BOOT_INFO_CMDLINE_MAX] = '\0';
	assert_int_equal(options__parse(&opts, 5, argv, &err), OPTIONS_BAD);
	assert_non_null(strstr(err.msg, "1024 bytes, at most 1023"));
}

static void test_help(void **state)
{
	struct options opts;
	struct error err;

	(void)state;
	assert_int_equal(parse(&opts, &err, "--gpu-proc a --help"), OPTIONS_HELP);
	assert_int_equal(opts.nr_gpus, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cmdline_length),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
