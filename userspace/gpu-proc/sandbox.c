// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Isolation: descriptors, namespaces, root directory, identity, capabilities,
 * limits. The filter of system calls is in sandbox_filter.c. Called by main.c.
 *
 * There is no PID namespace: it would need a second process, and the filter
 * denies every call that takes a process number.
 */
#include "sandbox.h"
#include "log.h"

#include <cap-ng.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SANDBOX_NAMESPACES	(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
				 CLONE_NEWCGROUP)
#define NOBODY_ID		65534u	/* if there is no user database to ask */
#define SANDBOX_NOFILE		1024u	/* buffers, rings, guest memory; fds in flight count too */
#define SANDBOX_NOFILE_BLOBS	(SANDBOX_NOFILE + 16384u)	/* one more for each resource */

struct identity {
	uid_t uid;
	gid_t gid;
};

int sandbox_close_inherited(int keep)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);

	if (keep <= STDERR_FILENO)
		return close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	if (keep > STDERR_FILENO + 1 && close_range(STDERR_FILENO + 1, keep - 1, 0) < 0)
		return -1;
	return close_range(keep + 1, UINT_MAX, 0);
}

/* A step failed: say so. Returns -1 where that is the end. */
static int step_failed(const struct sandbox_options *opts, const char *step)
{
	if (opts->mode == SANDBOX_STRICT) {
		log_error("sandbox: %s: %m (--sandbox=best-effort goes on without)", step);
		return -1;
	}
	log_warn("sandbox: %s: %m; going on without", step);
	return 0;
}

static int find_user(const char *user, struct identity *id)
{
	const char *name = user ? user : "nobody";
	struct passwd *pw;
	unsigned long num;
	char *end;

	pw = getpwnam(name);
	if (pw) {
		*id = (struct identity){ .uid = pw->pw_uid, .gid = pw->pw_gid };
	} else if (!user) {
		*id = (struct identity){ .uid = NOBODY_ID, .gid = NOBODY_ID };
	} else {
		errno = 0;
		num = strtoul(user, &end, 10);
		if (!isdigit((unsigned char)*user) || errno || *end || num >= UINT_MAX) {
			log_error("--user=%s: neither a user's name nor a number", user);
			return -1;
		}
		*id = (struct identity){ .uid = num, .gid = num };
	}
	if (!id->uid || !id->gid) {
		log_error("--user=%s: has uid %u, gid %u: root's rights cannot be given up so",
			  name, id->uid, id->gid);
		return -1;
	}
	return 0;
}

/*
 * Stand in an empty directory on a file system of its own, attached nowhere.
 * That also works where pivot_root() does not: on an initramfs.
 */
static int empty_root(void)
{
	int fs, mnt, ret = -1;

	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "size", "4k", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		goto out_fs;
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
		      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (mnt < 0)
		goto out_fs;
	if (fchdir(mnt) == 0 && chroot(".") == 0)
		ret = 0;
	close(mnt);
out_fs:
	close(fs);
	return ret;
}

/* Give up root for good: identity, groups, capabilities and their bounding set. */
static int drop_root(const struct identity *id)
{
	capng_clear(CAPNG_SELECT_ALL);
	return capng_change_id(id->uid, id->gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
}

static int drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) < 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

static int set_limits(const struct sandbox_options *opts)
{
	rlim_t nofile = opts->blobs ? SANDBOX_NOFILE_BLOBS : SANDBOX_NOFILE;
	const struct {
		int resource;
		struct rlimit limit;
	} limits[] = {
		{ RLIMIT_CORE, { 0, 0 } },
		{ RLIMIT_MEMLOCK, { 0, 0 } },
		{ RLIMIT_MSGQUEUE, { 0, 0 } },
		{ RLIMIT_NOFILE, { nofile, nofile } },
	};
	const struct rlimit none = { 0, 0 };
	size_t i;

	/* Threads count: where there are some, the filter alone forbids processes. */
	if (!opts->threads && setrlimit(RLIMIT_NPROC, &none) < 0)
		return -1;
	for (i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct rlimit now, want = limits[i].limit;

		if (getrlimit(limits[i].resource, &now) < 0)
			return -1;
		if (want.rlim_max > now.rlim_max)
			want = (struct rlimit){ now.rlim_max, now.rlim_max };
		if (setrlimit(limits[i].resource, &want) < 0)
			return -1;
	}
	return 0;
}

/* Stand in a copy of the mounts as they are here, in which nothing can be written to. */
static int read_only_root(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };
	int tree, ret = -1;

	tree = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return -1;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) == 0 &&
	    fchdir(tree) == 0 && chroot(".") == 0)
		ret = 0;
	close(tree);
	return ret;
}

int sandbox_confine(const struct sandbox_options *opts)
{
	const int namespaces = SANDBOX_NAMESPACES & ~CLONE_NEWCGROUP;
	bool root = geteuid() == 0;
	struct identity id;

	if (root && find_user(opts->user, &id) < 0)
		return -1;
	if (unshare(namespaces) < 0 && unshare(CLONE_NEWUSER | namespaces) < 0) {
		if (step_failed(opts, "render server: cannot make namespaces"))
			return -1;
	} else if (read_only_root() < 0) {
		if (step_failed(opts, "render server: cannot make the file systems read-only"))
			return -1;
	}
	capng_clear(CAPNG_SELECT_ALL);
	if (root && capng_change_id(id.uid, id.gid, CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING) &&
	    step_failed(opts, "render server: cannot become an ordinary user"))
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 &&
	    step_failed(opts, "render server: cannot set no_new_privs"))
		return -1;
	if (drop_capabilities() < 0 &&
	    step_failed(opts, "render server: cannot drop capabilities"))
		return -1;
	return 0;
}

int sandbox_isolate(const struct sandbox_options *opts)
{
	bool root = geteuid() == 0, own;
	struct identity id;

	if (root && find_user(opts->user, &id) < 0)
		return -1;

	/*
	 * With the right to make namespaces: use it, then give root up. Without:
	 * give root up if this is one, then make them below a user namespace,
	 * which comes with that right, and has no mapping, hence no identity.
	 */
	own = unshare(SANDBOX_NAMESPACES) == 0;
	if (own && empty_root() < 0 && step_failed(opts, "cannot make an empty root directory"))
		return -1;
	if (root && drop_root(&id) < 0 && step_failed(opts, "cannot become an ordinary user"))
		return -1;
	if (!own) {
		if (unshare(CLONE_NEWUSER | SANDBOX_NAMESPACES) < 0) {
			if (step_failed(opts, "cannot make namespaces, as root or as a user"))
				return -1;
		} else if (empty_root() < 0) {
			if (step_failed(opts, "cannot make an empty root directory"))
				return -1;
		}
	}

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 &&
	    step_failed(opts, "cannot set no_new_privs"))
		return -1;
	if (drop_capabilities() < 0 && step_failed(opts, "cannot drop capabilities"))
		return -1;
	if (set_limits(opts) < 0 && step_failed(opts, "cannot set resource limits"))
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 &&
	    step_failed(opts, "cannot become undumpable"))
		return -1;
	return 0;
}
