// SPDX-License-Identifier: GPL-2.0-or-later
/* Unix sockets that the VMM creates; see unix_listen.h. */
#include "vmm/unix_listen.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Left behind by a VMM that was killed: nobody answers there any more. */
static bool is_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	bool stale;
	int fd;

	/* A connect to any other kind of file is refused, too. */
	if (lstat(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int bind_or_replace(int fd, const struct sockaddr_un *addr)
{
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (!is_stale(addr) || unlink(addr->sun_path) < 0)
		return -EADDRINUSE;
	return bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno : 0;
}

int unix_listen(const char *what, const char *path, int backlog, struct error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return error__set(err, ENAMETOOLONG,
				  "%s %s: %zu bytes, a socket's path may have %zu", what, path,
				  strlen(path), sizeof(addr.sun_path) - 1);
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error__set(err, errno, "%s: %s", what, strerror(errno));
	r = bind_or_replace(fd, &addr);
	if (r < 0) {
		close(fd);
		return error__set(err, -r, "%s %s: %s", what, path, strerror(-r));
	}
	/* Before listen(), so that nobody else has connected by then. */
	if (chmod(path, 0600) < 0 || listen(fd, backlog) < 0) {
		r = error__set(err, errno, "%s %s: %s", what, path, strerror(errno));
		unlink(path);
		close(fd);
		return r;
	}
	return fd;
}
