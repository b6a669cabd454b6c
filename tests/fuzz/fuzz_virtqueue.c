// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target: userspace/lib/virtqueue.c. A driver that writes what it likes into
 * the rings, before each pop and between them.
 */
#include "fuzz_input.h"

#include "virtqueue.h"
#include "virtqueue_input.h"

static uint8_t *ram;

static void *translate(void *opaque, uint64_t gpa, uint64_t len)
{
	fuzz_assert(opaque == &ram);
	return gpa <= VIRTQUEUE_RAM && len <= VIRTQUEUE_RAM - gpa ? ram + gpa : NULL;
}

static void written(void *opaque, uint64_t gpa, uint64_t len)
{
	fuzz_assert(opaque == &ram && gpa <= VIRTQUEUE_RAM && len <= VIRTQUEUE_RAM - gpa);
}

/* Each segment is in the guest's memory, and the sums are theirs. */
static void check_chain(const struct virtqueue_chain *chain)
{
	size_t out = 0, in = 0;
	unsigned int i;

	fuzz_assert(chain->nr_out + chain->nr_in > 0);
	fuzz_assert(chain->nr_out + chain->nr_in <= VIRTQUEUE_IOV_MAX);
	for (i = 0; i < chain->nr_out + chain->nr_in; i++) {
		fuzz_assert(translate(&ram, chain->gpa[i], chain->iov[i].iov_len) ==
			    chain->iov[i].iov_base);
		*(i < chain->nr_out ? &out : &in) += chain->iov[i].iov_len;
	}
	fuzz_assert(out == chain->out_len && in == chain->in_len);
}

static void driver_writes(struct fuzz_input *in)
{
	uint16_t address = fuzz_number(in, 2) % VIRTQUEUE_RAM;
	uint8_t length = fuzz_number(in, 1), bytes[255];

	fuzz_bytes(in, bytes, length);
	if (length > VIRTQUEUE_RAM - address)
		length = VIRTQUEUE_RAM - address;
	memcpy(ram + address, bytes, length);
}

static void operate(struct virtqueue *vq, struct fuzz_input *in)
{
	struct virtqueue_chain chain;
	uint8_t data[0x1000] = { 0 };
	bool popped = false;
	uint16_t length;
	uint8_t offset;

	while (in->left) {
		switch ((enum virtqueue_operation)(fuzz_number(in, 1) % VIRTQUEUE_OPERATIONS)) {
		case VIRTQUEUE_WRITE:
			driver_writes(in);
			break;
		case VIRTQUEUE_POP:
			popped = virtqueue_pop(vq, &chain) > 0;
			fuzz_assert(!popped || !vq->broken);
			if (popped)
				check_chain(&chain);
			break;
		case VIRTQUEUE_UNPOP:
			if (popped)
				virtqueue_unpop(vq);
			popped = false;
			break;
		case VIRTQUEUE_PUSH:
			length = fuzz_number(in, 2);
			if (popped)
				virtqueue_push(vq, &chain, length);
			popped = false;
			break;
		case VIRTQUEUE_SIGNAL:
			virtqueue_wants_signal(vq);
			break;
		case VIRTQUEUE_READ:
		case VIRTQUEUE_FILL:
			offset = fuzz_number(in, 1);
			length = fuzz_number(in, 2) % sizeof(data);
			if (!popped)
				break;
			fuzz_assert(virtqueue_read(&chain, offset, data, length) <= length);
			fuzz_assert(virtqueue_write(&chain, offset, data, length) <= length);
			break;
		case VIRTQUEUE_OPERATIONS:
			break;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct virtqueue_memory memory = {
		.translate = translate, .written = written, .opaque = &ram,
	};
	struct fuzz_input in = { .data = data, .left = size };
	uint16_t num, desc, avail, used;
	struct virtqueue vq;
	uint8_t flags;

	/* Of its own each time: accesses beyond it are seen. */
	ram = calloc(1, VIRTQUEUE_RAM);
	if (!ram)
		return 0;
	num = fuzz_number(&in, 2);
	desc = fuzz_number(&in, 2);
	avail = fuzz_number(&in, 2);
	used = fuzz_number(&in, 2);
	flags = fuzz_number(&in, 1);
	if (virtqueue_init(&vq, &memory, num, desc, avail, used) == 0) {
		vq.event_idx = flags & VIRTQUEUE_EVENT;
		vq.indirect = flags & VIRTQUEUE_INDIRECT;
		operate(&vq, &in);
	} else {
		fuzz_assert(vq.broken);
	}
	free(ram);
	return 0;
}
