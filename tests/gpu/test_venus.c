// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Vulkan in a Debian guest: Mesa's venus driver and virtio_gpu there, dmapat-gpu-proc with
 * virglrenderer and lavapipe here. A compute job shares memory with the host's GPU, byte by
 * byte, and each blob has one memory type in all three: host, VMM, guest.
 *
 * Also the second act of the demo, for which it says "# step", "# vulkan" and "# blob".
 */
#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debian_guest.h"
#include "guest_gpu.h"
#include "lib/ktap.h"

#define CONTROL		"/run/vmm.sock"
#define PROGRAMS	"virtio-blk,file=/t/programs.ext4,readonly=on"
#define PAT_LIST	"/sys/kernel/debug/x86/pat_memtype_list"

/* Only the driver under test: Debian has lavapipe for the guest, too. */
#define VENUS		"VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json "

/* The lines of the guest's last output, each behind @prefix. */
static void print_output(const struct debian_guest *guest, const char *prefix)
{
	const char *line = guest->output;
	int len;

	while (*line) {
		len = strcspn(line, "\r\n");
		if (len)
			printf("# %s %.*s\n", prefix, len, line);
		line += len + strspn(line + len, "\r\n");
	}
	fflush(stdout);
}

/* The type that the guest's kernel maps @gpa with, from its list of PAT types. */
static const char *guest_type(const struct debian_guest *guest, unsigned long long gpa)
{
	static const struct {
		const char *linux_name;
		const char *name;
	} types[] = {
		{ "write-back", "WB" }, { "write-combining", "WC" }, { "uncached-minus", "UC-" },
		{ "uncached", "UC" },
	};
	unsigned long long first, end;
	const char *at = guest->output;
	char name[32];
	size_t i;

	while ((at = strstr(at, "[mem "))) {
		if (sscanf(at, "[mem %llx-%llx] %31s", &first, &end, name) == 3 &&
		    first <= gpa && gpa < end) {
			for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
				if (!strcmp(name, types[i].linux_name))
					return types[i].name;
			return "?";
		}
		at++;
	}
	return "not mapped";
}

static const char *text(const cJSON *object, const char *name)
{
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));

	return value ? value : "-";
}

/* While a job has blobs mapped: the same type everywhere. */
static void test_types(struct debian_guest *guest)
{
	const cJSON *list, *buffer;
	struct control control;
	const char *host, *vmm, *in_guest;
	int mapped = 0, wrong = 0;
	cJSON *answer;

	test_eq(debian_guest_run(guest, "cat " PAT_LIST), 0, "the guest's PAT types");
	control_connect(&control, CONTROL);
	answer = cJSON_Parse(control_command(&control, "\"execute\":\"query-memtype\""));
	list = cJSON_GetObjectItem(cJSON_GetObjectItem(answer, "return"), "buffers");
	cJSON_ArrayForEach(buffer, list) {
		host = text(buffer, "query");
		vmm = text(buffer, "memtype");
		in_guest = guest_type(guest, cJSON_GetNumberValue(cJSON_GetObjectItem(buffer, "gpa")));
		printf("# blob %s size=0x%llx host=%s vmm=%s guest=%s\n", text(buffer, "name"),
		       (unsigned long long)cJSON_GetNumberValue(cJSON_GetObjectItem(buffer, "size")),
		       host, vmm, in_guest);
		mapped += strcmp(in_guest, "not mapped") != 0;
		wrong += !cJSON_IsTrue(cJSON_GetObjectItem(buffer, "bound")) || strcmp(host, vmm) ||
			 (strcmp(in_guest, "not mapped") && strcmp(in_guest, host));
	}
	test_ok(mapped > 0, "%d of %d blobs are mapped in the guest", mapped,
		cJSON_GetArraySize(list));
	test_eq(wrong, 0, "unbound, or not of one type in host, VMM and guest");
	cJSON_Delete(answer);
	control_close(&control);
}

static void test_job(struct debian_guest *guest, int iterations)
{
	char command[256], says[64];

	snprintf(command, sizeof(command), VENUS "/t/vk_compute %d > /tmp/job & job=$!", iterations);
	test_eq(debian_guest_run(guest, command), 0, "the compute job starts");
	snprintf(command, sizeof(command),
		 "while kill -0 $job && ! grep 'iteration %d$' /tmp/job; do sleep 0.1; done",
		 iterations / 10);
	test_eq(debian_guest_run(guest, command), 0, "it runs");
	test_types(guest);
	test_eq(debian_guest_run(guest, "wait $job; s=$?; tee /dev/tty1 < /tmp/job; (exit $s)"), 0,
		"the compute job's status");
	snprintf(says, sizeof(says), "%d iterations, 0 mismatches", iterations);
	test_ok(strstr(guest->output, says), "%s", says);
}

int main(int argc, char **argv)
{
	static const char *const options[] = {
		"--device", GUEST_GPU_DEVICE, "--device", PROGRAMS, "--control", CONTROL, NULL
	};
	static struct debian_guest guest;
	static struct process gpu;
	int iterations;

	iterations = argc == 2 ? atoi(argv[1]) : 0;
	test_assert(iterations >= 10);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# step dmapat-gpu-proc with venus, dmapat-vmm with a Debian 13 guest; it boots\n");
	guest_gpu_start(&gpu, "venus");
	debian_guest_start(&guest, options);
	if (!test_ok(debian_guest_login(&guest), "a shell on the serial console"))
		goto failed;
	test_eq(debian_guest_run(&guest, "set -o pipefail +m; mount -o ro /dev/vdb /t"), 0,
		"the guest's programs");
	printf("# step the guest is up; vulkaninfo --summary\n");
	if (!test_eq(debian_guest_run(&guest, VENUS "vulkaninfo --summary | tee /dev/tty1"),
		     0, "vulkaninfo"))
		goto failed;
	print_output(&guest, "vulkan");
	if (!test_ok(strstr(guest.output, "Virtio-GPU Venus (llvmpipe"),
		     "it names venus on lavapipe"))
		goto failed;
	printf("# step a compute job of %d iterations\n", iterations);
	test_job(&guest, iterations);
	print_output(&guest, "job");
	test_ok(guest_gpu_screenshot(&gpu, "venus"), "screenshot");
	printf("# step switching off\n");
	test_eq(debian_guest_end(&guest), 0, "switched off by systemd: exit status");
	test_eq(process_end(&gpu), 0, "gpu-proc: exit status");
	return test_end();
failed:
	print_output(&guest, "guest");
	process_show(&guest.vmm);
	process_show(&gpu);
	return test_end();
}
