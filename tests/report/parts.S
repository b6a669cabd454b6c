/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the page is the same in every report; page*.c print it. Each ends in a NUL. */
	.macro part name, file
	.globl \name
\name:
	.incbin "\file"
	.byte 0
	.endm

	.section .rodata
	part page_style, tests/report/style.css
	part page_legend, tests/report/legend.html
	part page_about_agreement, tests/report/agreement.html
	part page_about_coherence, tests/report/coherence.html
	part page_rules, tests/report/rules.html
	.section .note.GNU-stack, "", @progbits
