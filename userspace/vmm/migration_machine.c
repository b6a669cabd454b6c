// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The HELLO record: encode, decode, compare. A refusal is the destination's
 * most useful answer, so each one names both values.
 */
#include "vmm/migration_machine.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/memtype.h"
#include "vmm/migration_channels.h"

#define MAX_TIMEOUT_MS	3600000u

struct hello {
	uint32_t page_size;
	uint32_t timeout_ms;
	uint64_t hash_seed;
	uint64_t window_gpa;
	uint64_t window_size;
	uint32_t nr_vcpus;
	uint32_t bind;		/* 0, 1 */
	uint32_t nr_regions;
	uint32_t nr_cpu_words;
	uint8_t cpu_vendor[16];	/* NUL-padded */
	uint64_t join_id;
	uint32_t channels;
	uint32_t reserved;	/* 0 */
};

struct hello_region {
	uint8_t name[MIGRATION_NAME_MAX];	/* NUL-terminated */
	uint32_t kind;
	uint32_t memtype;
	uint64_t gpa;
	uint64_t size;
};

struct hello_cpu_word {
	uint32_t leaf;
	uint32_t subleaf;
	uint32_t reg;
	uint32_t value;
};

_Static_assert(sizeof(struct hello) == 80, "no padding");
_Static_assert(sizeof(struct hello_region) == 56, "no padding");

uint8_t *migration_machine__encode(const struct migration_machine *m,
				   const struct migration_terms *terms, uint32_t *len)
{
	struct hello hello = {
		.page_size = htole32(MIGRATION_PAGE_SIZE),
		.timeout_ms = htole32(terms->timeout_ms),
		.hash_seed = htole64(terms->hash_seed),
		.window_gpa = htole64(m->window_gpa),
		.window_size = htole64(m->window_size),
		.nr_vcpus = htole32(m->nr_vcpus),
		.bind = htole32(m->bind),
		.nr_regions = htole32(m->nr_regions),
		.nr_cpu_words = htole32(m->nr_cpu_words),
		.join_id = htole64(terms->join_id),
		.channels = htole32(terms->channels),
	};
	struct hello_cpu_word *words;
	struct hello_region *regions;
	uint8_t *payload;
	uint32_t i;

	*len = sizeof(hello) + m->nr_regions * sizeof(*regions) +
	       m->nr_cpu_words * sizeof(*words);
	payload = calloc(1, *len);
	if (!payload)
		return NULL;
	memcpy(hello.cpu_vendor, m->cpu_vendor, strnlen(m->cpu_vendor, sizeof(m->cpu_vendor)));
	memcpy(payload, &hello, sizeof(hello));

	regions = (struct hello_region *)(payload + sizeof(hello));
	for (i = 0; i < m->nr_regions; i++) {
		const struct migration_region *r = &m->regions[i];

		memcpy(regions[i].name, r->name, strnlen(r->name, sizeof(r->name) - 1));
		regions[i].kind = htole32(r->kind);
		regions[i].memtype = htole32(r->memtype);
		regions[i].gpa = htole64(r->gpa);
		regions[i].size = htole64(r->size);
	}
	words = (struct hello_cpu_word *)(regions + m->nr_regions);
	for (i = 0; i < m->nr_cpu_words; i++) {
		words[i].leaf = htole32(m->cpu_words[i].leaf);
		words[i].subleaf = htole32(m->cpu_words[i].subleaf);
		words[i].reg = htole32(m->cpu_words[i].reg);
		words[i].value = htole32(m->cpu_words[i].value);
	}
	return payload;
}

static bool is_text(const uint8_t *s, size_t len)
{
	size_t i;

	for (i = 0; i < len && s[i]; i++)
		if (!isascii(s[i]) || !isprint(s[i]))
			return false;
	return i < len;
}

static int decode_region(struct migration_region *r, const struct hello_region *h, uint32_t index,
			 uint64_t after, struct error *err)
{
	if (!is_text(h->name, sizeof(h->name)) || !h->name[0])
		return error__set(err, EPROTO, "hello: region %u has no printable name", index);
	memset(r, 0, sizeof(*r));
	memcpy(r->name, h->name, sizeof(r->name));
	r->kind = le32toh(h->kind);
	r->memtype = le32toh(h->memtype);
	r->gpa = le64toh(h->gpa);
	r->size = le64toh(h->size);
	r->fd = -1;
	if (le32toh(h->kind) > MIGRATION_BUFFER)
		return error__set(err, EPROTO, "hello: region %u (%s) is of unknown kind %u", index,
				  r->name, le32toh(h->kind));
	if (!r->size || (r->gpa | r->size) % MIGRATION_PAGE_SIZE || r->gpa + r->size < r->gpa ||
	    r->size >> MIGRATION_PAGE_SHIFT > UINT32_MAX)
		return error__set(err, EPROTO,
				  "hello: region %u (%s) at 0x%" PRIx64 " of 0x%" PRIx64
				  " bytes: not whole pages, or wraps", index, r->name, r->gpa, r->size);
	if (r->gpa < after)
		return error__set(err, EPROTO,
				  "hello: region %u (%s) at 0x%" PRIx64 " begins before 0x%" PRIx64
				  ", where the one before ends", index, r->name, r->gpa, after);
	return 0;
}

int migration_machine__decode(struct migration_machine *m, struct migration_terms *terms,
			      const uint8_t *payload, uint32_t len, struct error *err)
{
	const struct hello_cpu_word *words;
	const struct hello_region *regions;
	struct hello hello;
	uint64_t after = 0, want;
	uint32_t i;
	int ret;

	if (len < sizeof(hello))
		return error__set(err, EPROTO, "hello of %u bytes, at least %zu expected", len,
				  sizeof(hello));
	memcpy(&hello, payload, sizeof(hello));
	memset(m, 0, sizeof(*m));
	m->nr_vcpus = le32toh(hello.nr_vcpus);
	m->bind = le32toh(hello.bind);
	m->window_gpa = le64toh(hello.window_gpa);
	m->window_size = le64toh(hello.window_size);
	m->nr_regions = le32toh(hello.nr_regions);
	m->nr_cpu_words = le32toh(hello.nr_cpu_words);
	terms->timeout_ms = le32toh(hello.timeout_ms);
	terms->hash_seed = le64toh(hello.hash_seed);
	terms->channels = le32toh(hello.channels);
	terms->join_id = le64toh(hello.join_id);

	if (le32toh(hello.page_size) != MIGRATION_PAGE_SIZE)
		return error__set(err, EPROTO, "page size: source %u, destination %u",
				  le32toh(hello.page_size), MIGRATION_PAGE_SIZE);
	if (!terms->timeout_ms || terms->timeout_ms > MAX_TIMEOUT_MS)
		return error__set(err, EPROTO, "hello: timeout of %u ms, 1 to %u expected",
				  terms->timeout_ms, MAX_TIMEOUT_MS);
	if (!terms->channels || terms->channels > MIGRATION_MAX_CHANNELS || hello.reserved)
		return error__set(err, EPROTO,
				  "hello: %u channels and reserved bits 0x%x, 1 to %u channels expected",
				  terms->channels, le32toh(hello.reserved), MIGRATION_MAX_CHANNELS);
	if (le32toh(hello.bind) > 1 || !is_text(hello.cpu_vendor, sizeof(m->cpu_vendor)))
		return error__set(err, EPROTO, "hello: bind %u or CPU vendor malformed",
				  le32toh(hello.bind));
	memcpy(m->cpu_vendor, hello.cpu_vendor, sizeof(m->cpu_vendor));
	if (!m->nr_regions || m->nr_regions > MIGRATION_MAX_REGIONS ||
	    m->nr_cpu_words > MIGRATION_MAX_CPU_WORDS)
		return error__set(err, EPROTO,
				  "hello: %u regions and %u CPUID words, at most %u and %u expected",
				  m->nr_regions, m->nr_cpu_words, MIGRATION_MAX_REGIONS,
				  MIGRATION_MAX_CPU_WORDS);
	want = sizeof(hello) + m->nr_regions * sizeof(*regions) + m->nr_cpu_words * sizeof(*words);
	if (len != want)
		return error__set(err, EPROTO, "hello of %u bytes, its counts make %" PRIu64, len,
				  want);

	regions = (const struct hello_region *)(payload + sizeof(hello));
	for (i = 0; i < m->nr_regions; i++) {
		ret = decode_region(&m->regions[i], &regions[i], i, after, err);
		if (ret)
			return ret;
		after = m->regions[i].gpa + m->regions[i].size;
	}
	words = (const struct hello_cpu_word *)(regions + m->nr_regions);
	for (i = 0; i < m->nr_cpu_words; i++) {
		m->cpu_words[i].leaf = le32toh(words[i].leaf);
		m->cpu_words[i].subleaf = le32toh(words[i].subleaf);
		m->cpu_words[i].reg = le32toh(words[i].reg);
		m->cpu_words[i].value = le32toh(words[i].value);
		if (m->cpu_words[i].reg > MIGRATION_EDX)
			return error__set(err, EPROTO, "hello: CPUID word %u names register %u", i,
					  m->cpu_words[i].reg);
	}
	return 0;
}

static const struct migration_region *find(const struct migration_machine *m, uint64_t gpa,
					   enum migration_region_kind kind)
{
	uint32_t i;

	for (i = 0; i < m->nr_regions; i++)
		if (m->regions[i].gpa == gpa && m->regions[i].kind == kind)
			return &m->regions[i];
	return NULL;
}

static int compare_ram(const struct migration_region *s, const struct migration_machine *dst,
		       struct error *err)
{
	const struct migration_region *d = find(dst, s->gpa, MIGRATION_RAM);
	uint64_t size = d ? d->size : 0;

	if (size != s->size)
		return error__set(err, EXDEV,
				  "memory at 0x%" PRIx64 ": source 0x%" PRIx64
				  " bytes, destination 0x%" PRIx64, s->gpa, s->size, size);
	return 0;
}

static int compare_buffer(const struct migration_region *s, uint32_t index,
			  const struct migration_machine *dst, uint64_t window, struct error *err)
{
	const struct migration_region *d = find(dst, s->gpa, MIGRATION_BUFFER);

	if (!d)
		return error__set(err, EXDEV,
				  "destination has no buffer at 0x%" PRIx64 ": source has buffer %u (%s) of 0x%"
				  PRIx64 " bytes there", s->gpa - window, index, s->name, s->size);
	if (strcmp(s->name, d->name))
		return error__set(err, EXDEV, "buffer %u at 0x%" PRIx64 ": source %s, destination %s",
				  index, s->gpa - window, s->name, d->name);
	if (s->size != d->size)
		return error__set(err, EXDEV,
				  "buffer %u (%s): source 0x%" PRIx64 " bytes, destination 0x%" PRIx64,
				  index, s->name, s->size, d->size);
	if (s->memtype != d->memtype)
		return error__set(err, EXDEV, "buffer %u (%s): source %s, destination %s", index,
				  s->name, memtype__name(s->memtype), memtype__name(d->memtype));
	return 0;
}

static int compare_regions(const struct migration_machine *src,
			   const struct migration_machine *dst, struct error *err)
{
	uint32_t i, index = 0;
	int ret;

	for (i = 0; i < src->nr_regions; i++) {
		const struct migration_region *s = &src->regions[i];

		ret = s->kind == MIGRATION_RAM ? compare_ram(s, dst, err) :
		      compare_buffer(s, index++, dst, src->window_gpa, err);
		if (ret)
			return ret;
	}
	/* What the source has is there; is there more? */
	for (i = 0; i < dst->nr_regions; i++) {
		const struct migration_region *d = &dst->regions[i];

		if (!find(src, d->gpa, d->kind))
			return error__set(err, EXDEV,
					  "source has no %s at 0x%" PRIx64 ": destination has %s of 0x%"
					  PRIx64 " bytes there",
					  d->kind == MIGRATION_RAM ? "memory" : "buffer",
					  d->kind == MIGRATION_RAM ? d->gpa : d->gpa - dst->window_gpa,
					  d->name, d->size);
	}
	return 0;
}

static uint32_t cpu_word(const struct migration_machine *m, const struct migration_cpu_word *key)
{
	uint32_t i;

	for (i = 0; i < m->nr_cpu_words; i++)
		if (m->cpu_words[i].leaf == key->leaf && m->cpu_words[i].subleaf == key->subleaf &&
		    m->cpu_words[i].reg == key->reg)
			return m->cpu_words[i].value;
	return 0;
}

static int compare_cpu(const struct migration_machine *src, const struct migration_machine *dst,
		       struct error *err)
{
	static const char * const reg_names[] = { "EAX", "EBX", "ECX", "EDX" };
	uint32_t i, have;

	if (src->nr_vcpus != dst->nr_vcpus)
		return error__set(err, EXDEV, "vCPUs: source %u, destination %u", src->nr_vcpus,
				  dst->nr_vcpus);
	if (strcmp(src->cpu_vendor, dst->cpu_vendor))
		return error__set(err, EXDEV, "CPU vendor: source %s, destination %s",
				  src->cpu_vendor, dst->cpu_vendor);
	for (i = 0; i < src->nr_cpu_words; i++) {
		const struct migration_cpu_word *w = &src->cpu_words[i];

		have = cpu_word(dst, w);
		if (w->value & ~have)
			return error__set(err, EXDEV,
					  "CPUID 0x%x.%u %s: source 0x%08x, destination 0x%08x, which lacks 0x%08x",
					  w->leaf, w->subleaf, reg_names[w->reg], w->value, have,
					  w->value & ~have);
	}
	return 0;
}

int migration_machine__compare(const struct migration_machine *src,
			       const struct migration_machine *dst, struct error *err)
{
	int ret;

	if (src->bind && !dst->bind)
		return error__set(err, EXDEV,
				  "destination has no dmapat modules, or runs with --bind off: source binds DMA-bufs (KVM_CAP_DMA_BUF), destination does not");
	if (src->window_gpa != dst->window_gpa || src->window_size != dst->window_size)
		return error__set(err, EXDEV,
				  "window: source 0x%" PRIx64 " bytes at 0x%" PRIx64
				  ", destination 0x%" PRIx64 " at 0x%" PRIx64, src->window_size,
				  src->window_gpa, dst->window_size, dst->window_gpa);
	ret = compare_cpu(src, dst, err);
	if (ret)
		return ret;
	return compare_regions(src, dst, err);
}
