// SPDX-License-Identifier: GPL-2.0-or-later
/* Connections beside the control channel; see migration_channels.h. */
#include "vmm/migration_channels.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "vmm/migration_clock.h"
#include "vmm/migration_records.h"

/* Strays that may be connected at the same time, silent as they may be. */
#define MAX_PENDING	16u

/* What a channel begins with: all of it is there before it is looked at. */
#define INTRODUCTION	(sizeof(struct migration_preamble) + \
			 sizeof(struct migration_record_header) + \
			 sizeof(struct migration_join_record))

#define PARTIAL_TICK_MS	10	/* between two looks at an introduction that is not whole */
#define LAST_WORDS_MS	500	/* for a peer to say why it ended a channel */

static const char * const peers[2][MIGRATION_MAX_CHANNELS - 1] = {
	{
		"channel 1: destination", "channel 2: destination", "channel 3: destination",
		"channel 4: destination", "channel 5: destination", "channel 6: destination",
		"channel 7: destination",
	}, {
		"channel 1: source", "channel 2: source", "channel 3: source", "channel 4: source",
		"channel 5: source", "channel 6: source", "channel 7: source",
	},
};

int migration_channels__init(struct migration_channels *c)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < MIGRATION_MAX_CHANNELS - 1; i++)
		c->ch[i].fd = -1;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->cond, NULL);
	c->alarm_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return c->alarm_fd < 0 ? -errno : 0;
}

void migration_channels__exit(struct migration_channels *c)
{
	unsigned int i;

	for (i = 0; i < MIGRATION_MAX_CHANNELS - 1; i++) {
		migration_channel__close(&c->ch[i]);
		migration_stream__exit(&c->stream[i]);
	}
	if (c->alarm_fd >= 0)
		close(c->alarm_fd);
	pthread_cond_destroy(&c->cond);
	pthread_mutex_destroy(&c->lock);
}

static int begin(struct migration_channels *c, unsigned int i, bool source,
		 const struct migration_channel *control, struct error *err)
{
	c->ch[i] = (struct migration_channel) {
		.fd = -1,
		.cancel_fd = control->cancel_fd,
		.alarm_fd = &c->alarm_fd,
		.timeout_ms = control->timeout_ms,
		.peer = peers[!source][i],
	};
	if (migration_stream__init(&c->stream[i], &c->ch[i]))
		return error__set(err, ENOMEM, "no memory for channel %u", i + 1);
	return 0;
}

static int introduce(struct migration_stream *s, unsigned int i, uint64_t join_id,
		     struct error *err)
{
	struct migration_join_record join = {
		.join_id = htole64(join_id), .channel = htole32(i + 1),
	};
	struct iovec iov = { &join, sizeof(join) };
	struct migration_record rec;
	int ret;

	ret = migration_stream__send_preamble(s, err);
	if (!ret)
		ret = migration_stream__send(s, MIGRATION_REC_JOIN, &iov, 1, err);
	if (!ret)
		ret = migration_stream__recv_preamble(s, err);
	if (!ret)
		ret = migration_stream__expect(s, MIGRATION_REC_JOIN_OK, 0, &rec, err);
	return ret;
}

int migration_channels__connect(struct migration_channels *c, unsigned int nr, const char *uri,
				const struct migration_channel *control, uint64_t join_id,
				struct error *err)
{
	int ret = 0;

	for (c->nr = 0; !ret && c->nr < nr; c->nr++) {
		ret = begin(c, c->nr, true, control, err);
		if (!ret)
			ret = migration_channel__connect(&c->ch[c->nr], uri, err);
		if (!ret)
			ret = introduce(&c->stream[c->nr], c->nr, join_id, err);
	}
	return ret;
}

/* ---- the destination's side ---- */

struct waiting {
	struct migration_channels *c;
	struct migration_stream *control;
	struct migration_listener *listener;
	unsigned int nr;		/* channels that are to come */
	uint64_t join_id;
	int pending[MAX_PENDING];	/* connected, and not introduced yet */
	unsigned int nr_pending;
	bool partial;			/* one of them has said a part of what it has to */
};

static void drop(struct waiting *w, unsigned int i)
{
	memmove(&w->pending[i], &w->pending[i + 1],
		(--w->nr_pending - i) * sizeof(w->pending[0]));
}

/* The whole introduction is there, so nothing of this waits. */
static int check_introduction(struct waiting *w, struct migration_stream *s, struct error *err)
{
	struct migration_join_record join;
	struct migration_record rec;
	uint32_t channel;
	int ret;

	ret = migration_stream__recv_preamble(s, err);
	if (!ret)
		ret = migration_stream__send_preamble(s, err);
	if (!ret)
		ret = migration_stream__expect(s, MIGRATION_REC_JOIN, sizeof(join), &rec, err);
	if (ret)
		return ret;
	memcpy(&join, rec.payload, sizeof(join));
	channel = le32toh(join.channel);
	if (le64toh(join.join_id) != w->join_id || join.reserved)
		return error__set(err, EACCES,
				  "a connection for another migration: 0x%016" PRIx64
				  " is not the one under way", le64toh(join.join_id));
	if (!channel || channel > w->nr || w->c->ch[channel - 1].fd >= 0)
		return error__set(err, EPROTO, "channel %u: %s", channel,
				  !channel || channel > w->nr ? "there is no such channel" :
				  "it is there already");
	return 0;
}

/* A connection that has said all that it has to: one of ours, or none. */
static int admit(struct waiting *w, int fd, struct error *err)
{
	struct migration_channel ch = {
		.fd = fd, .cancel_fd = -1, .timeout_ms = LAST_WORDS_MS,
		.peer = "further connection",
	};
	struct migration_channels *c = w->c;
	struct migration_stream s;
	struct error why = { "" };
	struct migration_join_record join;
	unsigned int i;
	int ret;

	if (migration_stream__init(&s, &ch))
		return error__set(err, ENOMEM, "no memory for a channel");
	ret = check_introduction(w, &s, &why);
	if (ret) {
		log_warn("incoming migration: %s: refused", why.msg);
		migration_stream__send_abort(&s, why.msg);
		migration_channel__close(&ch);
		migration_stream__exit(&s);
		return 0;
	}
	memcpy(&join, s.buf, sizeof(join));
	i = le32toh(join.channel) - 1;
	c->ch[i].fd = fd;
	c->ch[i].rx_bytes = ch.rx_bytes;
	c->ch[i].tx_bytes = ch.tx_bytes;
	s.ch = &c->ch[i];
	migration_stream__exit(&c->stream[i]);
	c->stream[i] = s;
	c->nr++;
	return migration_stream__send(&c->stream[i], MIGRATION_REC_JOIN_OK, NULL, 0, err);
}

/* Look at a connection; it stays pending while it has not said enough. */
static int look_at(struct waiting *w, unsigned int i, struct error *err)
{
	uint8_t buf[INTRODUCTION];
	int fd = w->pending[i];
	ssize_t n;

	n = recv(fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT);
	if (n == INTRODUCTION) {
		drop(w, i);
		return admit(w, fd, err);
	}
	if (n > 0) {
		w->partial = true;
	} else if (!n || errno != EAGAIN) {
		drop(w, i);
		close(fd);
	}
	return 0;
}

static int take_connection(struct waiting *w, struct error *err)
{
	struct migration_channel ch = { .fd = -1, .cancel_fd = w->control->ch->cancel_fd };
	int ret;

	ret = migration_listener__accept(w->listener, &ch, err);
	if (ret)
		return ret;
	/* Whoever has been silent longest is none of ours: those speak at once. */
	if (w->nr_pending == MAX_PENDING) {
		close(w->pending[0]);
		drop(w, 0);
	}
	w->pending[w->nr_pending++] = ch.fd;
	return 0;
}

static int wait_for_channels(struct waiting *w, uint64_t until_ns, struct error *err)
{
	struct migration_channel *control = w->control->ch;
	struct pollfd pfd[3 + MAX_PENDING] = {
		{ .fd = w->listener->fd, .events = POLLIN },
		{ .fd = control->fd, .events = POLLIN },
		{ .fd = control->cancel_fd, .events = POLLIN },
	};
	uint64_t now = migration_clock__ns();
	unsigned int i, nr = w->nr_pending;
	struct migration_record rec;
	int timeout, ret = 0;

	if (now >= until_ns)
		return error__set(err, ETIMEDOUT,
				  "%s is silent: %u of %u further channels came within %u ms",
				  control->peer, w->c->nr, w->nr, control->timeout_ms);
	timeout = w->partial ? PARTIAL_TICK_MS : (int)((until_ns - now) / 1000000) + 1;
	for (i = 0; i < nr; i++)
		pfd[3 + i] = (struct pollfd) {
			.fd = w->partial ? -1 : w->pending[i], .events = POLLIN,
		};
	if (poll(pfd, 3 + nr, timeout) < 0 && errno != EINTR)
		return error__set(err, errno, "poll: %s", strerror(errno));
	if (pfd[2].revents)
		return error__set(err, ECANCELED, "migration cancelled");
	if (pfd[1].revents) {
		ret = migration_stream__recv(w->control, &rec, err);
		return ret ? ret :
		       error__set(err, EPROTO, "source sent %s before its %u further channels were there",
				  migration_record__name(rec.type), w->nr);
	}
	w->partial = false;
	for (i = nr; i-- && !ret;)
		ret = look_at(w, i, err);
	if (!ret && pfd[0].revents)
		ret = take_connection(w, err);
	return ret;
}

int migration_channels__accept(struct migration_channels *c, unsigned int nr,
			       struct migration_listener *listener,
			       struct migration_stream *control, uint64_t join_id,
			       struct error *err)
{
	struct waiting w = {
		.c = c, .control = control, .listener = listener, .nr = nr, .join_id = join_id,
	};
	uint64_t until = migration_clock__ns() + control->ch->timeout_ms * 1000000ULL;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = begin(c, i, false, control->ch, err);
	while (!ret && c->nr < nr)
		ret = wait_for_channels(&w, until, err);
	for (i = 0; i < w.nr_pending; i++)
		close(w.pending[i]);
	return ret;
}

/* ---- both sides: when one fails ---- */

void migration_channels__alarm(struct migration_channels *c)
{
	eventfd_write(c->alarm_fd, 1);
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->cond);
	pthread_mutex_unlock(&c->lock);
}

void migration_channels__fail(struct migration_channels *c, unsigned int index, int ret,
			      const struct error *err)
{
	pthread_mutex_lock(&c->lock);
	/* Those that the alarm has interrupted have nothing to say. */
	if (!c->failed && ret != -ESHUTDOWN) {
		c->failed = ret;
		if (strstr(err->msg, "channel ") || ret == -ECANCELED)
			c->error = *err;
		else
			snprintf(c->error.msg, sizeof(c->error.msg), "channel %u: %.480s",
				 index + 1, err->msg);
	}
	pthread_mutex_unlock(&c->lock);
	migration_channels__alarm(c);
}

int migration_channels__explain(struct migration_channels *c, struct migration_stream *control,
				struct error *err)
{
	uint64_t until = migration_clock__ns() + LAST_WORDS_MS * 1000000ULL;
	struct error here, theirs = { "" };
	struct migration_record rec;
	int ret, said;

	pthread_mutex_lock(&c->lock);
	ret = c->failed;
	here = c->error;
	pthread_mutex_unlock(&c->lock);
	control->ch->alarm_fd = NULL;
	if (ret == -EPIPE || ret == -ECONNABORTED) {
		/* A peer that gives up ends all channels, but says why on this one. */
		if (control->ch->timeout_ms > LAST_WORDS_MS)
			control->ch->timeout_ms = LAST_WORDS_MS;
		do {
			said = migration_stream__recv(control, &rec, &theirs);
		} while (!said && migration_clock__ns() < until);
		if (said == -ECONNABORTED)
			return error__set(err, ECONNABORTED, "%s", theirs.msg);
		ret = said == -EPIPE ? -EPIPE : -ECOMM;
	}
	return error__set(err, -ret, "%s", here.msg);
}
