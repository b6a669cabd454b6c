// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/options.c and buffer_spec.c, userspace/lib/size.c: the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "gpu-proc/buffer_spec.h"
#include "gpu-proc/options.h"
#include "size.h"

static struct options opts;

#define parse(...) parse_argv((const char *[]){ "dmapat-gpu-proc", __VA_ARGS__, NULL })

static int parse_argv(const char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return options_parse(&opts, argc, (char **)argv);
}

static void assert_refused(const char **argv, const char *text)
{
	const char *log;
	int ret;

	capture_begin();
	ret = parse_argv(argv);
	log = capture_end();
	assert_int_equal(ret, -1);
	assert_logged(log, text);
}

#define refused(text, ...) \
	assert_refused((const char *[]){ "dmapat-gpu-proc", __VA_ARGS__, NULL }, text)

static void test_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
	} good[] = {
		{ "0", 0 }, { "1", 1 }, { "010", 10 }, { "0x10", 16 }, { "4K", 4096 },
		{ "0x1K", 1024 }, { "3M", 3 << 20 }, { "2G", 2ull << 30 },
		{ "18446744073709551615", UINT64_MAX }, { "17179869183G", UINT64_MAX << 30 },
	};
	static const char *const bad[] = {
		"", "K", "-1", "+1", " 1", "1 ", "1k", "1KB", "1T", "x", "0x", "0xK", "1.5M", "M1",
		"18446744073709551616", "17179869184G", "0x1g",
	};
	uint64_t size;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		size = 77;
		if (size_parse(good[i].text, &size) < 0 || size != good[i].size)
			fail_msg("%s is %llu", good[i].text, (unsigned long long)size);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (size_parse(bad[i], &size) == 0)
			fail_msg("\"%s\" is %llu", bad[i], (unsigned long long)size);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(parse("--fd=7"), 0);
	assert_int_equal(opts.action, OPTIONS_SERVE);
	assert_int_equal(opts.fd, 7);
	assert_null(opts.socket_path);
	assert_int_equal(opts.shmem_size, 1 << 30);
	assert_int_equal(opts.sandbox.mode, SANDBOX_STRICT);
	assert_null(opts.sandbox.user);
	assert_int_equal(opts.nbuffers, 0);
	assert_int_equal(opts.gpu.width, 1024);
	assert_int_equal(opts.gpu.height, 768);
	assert_null(opts.gpu.screenshot);
	assert_null(opts.gpu.scanout_shm);
}

static void test_all(void **state)
{
	const struct buffer_spec *spec = opts.buffers;

	(void)state;
	assert_int_equal(parse("--socket-path", "/run/gpu.sock", "--shmem-size=64M", "--user=daemon",
			       "--sandbox=best-effort", "--display=1920x1080",
			       "--screenshot=/tmp/a.png", "--scanout-shm=/tmp/b",
			       "--buffer=heap=system-wc,size=4M,offset=0,fill=0x5a,name=front.1",
			       "--buffer", "drm=/dev/dri/card0,offset=60M,size=4M"), 0);
	assert_string_equal(opts.socket_path, "/run/gpu.sock");
	assert_int_equal(opts.fd, -1);
	assert_int_equal(opts.shmem_size, 64 << 20);
	assert_int_equal(opts.sandbox.mode, SANDBOX_BEST_EFFORT);
	assert_string_equal(opts.sandbox.user, "daemon");
	assert_int_equal(opts.nbuffers, 2);
	assert_int_equal(opts.gpu.width, 1920);
	assert_int_equal(opts.gpu.height, 1080);
	assert_string_equal(opts.gpu.screenshot, "/tmp/a.png");
	assert_string_equal(opts.gpu.scanout_shm, "/tmp/b");

	assert_ptr_equal(spec[0].allocator, &alloc_heap);
	assert_string_equal(spec[0].node, "system-wc");
	assert_string_equal(spec[0].name, "front.1");
	assert_int_equal(spec[0].size, 4 << 20);
	assert_int_equal(spec[0].offset, 0);
	assert_int_equal(spec[0].fill, 0x5a);
	assert_ptr_equal(spec[1].allocator, &alloc_drm);
	assert_string_equal(spec[1].node, "/dev/dri/card0");
	assert_string_equal(spec[1].name, "");
	assert_int_equal(spec[1].offset, 60 << 20);
	assert_int_equal(spec[1].fill, BUFFER_NO_FILL);

	/* 0 is a fill byte, too */
	assert_int_equal(parse("--fd=3",
			       "--buffer=udmabuf=/dev/udmabuf,size=4K,offset=0,fill=0"), 0);
	assert_ptr_equal(spec[0].allocator, &alloc_udmabuf);
	assert_int_equal(spec[0].fill, 0);
}

static void test_display(void **state)
{
	static const char *const bad[] = {
		"--display=", "--display=x", "--display=640", "--display=640x", "--display=x480",
		"--display=640x480x", "--display=640X480", "--display=640x 480",
		"--display=-640x480", "--display=640x479", "--display=479x640",
		"--display=4096x480", "--display=640x4096", "--display=99999999999999999999x640",
	};
	unsigned int i;

	(void)state;
	assert_int_equal(parse("--fd=3", "--display=480x4095"), 0);
	assert_int_equal(opts.gpu.width, 480);
	assert_int_equal(opts.gpu.height, 4095);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused("not WIDTHxHEIGHT, from 480 to 4095 pixels each", "--fd=3", bad[i]);
}

static void test_actions(void **state)
{
	(void)state;
	assert_int_equal(parse("--help"), 0);
	assert_int_equal(opts.action, OPTIONS_HELP);
	assert_int_equal(parse("--version"), 0);
	assert_int_equal(opts.action, OPTIONS_VERSION);
	/* overrides everything, right or wrong, before and behind it */
	assert_int_equal(parse("--nonsense", "--fd=x", "--print-capabilities", "--buffer=x"), 0);
	assert_int_equal(opts.action, OPTIONS_PRINT_CAPABILITIES);
}

static void test_help_names_all(void **state)
{
	const struct allocator *const *a;
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof(text) - 1, "w");

	(void)state;
	options_print_help(out);
	fclose(out);
	for (a = allocators; *a; a++)
		assert_non_null(strstr(text, (*a)->node_help));
	assert_non_null(strstr(text, "--socket-path="));
	assert_non_null(strstr(text, "--shmem-size="));
	assert_non_null(strstr(text, "--sandbox="));
	assert_non_null(strstr(text, "--user="));
}

static void test_socket_refused(void **state)
{
	char path[200] = "";

	(void)state;
	refused("one of --socket-path and --fd", "--shmem-size=1M");
	refused("--socket-path=/s and --fd=4 exclude each other", "--fd=4", "--socket-path=/s");
	refused("--fd=x: not a file descriptor number", "--fd=x");
	refused("not a file descriptor number", "--fd=");
	refused("not a file descriptor number", "--fd=-1");
	refused("not a file descriptor number", "--fd=3x");
	refused("not a file descriptor number", "--fd=99999999999");
	refused("0 bytes long, must be 1 to 107", "--socket-path=");
	memset(path, 'a', 108);
	refused("108 bytes long, must be 1 to 107", "--socket-path", path);
	refused("unexpected argument 'more'", "--fd=3", "more");
	refused("--sandbox=loose: neither strict nor best-effort", "--fd=3", "--sandbox=loose");
	refused("--nonsense", "--fd=3", "--nonsense");
	refused("--buffer", "--fd=3", "--buffer");
}

static void test_region_refused(void **state)
{
	(void)state;
	refused("--shmem-size=1Q: not a size", "--fd=3", "--shmem-size=1Q");
	refused("5000 bytes are not a multiple of the page size, 4096", "--fd=3",
		"--shmem-size=5000");
	refused("0 bytes are not a multiple", "--fd=3", "--shmem-size=0");
	refused("buffer 0: offset 0x0, size 0x200000: ends beyond the region of 0x100000", "--fd=3",
		"--shmem-size=1M", "--buffer=heap=x,size=2M,offset=0");
	refused("buffer 0: offset 0x1000, size 0x100000: ends beyond the region of 0x100000",
		"--fd=3", "--shmem-size=1M", "--buffer=heap=x,size=1M,offset=4K");
	refused("ends beyond the region", "--fd=3",
		"--buffer=heap=x,size=4K,offset=0xfffffffffffff000");
	refused("ends beyond the region", "--fd=3",
		"--buffer=heap=x,offset=4K,size=0xfffffffffffff000");
}

static void test_overlap(void **state)
{
	(void)state;
	refused("buffer 1 at 0x1000-0x1fff overlaps buffer 0 at 0x0-0x1fff", "--fd=3",
		"--buffer=heap=x,size=8K,offset=0", "--buffer=heap=x,size=4K,offset=4K");
	refused("buffer 2 at 0x0-0x3fff overlaps buffer 0 at 0x2000-0x2fff", "--fd=3",
		"--buffer=heap=x,size=4K,offset=8K", "--buffer=heap=x,size=4K,offset=16K",
		"--buffer=heap=x,size=16K,offset=0");
	refused("overlaps", "--fd=3", "--buffer=heap=x,size=4K,offset=0",
		"--buffer=heap=x,size=4K,offset=0");
	/* side by side, in any order */
	assert_int_equal(parse("--fd=3", "--shmem-size=12K", "--buffer=heap=x,size=4K,offset=8K",
			       "--buffer=heap=x,size=4K,offset=0",
			       "--buffer=heap=x,size=4K,offset=4K"), 0);
}

static void test_buffer_refused(void **state)
{
	static const struct {
		const char *arg, *text;
	} cases[] = {
		{ "", "'' is not KEY=VALUE" },
		{ "heap", "'heap' is not KEY=VALUE" },
		{ "=x,size=4K,offset=0", "'=x' is not KEY=VALUE" },
		{ "heap=,size=4K,offset=0", "the value of heap is 0 bytes long" },
		{ "size=4K,heap=x,offset=0", "starts with 'size=', must start with an allocator" },
		{ "hea=x,size=4K,offset=0", "starts with 'hea=', must start with an allocator" },
		{ "heaps=x,size=4K,offset=0", "must start with an allocator" },
		{ "heap=x", "no 'size=' given" },
		{ "heap=x,offset=0", "no 'size=' given" },
		{ "heap=x,size=4K", "no 'offset=' given" },
		{ "heap=x,size=4K,offset=0,", "'' is not KEY=VALUE" },
		{ "heap=x,,size=4K,offset=0", "'' is not KEY=VALUE" },
		{ "heap=x,size=4K,offset=0,color=red", "unknown key 'color'" },
		{ "heap=x,size=4K,offset=0,heap=y", "unknown key 'heap'" },
		{ "heap=x,size=4K,size=8K,offset=0",
		  "'size' is given twice, the second time as '8K'" },
		{ "heap=x,size=4K,offset=0,offset=4K", "'offset' is given twice" },
		{ "heap=x,size=4K,offset=0,fill=1,fill=2", "'fill' is given twice" },
		{ "heap=x,size=4K,offset=0,name=a,name=b", "'name' is given twice" },
		{ "heap=x,size=0,offset=0", "size is 0" },
		{ "heap=x,size=100,offset=0", "size=100 is not a multiple of the page size, 4096" },
		{ "heap=x,size=4K,offset=100", "offset=100 is not a multiple of the page size" },
		{ "heap=x,size=big,offset=0", "size=big is not a size" },
		{ "heap=x,size=-4K,offset=0", "size=-4K is not a size" },
		{ "heap=x,size=4K,offset=0,fill=256", "fill=256 is not a number from 0 to 255" },
		{ "heap=x,size=4K,offset=0,fill=-1", "fill=-1 is not a number" },
		{ "heap=x,size=4K,offset=0,fill=0x", "fill=0x is not a number" },
		{ "heap=x,size=4K,offset=0,fill=", "the value of fill is 0 bytes long" },
		{ "heap=x,size=4K,offset=0,name=a b", "name=a b has other characters" },
		{ "heap=x,size=4K,offset=0,name=a\nb", "has other characters" },
		{ "heap=x,size=4K,offset=0,name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "is 32 bytes long, must be at most 31" },
	};
	const char *log;
	size_t i;
	int ret;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buffer_spec spec;

		capture_begin();
		ret = buffer_spec_parse(&spec, cases[i].arg);
		log = capture_end();
		if (ret == 0)
			fail_msg("--buffer=%s was taken", cases[i].arg);
		assert_logged(log, cases[i].text);
	}
}

static void test_node_length(void **state)
{
	char arg[256] = "heap=";
	struct buffer_spec spec;
	const char *log;

	(void)state;
	memset(arg + 5, 'a', BUFFER_NODE_MAX - 1);
	strcat(arg, ",size=4K,offset=0");
	assert_int_equal(buffer_spec_parse(&spec, arg), 0);
	assert_int_equal(strlen(spec.node), BUFFER_NODE_MAX - 1);

	memset(arg, 0, sizeof(arg));
	strcpy(arg, "heap=");
	memset(arg + 5, 'a', BUFFER_NODE_MAX);
	strcat(arg, ",size=4K,offset=0");
	capture_begin();
	assert_int_equal(buffer_spec_parse(&spec, arg), -1);
	log = capture_end();
	assert_logged(log, "the value of heap is 108 bytes long, must be 1 to 107");
}

static void test_too_many_buffers(void **state)
{
	static char text[BUFFER_MAX + 1][64];
	const char *argv[BUFFER_MAX + 4] = { "dmapat-gpu-proc", "--fd=3" };
	unsigned int i;

	(void)state;
	for (i = 0; i <= BUFFER_MAX; i++) {
		snprintf(text[i], sizeof(text[i]), "--buffer=heap=x,size=4K,offset=%uK", 4 * i);
		argv[2 + i] = text[i];
	}
	assert_refused(argv, "there may be at most 64 buffers");
	argv[2 + BUFFER_MAX] = NULL;
	assert_int_equal(parse_argv(argv), 0);
	assert_int_equal(opts.nbuffers, BUFFER_MAX);
}

static void test_contexts(void **state)
{
	(void)state;
	assert_int_equal(parse("--fd=3", NULL), 0);
	assert_int_equal(opts.ncontexts, 0);
	assert_false(opts.sandbox.blobs);
	assert_int_equal(parse("--fd=3", "--context=heap,limit=8M", NULL), 0);
	assert_int_equal(opts.ncontexts, 1);
	assert_int_equal(opts.contexts[0].limit, 8 << 20);
	assert_true(opts.sandbox.blobs);
	assert_false(opts.sandbox.threads);
	refused("--context=heap: heap was given before", "--fd=3", "--context=heap,limit=1M",
		"--context=heap");
	refused("--context=magic: there is no type 'magic' in this build", "--fd=3",
		"--context=magic");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_display),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_help_names_all),
		cmocka_unit_test(test_socket_refused),
		cmocka_unit_test(test_region_refused),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_buffer_refused),
		cmocka_unit_test(test_node_length),
		cmocka_unit_test(test_too_many_buffers),
		cmocka_unit_test(test_contexts),
	};

	return cmocka_run_group_tests_name("gpu-proc options", tests, NULL, NULL);
}
