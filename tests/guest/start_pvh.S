/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry from any other VMM that loads PVH kernels (QEMU's -kernel): the ELF note says
 * where. Protected mode, no paging, EBX has the address of the start information. Goes
 * into long mode with the first 4 GiB mapped one to one, as dmapat-vmm would have done.
 */
#define NOTE_PHYS32_ENTRY	18	/* XEN_ELFNOTE_PHYS32_ENTRY */
#define PTE_TABLE		0x003	/* present, writable */
#define PTE_LARGE		0x083	/* and 2 MiB */
#define CR0_PG			0x80000000
#define CR4_PAE			0x20
#define MSR_EFER		0xc0000080
#define EFER_LME		0x100

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, NOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.quad	pvh_start

	.section .text
	.code32
pvh_start:
	cli
	cld
	movl	$(pdpt + PTE_TABLE), pml4
	movl	$(pds + PTE_TABLE), pdpt
	movl	$(pds + 0x1000 + PTE_TABLE), pdpt + 8
	movl	$(pds + 0x2000 + PTE_TABLE), pdpt + 16
	movl	$(pds + 0x3000 + PTE_TABLE), pdpt + 24
	mov	$pds, %edi
	mov	$PTE_LARGE, %eax
	mov	$(4 * 512), %ecx
1:	mov	%eax, (%edi)
	add	$0x200000, %eax
	add	$8, %edi
	loop	1b

	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	%cr0, %eax
	or	$CR0_PG, %eax
	mov	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$8, $2f

	.code64
2:	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	lea	stack_top(%rip), %rsp
	xor	%ebp, %ebp
	mov	%ebx, %edi
	call	pvh_main
3:	hlt
	jmp	3b

	.section .rodata
	.balign	8
	/* Null, 64-bit code, data: as dmapat-vmm's. */
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt

	.bss
	.balign	4096
pml4:	.space	4096
pdpt:	.space	4096
pds:	.space	4 * 4096
