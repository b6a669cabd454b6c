// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmapat-conformance as a program: what it refuses to run without, how it ends, what it
 * leaves behind. Run it with the module parameter kvm.tdp_mmu=0, too: then it must
 * refuse, because it could not see what KVM zaps.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "lib/process.h"

#define PROGRAM		"/t/dmapat-conformance"
#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/dmapat"
#define JSON		"/tmp/test_matrix.json"

/*
 * The smallest run: 12 cells, bound and unbound. --host, also for runs that are killed:
 * they must not leave a bracket of Bochs' trace open.
 */
#define SMALL		"--host", "--exporter", "wc-vgem", "--moment", "first-touch"

static struct process p;

/* It has ended with @status and said @words. */
static void expect_end(int status, const char *words, const char *what)
{
	bool ok = test_eq(process_end(&p), status, "%s: exit status", what);

	ok &= test_ok(strstr(p.text, words), "%s: it says \"%s\"", what, words);
	ok &= test_ok(access(INSTANCE, F_OK) && errno == ENOENT, "%s: nothing is watched any more",
		      what);
	if (!ok)
		process_show(&p);
}

static unsigned int count(const char *text, const char *word)
{
	unsigned int n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

static void small_run(void)
{
	static char json[32768];
	FILE *file;
	size_t n;

	process_run(&p, PROGRAM, SMALL, "--json", JSON);
	expect_end(0, "# cells: 12 judged, 0 wrong", "a small run");
	test_eq(count(p.text, "\n# cell "), 12, "a line for each cell");
	test_eq(count(p.text, "\n# timing: "), 12, "the second witness is asked for each");
	test_eq(count(p.text, "phase="), 0, "no bracket of a trace on a real machine");
	file = fopen(JSON, "re");
	test_assert(file);
	n = fread(json, 1, sizeof(json) - 1, file);
	json[n] = '\0';
	fclose(file);
	test_eq(count(json, "\"ok\":true"), 12, "12 cells in the JSON file");
	test_ok(json[0] == '[' && n > 3 && !strcmp(json + n - 3, "\n]\n"), "which is an array");
	unlink(JSON);
}

static void json_file(void)
{
	process_run(&p, PROGRAM, SMALL, "--json", "/tmp/none/file");
	expect_end(2, "--json /tmp/none/file: No such file or directory", "a file in no folder");
	test_ok(!strstr(p.text, "# cell "), "nothing was judged before that");
	process_run(&p, PROGRAM, SMALL, "--json", "/dev/full");
	expect_end(1, "--json /dev/full: No space left on device", "a full disk");
}

static void not_root(void)
{
	test_assert(!seteuid(65534));
	process_run(&p, PROGRAM, SMALL);
	test_assert(!seteuid(0));
	expect_end(1, "Bail out! uid 65534: must be root", "another user");
}

static void no_tracefs(void)
{
	test_assert(!umount(TRACING));
	process_run(&p, PROGRAM, SMALL);
	expect_end(1, "mount -t tracefs", "no tracefs");
	test_ok(!strstr(p.text, "# cell "), "no cell without a leaf");
	test_assert(!mount("trace", TRACING, "tracefs", 0, NULL));
}

static void missing_exporter(void)
{
	test_assert(!rename("/dev/udmabuf", "/dev/udmabuf.away"));
	process_run(&p, PROGRAM, "--host", "--exporter", "wb-udmabuf");
	expect_end(1, "SKIP /dev/udmabuf: No such file or directory: load udmabuf",
		   "an exporter is missing, no other wanted");
	test_ok(strstr(p.text, "there is something to judge"), "nothing judged is a failure");
	process_run(&p, PROGRAM, SMALL, "--exporter", "w*", "--require-all");
	expect_end(1, "not ok 1 - dmapat wb-udmabuf: /dev/udmabuf", "an exporter is missing, all wanted");
	test_assert(!rename("/dev/udmabuf.away", "/dev/udmabuf"));
}

/* Two at a time would see each other's leaves as lost or their own. */
static void second_run_and_signal(void)
{
	static struct process first;

	process_run(&first, PROGRAM, "--host");
	test_assert(process_says(&first, "\nok 20 "));
	process_run(&p, PROGRAM, SMALL);
	test_eq(process_end(&p), 1, "a second run at the same time: exit status");
	test_ok(strstr(p.text, "does another run watch?"), "it says why");
	test_assert(!kill(first.pid, SIGINT));
	test_eq(process_end(&first), 130, "interrupted: exit status");
	test_ok(strstr(first.text, "# cells: ") && strstr(first.text, "\nBail out! interrupted\n"),
		"it says how far it came");
	test_ok(!strstr(first.text, "not ok"), "which is no failed result");
	test_ok(access(INSTANCE, F_OK) && errno == ENOENT, "nothing is watched any more");
}

/* A run that was killed leaves its instance; the next one removes it. */
static void after_a_kill(void)
{
	process_run(&p, PROGRAM, "--host");
	test_assert(process_says(&p, "\nok 20 "));
	test_assert(!kill(p.pid, SIGKILL));
	test_eq(process_end(&p), 128 + SIGKILL, "killed");
	test_ok(!access(INSTANCE, F_OK), "its instance is left");
	process_run(&p, PROGRAM, SMALL);
	expect_end(0, "# cells: 12 judged, 0 wrong", "the next run");
}

static bool shadow_mmu(void)
{
	FILE *file = fopen("/sys/module/kvm/parameters/tdp_mmu", "re");
	int value;

	test_assert(file);
	value = fgetc(file);
	fclose(file);
	return value == 'N';
}

int main(void)
{
	if (shadow_mmu()) {
		process_run(&p, PROGRAM, SMALL);
		expect_end(1, "tdp_mmu is not Y", "the shadow MMU");
		return test_end();
	}
	small_run();
	json_file();
	not_root();
	no_tracefs();
	missing_exporter();
	second_run_and_signal();
	after_a_kill();
	return test_end();
}
