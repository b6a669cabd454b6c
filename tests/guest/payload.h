/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the payload's files need of each other. */
#ifndef GUEST_PAYLOAD_H
#define GUEST_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/boot_info.h"

#define PAGE_SIZE	4096ULL
#define PAGE_WORDS	(PAGE_SIZE / sizeof(uint64_t))

enum exit_code {
	PAYLOAD_OK		= 0,
	PAYLOAD_MISMATCH	= 1,	/* memory does not hold what was written */
	PAYLOAD_USAGE		= 2,	/* boot information or command line */
	PAYLOAD_EXCEPTION	= 3,
};

/* main.c; does not return */
void payload_main(const struct boot_info *info);

/* console.c */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A character from the serial line, or -1. */
int console_poll(void);
/* The next character; the CPU halts until it is there. */
int console_wait(void);
void payload_exit(enum exit_code code) __attribute__((noreturn));

/* cmdline.c: "word" or "key=value", separated by blanks */
bool cmdline_has(const char *cmdline, const char *word);
/* The value behind key=, or NULL; ends at a blank or the end. */
const char *cmdline_value(const char *cmdline, const char *key);
bool cmdline_value_is(const char *cmdline, const char *key, const char *value);
/* Number or size behind key=, or @fallback; a bad one ends the payload. */
uint64_t cmdline_number(const char *cmdline, const char *key, uint64_t fallback);

/* exception.c */
void exception_init(void);
/* From now on this interrupt of the first 8259A, and no other, ends a HLT. */
void interrupt_enable(unsigned int irq);
/* The same for the local APIC's timer, every @ns. */
void timer_start(uint64_t ns);

/* paging.c */
void paging_init(const struct boot_info *info);
/* First byte of RAM that is neither payload nor page table. */
uint64_t paging_free_start(void);
/* Map [gpa, +size) one to one, in 4 KiB pages, with the PAT entry @pat_index. */
void paging_map(uint64_t gpa, uint64_t size, unsigned int pat_index);
void paging_flush(void);

/* memtype.c: architectural numbers, as in uapi/linux/dmabuf_memtype.h */
enum memtype { MT_UC = 0, MT_WC = 1, MT_WT = 4, MT_WP = 5, MT_WB = 6, MT_UC_MINUS = 7 };

#define PAT_LAYOUT_DEFAULT	0x0407050600070106ULL	/* WB WC UC- UC WB WP UC- WT */

const char *memtype_name(enum memtype type);
/* -1: no such name. Ends at a blank, too. */
int memtype_parse(const char *name);
void memtype_set_pat(uint64_t layout);
/* The first PAT entry of @type; ends the payload if the layout has none. */
unsigned int memtype_pat_index(enum memtype type);
/* bufN=TYPE of the command line, else what map_info says. */
enum memtype memtype_of_buffer(const struct boot_info *info, unsigned int n);

/* page.c: contents by address and generation, so that a page tells whether it is stale */
void page_write(uint64_t gpa, uint64_t generation);
/* How many of its bytes are not what they must be; @report: says which. */
uint64_t page_check(uint64_t gpa, uint64_t generation, bool report);
/* From here on @lines of 8 cache lines hold random words, the others a repeated one. */
void page_set_random(unsigned int lines);
/* Only the first @n words of a page; the others are somebody else's. */
void page_set_words(uint64_t n);
/* Of code and constants, which have to arrive unchanged, too; and their size. */
uint64_t page_sum_image(void);
uint64_t page_image_size(void);

#define PAGE_MAX_REPORTS	8	/* wrong pages that are described one by one */

/* The modes, one file each; they do not return. */
void touch_run(const struct boot_info *info) __attribute__((noreturn));
void write_run(const struct boot_info *info, bool forever) __attribute__((noreturn));
void probe_run(const struct boot_info *info) __attribute__((noreturn));
void serve_run(const struct boot_info *info) __attribute__((noreturn));
void steady_run(const struct boot_info *info) __attribute__((noreturn));

/*
 * touch.c: write and read back some words of buffer @n. Returns how many are wrong;
 * @first gets what the buffer began with.
 */
unsigned int touch_buffer(const struct boot_info *info, unsigned int n, uint64_t *first);

#endif /* GUEST_PAYLOAD_H */
