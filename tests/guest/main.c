// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest payload: takes the machine over from the VMM (start.S, start_pvh.S), maps
 * the buffers as the command line says, and runs one mode.
 *
 *   mode=touch|write|verify|probe|serve|steady
 *					see the file of that name (verify: write.c)
 *   mark				magic breaks around accesses to buffers
 *   pat=0xLAYOUT			IA32_PAT
 *   bufN=wb|wc|uc|uc-|wt|wp		type of buffer N instead of map_info's
 */
#include "payload.h"

static struct boot_info boot_info;

static void map_buffers(void)
{
	unsigned int i;

	for (i = 0; i < boot_info.nr_buffers; i++) {
		enum memtype type = memtype_of_buffer(&boot_info, i);

		paging_map(boot_info.window_gpa + boot_info.buffers[i].offset,
			   boot_info.buffers[i].size, memtype_pat_index(type));
	}
	paging_flush();
}

void payload_main(const struct boot_info *info)
{
	const char *cmdline = boot_info.cmdline;

	exception_init();
	if (info->magic != BOOT_INFO_MAGIC || info->size != sizeof(*info)) {
		print("payload: boot information has magic 0x%llx, size %d; wanted 0x%llx, %d\n",
		      (unsigned long long)info->magic, (int)info->size, BOOT_INFO_MAGIC,
		      (int)sizeof(*info));
		payload_exit(PAYLOAD_USAGE);
	}
	boot_info = *info;
	paging_init(&boot_info);
	memtype_set_pat(cmdline_number(cmdline, "pat", PAT_LAYOUT_DEFAULT));
	map_buffers();
	print("payload: RAM 0x%llx, window 0x%llx, %d buffers, cmdline: %s\n",
	      (unsigned long long)boot_info.ram_size, (unsigned long long)boot_info.window_gpa,
	      (int)boot_info.nr_buffers, cmdline);

	if (cmdline_value_is(cmdline, "mode", "touch"))
		touch_run(&boot_info);
	if (cmdline_value_is(cmdline, "mode", "write"))
		write_run(&boot_info, true);
	if (cmdline_value_is(cmdline, "mode", "verify"))
		write_run(&boot_info, false);
	if (cmdline_value_is(cmdline, "mode", "probe"))
		probe_run(&boot_info);
	if (cmdline_value_is(cmdline, "mode", "serve"))
		serve_run(&boot_info);
	if (cmdline_value_is(cmdline, "mode", "steady"))
		steady_run(&boot_info);
	print("payload: mode=touch, write, verify, probe, serve or steady is needed\n");
	payload_exit(PAYLOAD_USAGE);
}
