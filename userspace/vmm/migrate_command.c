// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `dmapat-vmm migrate SOCKET URI`: ask a running VMM to migrate, show on the terminal how it
 * goes, and stay until it is decided who runs the guest. The VMM does all the work: if
 * this program is killed, the migration goes on.
 */
#include "vmm/migrate_command.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "size.h"
#include "vmm/control_client.h"
#include "vmm/exit_status.h"
#include "vmm/util.h"

#define ANSWER_TIMEOUT_S	20
#define LOOK_NS			200000000	/* between two looks at the migration */
#define MIB			(1024.0 * 1024.0)

static const char usage[] =
"usage: dmapat-vmm migrate SOCKET URI [OPTIONS]\n"
"  SOCKET is the control socket of the source, URI where the destination listens:\n"
"  unix:PATH or tcp:HOST:PORT\n"
"  --bandwidth SIZE        bytes a second while the guest runs (no limit)\n"
"  --level N               compression, zstd's 1 to 19; 0: none (1)\n"
"  --channels N            connections that carry pages at the same time, 1 to 8 (1)\n"
"  --auto-converge         slow the guest down if it writes faster than is sent\n"
"  --downtime-limit MS     how long the guest may stand still (300)\n"
"  --max-rounds N          passes before it is stopped in any case (30)\n"
"  --timeout MS            longest silence of the destination (5000)\n"
"Ctrl-C cancels the migration. Exit status 0: the destination runs the guest.\n";

/* Options with a value are numbers, which `migrate` takes under @argument. */
static const struct {
	const char *option;
	const char *argument;
} numbers[] = {
	{ "bandwidth", "bandwidth" },
	{ "level", "compression-level" },
	{ "channels", "channels" },
	{ "downtime-limit", "downtime-limit-ms" },
	{ "max-rounds", "max-rounds" },
	{ "timeout", "timeout-ms" },
};

/* Returns the arguments of `migrate`, NULL: @status is the exit status. */
static cJSON *parse(int argc, char **argv, int *status)
{
	struct option options[ARRAY_SIZE(numbers) + 3] = { 0 };
	cJSON *args = cJSON_CreateObject();
	uint64_t value;
	unsigned int i;
	int c;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		options[i] = (struct option) { numbers[i].option, required_argument, NULL, i };
	options[i++] = (struct option) { "auto-converge", no_argument, NULL, 'a' };
	options[i] = (struct option) { "help", no_argument, NULL, 'h' };

	*status = EXIT_USAGE;
	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'h') {
			fputs(usage, stdout);
			*status = EXIT_GUEST_OK;
			goto out;
		}
		if (c == '?')
			goto out;
		if (c == 'a') {
			cJSON_AddTrueToObject(args, "auto-converge");
			continue;
		}
		if (size_parse(optarg, &value) < 0) {
			log_error("--%s %s: not a number or a size", numbers[c].option, optarg);
			goto out;
		}
		cJSON_AddNumberToObject(args, numbers[c].argument, value);
	}
	if (argc - optind == 2) {
		cJSON_AddStringToObject(args, "uri", argv[optind + 1]);
		return args;
	}
	fputs(usage, stderr);
out:
	cJSON_Delete(args);
	return NULL;
}

/* One command; its "return", which the caller deletes with the rest of *@answer. */
static const cJSON *ask(FILE *vmm, const char *command, cJSON *args, cJSON **answer)
{
	const cJSON *error;

	*answer = NULL;
	if (control_client__send(vmm, command, args) < 0)
		return NULL;
	*answer = control_client__answer(vmm, ANSWER_TIMEOUT_S, NULL);
	error = cJSON_GetObjectItemCaseSensitive(*answer, "error");
	if (error)
		log_error("%s: %s", command,
			  cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "desc")));
	return cJSON_GetObjectItemCaseSensitive(*answer, "return");
}

static double number(const cJSON *progress, const char *member)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(progress, member);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static const char *text(const cJSON *progress, const char *member)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(progress, member));

	return s ? s : "";
}

/* What is on the terminal, and what it said last. */
struct view {
	bool tty;
	bool dirty;		/* the cursor stands behind a line that will be replaced */
	unsigned int pass;
	char status[32];
};

static void end_line(struct view *view)
{
	if (view->dirty)
		putchar('\n');
	view->dirty = false;
	fflush(stdout);
}

static void describe(const cJSON *p, char *line, size_t size)
{
	double elapsed = number(p, "elapsed_ms") / 1000;
	double sent = number(p, "bytes_sent") / MIB;
	unsigned int pass = number(p, "rounds");

	if (strcmp(text(p, "status"), "active") || !pass)
		snprintf(line, size, "%s: %.1f MiB sent, %.1f s", text(p, "status"), sent, elapsed);
	else if (pass == 1)
		snprintf(line, size, "pass 1: %.0f %% of %.1f MiB, %.1f MiB sent, %.1f s",
			 number(p, "percent"), number(p, "remaining") / MIB, sent, elapsed);
	else
		snprintf(line, size,
			 "pass %u: %.1f MiB dirty, %.0f pages/s written, %.1f MiB/s, %.0f ms of downtime expected, %.0f %% throttled, %.1f MiB sent, %.1f s",
			 pass, number(p, "remaining") / MIB, number(p, "dirty_rate"),
			 number(p, "rate") / MIB, number(p, "expected_downtime_ms"),
			 number(p, "throttle"), sent, elapsed);
}

static void show(struct view *view, const cJSON *progress)
{
	unsigned int pass = number(progress, "rounds");
	char line[256];

	/* Without a terminal a line for each step, not for each look. */
	if (!view->tty && pass == view->pass && !strcmp(view->status, text(progress, "status")))
		return;
	view->pass = pass;
	snprintf(view->status, sizeof(view->status), "%s", text(progress, "status"));
	describe(progress, line, sizeof(line));
	if (view->tty) {
		printf("\r%s\033[K", line);
		view->dirty = true;
	} else {
		puts(line);
	}
	fflush(stdout);
}

/* Ctrl-C: give the migration up, if it is not too late, and wait for what comes of it. */
static void cancel(FILE *vmm, struct view *view)
{
	cJSON *answer;

	end_line(view);
	if (ask(vmm, "migrate_cancel", NULL, &answer))
		log_info("cancelling the migration; once more Ctrl-C leaves it alone");
	cJSON_Delete(answer);
}

static bool is_over(const char *status)
{
	return !strcmp(status, "completed") || !strcmp(status, "failed") ||
	       !strcmp(status, "cancelled");
}

static int tell_outcome(const cJSON *p)
{
	if (strcmp(text(p, "status"), "completed")) {
		log_error("%s: %s; the guest stays here", text(p, "status"), text(p, "error"));
		return 1;
	}
	printf("completed: %.0f ms of downtime, %.0f passes, %.1f MiB sent, %.1f s\n",
	       number(p, "downtime_ms"), number(p, "rounds"), number(p, "bytes_sent") / MIB,
	       number(p, "elapsed_ms") / 1000);
	return EXIT_GUEST_OK;
}

static void warn_unknown(const cJSON *p, struct view *view)
{
	if (!strcmp(view->status, "outcome-unknown"))
		return;
	end_line(view);
	log_warn("%s", text(p, "error"));
}

/* Until it is over. @signals are blocked, and taken between two looks. */
static int follow(FILE *vmm, const sigset_t *signals)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	struct view view = { .tty = isatty(STDOUT_FILENO) };
	const cJSON *progress;
	bool cancelled = false;
	int status = EXIT_SETUP;
	cJSON *answer;

	for (;;) {
		progress = ask(vmm, "query-migrate", NULL, &answer);
		if (!progress || is_over(text(progress, "status"))) {
			end_line(&view);
			if (progress)
				status = tell_outcome(progress);
			cJSON_Delete(answer);
			return status;
		}
		if (!strcmp(text(progress, "status"), "outcome-unknown"))
			warn_unknown(progress, &view);
		show(&view, progress);
		cJSON_Delete(answer);
		if (sigtimedwait(signals, NULL, &pause) > 0 && !cancelled) {
			cancelled = true;
			cancel(vmm, &view);
			/* The next one ends this program. */
			pthread_sigmask(SIG_UNBLOCK, signals, NULL);
		}
	}
}

int migrate_command__main(int argc, char **argv)
{
	sigset_t signals, before;
	cJSON *args, *answer;
	int status;
	FILE *vmm;

	args = parse(argc, argv, &status);
	if (!args)
		return status;
	vmm = control_client__open(argv[optind]);
	if (!vmm) {
		cJSON_Delete(args);
		return EXIT_SETUP;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	status = 1;
	if (ask(vmm, "migrate", args, &answer))
		status = follow(vmm, &signals);
	else if (!answer)
		status = EXIT_SETUP;
	cJSON_Delete(answer);
	fclose(vmm);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return status;
}
