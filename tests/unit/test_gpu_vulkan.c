// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * userspace/gpu-proc/alloc_vulkan.c, with a Vulkan driver of the test's own: its functions
 * take the place of the loader's at link time. Two devices; the second has three memory
 * types, of which two can be exported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include <vulkan/vulkan.h>

#include "capture.h"
#include "gpu-proc/alloc.h"

#define HOST	(VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)

enum step { NONE, INSTANCE, DEVICE, BUFFER, MEMORY, PROC, EXPORT };

static enum step fail_at;
static unsigned int alive;	/* objects that were made and not destroyed */
static unsigned int missing;	/* extension that the driver has not; 0: it has all */
static uint32_t got_type;
static uint64_t got_size;

#define FAKE(number)	((void *)(uintptr_t)(number))

static VkResult made(enum step step)
{
	if (fail_at == step)
		return VK_ERROR_OUT_OF_DEVICE_MEMORY;
	alive++;
	return VK_SUCCESS;
}

VkResult vkCreateInstance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *cb,
			  VkInstance *instance)
{
	(void)cb;
	assert_int_equal(info->pApplicationInfo->apiVersion, VK_API_VERSION_1_1);
	*instance = FAKE(1);
	return made(INSTANCE);
}

void vkDestroyInstance(VkInstance instance, const VkAllocationCallbacks *cb)
{
	(void)cb;
	assert_ptr_equal(instance, FAKE(1));
	alive--;
}

VkResult vkEnumeratePhysicalDevices(VkInstance instance, uint32_t *n, VkPhysicalDevice *devices)
{
	(void)instance;
	devices[0] = FAKE(10);
	devices[1] = FAKE(11);
	*n = 2;
	return VK_SUCCESS;
}

void vkGetPhysicalDeviceProperties(VkPhysicalDevice device, VkPhysicalDeviceProperties *props)
{
	strcpy(props->deviceName, device == FAKE(10) ? "Other GPU" : "Test GPU (fake)");
}

VkResult vkEnumerateDeviceExtensionProperties(VkPhysicalDevice device, const char *layer,
					      uint32_t *n, VkExtensionProperties *all)
{
	static const char *const names[] = {
		"VK_KHR_swapchain", VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
		VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME,
	};
	uint32_t i;

	(void)layer;
	assert_ptr_equal(device, FAKE(11));
	*n = 3;
	for (i = 0; all && i < 3; i++)
		strcpy(all[i].extensionName, missing == i && i ? "VK_none" : names[i]);
	return VK_SUCCESS;
}

void vkGetPhysicalDeviceMemoryProperties(VkPhysicalDevice device,
					 VkPhysicalDeviceMemoryProperties *memory)
{
	(void)device;
	memory->memoryTypeCount = 3;
	memory->memoryTypes[0].propertyFlags = HOST;
	memory->memoryTypes[1].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | HOST;
	memory->memoryTypes[2].propertyFlags = HOST | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
}

VkResult vkCreateDevice(VkPhysicalDevice phys, const VkDeviceCreateInfo *info,
			const VkAllocationCallbacks *cb, VkDevice *device)
{
	(void)cb;
	assert_ptr_equal(phys, FAKE(11));
	assert_int_equal(info->enabledExtensionCount, 2);
	*device = FAKE(2);
	return made(DEVICE);
}

void vkDestroyDevice(VkDevice device, const VkAllocationCallbacks *cb)
{
	(void)device;
	(void)cb;
	alive--;
}

VkResult vkCreateBuffer(VkDevice device, const VkBufferCreateInfo *info,
			const VkAllocationCallbacks *cb, VkBuffer *buffer)
{
	const VkExternalMemoryBufferCreateInfo *external = info->pNext;

	(void)device;
	(void)cb;
	assert_int_equal(external->handleTypes, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT);
	got_size = info->size;
	*buffer = FAKE(3);
	return made(BUFFER);
}

void vkDestroyBuffer(VkDevice device, VkBuffer buffer, const VkAllocationCallbacks *cb)
{
	(void)device;
	(void)buffer;
	(void)cb;
	alive--;
}

void vkGetBufferMemoryRequirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *needs)
{
	(void)device;
	(void)buffer;
	*needs = (VkMemoryRequirements){
		.size = got_size + 4096, .alignment = 64, .memoryTypeBits = 1 << 1 | 1 << 2,
	};
}

VkResult vkAllocateMemory(VkDevice device, const VkMemoryAllocateInfo *info,
			  const VkAllocationCallbacks *cb, VkDeviceMemory *memory)
{
	const VkExportMemoryAllocateInfo *export = info->pNext;

	(void)device;
	(void)cb;
	assert_int_equal(export->handleTypes, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT);
	assert_int_equal(info->allocationSize, got_size + 4096);
	got_type = info->memoryTypeIndex;
	*memory = FAKE(4);
	return made(MEMORY);
}

void vkFreeMemory(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *cb)
{
	(void)device;
	(void)memory;
	(void)cb;
	alive--;
}

static VkResult get_fd(VkDevice device, const VkMemoryGetFdInfoKHR *info, int *fd)
{
	(void)device;
	assert_ptr_equal(info->memory, FAKE(4));
	assert_int_equal(info->handleType, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT);
	if (fail_at == EXPORT)
		return VK_ERROR_TOO_MANY_OBJECTS;
	*fd = memfd_create("vulkan", MFD_CLOEXEC);
	return VK_SUCCESS;
}

PFN_vkVoidFunction vkGetDeviceProcAddr(VkDevice device, const char *name)
{
	(void)device;
	assert_string_equal(name, "vkGetMemoryFdKHR");
	return fail_at == PROC ? NULL : (PFN_vkVoidFunction)get_fd;
}

static int start(void **state)
{
	(void)state;
	fail_at = NONE;
	missing = 0;
	return 0;
}

static void taken(const char *node, uint32_t type)
{
	int fd = alloc_vulkan.alloc(node, 65536);

	assert_true(fd >= 0);
	assert_int_equal(got_type, type);
	assert_int_equal(got_size, 65536);
	/* the driver is gone, and the buffer is not */
	assert_int_equal(alive, 0);
	close(fd);
}

static void refused(const char *node, const char *text)
{
	int before = count_fds();

	capture_begin();
	assert_int_equal(alloc_vulkan.alloc(node, 65536), -1);
	assert_logged(capture_end(), text);
	assert_int_equal(alive, 0);
	assert_int_equal(count_fds(), before);
}

static void test_devices_and_types(void **state)
{
	(void)state;
	taken("1", 1);
	taken("test gpu", 1);
	taken("fake:2", 2);
	taken("fake:host-cached", 2);
	taken("fake:host-coherent+device-local", 1);
}

static void test_bad_nodes(void **state)
{
	(void)state;
	refused(":1", "a device's name of 0 bytes, must be 1 to 63");
	refused("0123456789012345678901234567890123456789012345678901234567890123",
		"a device's name of 64 bytes");
	refused("fake:", "'' is neither a memory type's number nor properties");
	refused("fake:32", "'32' is neither");
	refused("fake:-1", "'-1' is neither");
	refused("fake:1x", "'1x' is neither");
	refused("fake:host", "'host' is neither");
	refused("fake:host-visible+", "'host-visible+' is neither");
	refused("nothing", "none of the 2 devices of this host is it");
	refused("2", "none of the 2 devices of this host is it");
	/* a type that cannot be exported, and ones that there are not */
	refused("fake:0", "none of its 3 memory types, of which mask 0x6 can be exported, is it");
	refused("fake:3", "none of its 3 memory types");
	refused("fake:device-local+host-cached", "none of its 3 memory types");
}

static void test_extensions(void **state)
{
	(void)state;
	missing = 1;
	refused("fake", "its driver has no VK_KHR_external_memory_fd: it cannot export DMA-bufs");
	missing = 2;
	refused("fake", "its driver has no VK_EXT_external_memory_dma_buf: it cannot export DMA-bufs");
}

/* Each failure leaves nothing behind. */
static void test_failures(void **state)
{
	static const struct {
		enum step step;
		const char *text;
	} steps[] = {
		{ INSTANCE, "there is no Vulkan driver on this host (VkResult -2)" },
		{ DEVICE, "cannot open the device (VkResult -2)" },
		{ BUFFER, "cannot make a buffer of 65536 bytes (VkResult -2)" },
		{ MEMORY, "cannot allocate 69632 bytes of memory type 1 (VkResult -2)" },
		{ PROC, "cannot export memory type 1 as a DMA-buf (VkResult -7)" },
		{ EXPORT, "cannot export memory type 1 as a DMA-buf (VkResult -10)" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		fail_at = steps[i].step;
		refused("fake", steps[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_devices_and_types, start),
		cmocka_unit_test_setup(test_bad_nodes, start),
		cmocka_unit_test_setup(test_extensions, start),
		cmocka_unit_test_setup(test_failures, start),
	};

	return cmocka_run_group_tests_name("gpu-proc Vulkan buffers", tests, NULL, NULL);
}
