// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module with a bug of each kind that the kernel of `make check-debug` watches for: the one
 * that its parameter names, made while it loads. Built by tests/debug/build-kernel, loaded by
 * tests/debug/selftest.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

/* What the compiler must not see through. */
static unsigned int one = 1;
static void *lost;

static void plant_use_after_free(void)
{
	u8 *p = kmalloc(64, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	kfree(p);
	WRITE_ONCE(*p, 1);
}

static void plant_out_of_bounds(void)
{
	u8 *p = vmalloc(PAGE_SIZE - 16);

	OPTIMIZER_HIDE_VAR(p);
	WRITE_ONCE(p[PAGE_SIZE - 16], 1);
	vfree(p);
}

static void plant_shift(void)
{
	pr_info("shifted: %u\n", one << (63 + READ_ONCE(one)));
}

static void plant_deadlock(void)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);
	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
}

static void plant_sleep(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	kfree(kmalloc(64, GFP_KERNEL));
	spin_unlock(&lock);
}

static void plant_rcu(void)
{
	static void __rcu *pointer;

	pr_info("read: %p\n", rcu_dereference(pointer));
}

static void plant_leak(void)
{
	lost = kmalloc(64, GFP_KERNEL);
	WRITE_ONCE(lost, NULL);
}

static const struct {
	const char *name;
	void (*plant)(void);
} plants[] = {
	{ "use_after_free", plant_use_after_free },
	{ "out_of_bounds", plant_out_of_bounds },
	{ "shift", plant_shift },
	{ "deadlock", plant_deadlock },
	{ "sleep", plant_sleep },
	{ "rcu", plant_rcu },
	{ "leak", plant_leak },
};

static char *bug = "";
module_param(bug, charp, 0);
MODULE_PARM_DESC(bug, "which bug to have");

static int __init plant_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(plants); i++) {
		if (strcmp(plants[i].name, bug))
			continue;
		plants[i].plant();
		return 0;
	}

	return -EINVAL;
}

static void __exit plant_exit(void)
{
}

module_init(plant_init);
module_exit(plant_exit);
MODULE_DESCRIPTION("Planted bugs for tests");
MODULE_LICENSE("GPL");
