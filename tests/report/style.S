/* SPDX-License-Identifier: GPL-2.0-or-later */
/* style.css for page.c, so that the page needs no second file. */
	.section .rodata
	.globl page_style
page_style:
	.incbin "tests/report/style.css"
	.byte 0
	.section .note.GNU-stack, "", @progbits
