// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers from a Vulkan driver: memory of one of its memory types, exported as a DMA-buf.
 * Called by buffer.c, before the sandbox. The driver is loaded for one buffer and gone
 * after it, with its threads: the DMA-buf keeps the memory.
 *
 * What a type's property flags promise is the GPU's view; which memory type the CPU has
 * to use is the kernel's answer for the DMA-buf, as for every other buffer.
 */
#include "alloc.h"
#include "log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vulkan/vulkan.h>

#define DEVICES_MAX	16u
#define ANY_TYPE	UINT32_MAX

static const char *const extensions[] = {
	VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
	VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME,
};

static const struct {
	const char *name;
	VkMemoryPropertyFlags flag;
} properties[] = {
	{ "device-local", VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT },
	{ "host-visible", VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT },
	{ "host-coherent", VK_MEMORY_PROPERTY_HOST_COHERENT_BIT },
	{ "host-cached", VK_MEMORY_PROPERTY_HOST_CACHED_BIT },
};

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

/* DEVICE[:TYPE], as it was given. */
struct wanted {
	const char *node;		/* for log lines */
	char device[64];
	uint32_t type;			/* index, or ANY_TYPE: the first with these flags */
	VkMemoryPropertyFlags flags;
};

static int parse_number(const char *text, uint32_t max, uint32_t *number)
{
	char *end;
	unsigned long val;

	if (!isdigit((unsigned char)*text))
		return -1;
	val = strtoul(text, &end, 10);
	if (*end || val >= max)
		return -1;
	*number = val;
	return 0;
}

/* "host-visible+host-cached" */
static int parse_properties(const char *text, VkMemoryPropertyFlags *flags)
{
	size_t len, i;

	*flags = 0;
	for (;; text += len + 1) {
		len = strcspn(text, "+");
		for (i = 0; i < COUNT(properties); i++)
			if (strlen(properties[i].name) == len &&
			    !memcmp(properties[i].name, text, len))
				break;
		if (i == COUNT(properties))
			return -1;
		*flags |= properties[i].flag;
		if (!text[len])
			return 0;
	}
}

static int parse_node(const char *node, struct wanted *wanted)
{
	size_t len = strcspn(node, ":");

	*wanted = (struct wanted){
		.node = node, .type = ANY_TYPE, .flags = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
	};
	if (!len || len >= sizeof(wanted->device)) {
		log_error("vulkan %s: a device's name of %zu bytes, must be 1 to %zu", node, len,
			  sizeof(wanted->device) - 1);
		return -1;
	}
	memcpy(wanted->device, node, len);
	if (!node[len] || parse_number(node + len + 1, VK_MAX_MEMORY_TYPES, &wanted->type) == 0 ||
	    parse_properties(node + len + 1, &wanted->flags) == 0)
		return 0;
	log_error("vulkan %s: '%s' is neither a memory type's number nor properties of one, such as host-visible+host-coherent",
		  node, node + len + 1);
	return -1;
}

/* By its number, or by a part of its name. */
static int find_device(const struct wanted *wanted, VkInstance instance, VkPhysicalDevice *device)
{
	VkPhysicalDevice devices[DEVICES_MAX];
	VkPhysicalDeviceProperties props;
	uint32_t n = DEVICES_MAX, number, i;
	bool by_number = parse_number(wanted->device, DEVICES_MAX, &number) == 0;

	if (vkEnumeratePhysicalDevices(instance, &n, devices) < 0)
		n = 0;
	for (i = 0; i < n; i++) {
		vkGetPhysicalDeviceProperties(devices[i], &props);
		if (by_number ? i == number : !!strcasestr(props.deviceName, wanted->device)) {
			*device = devices[i];
			return 0;
		}
	}
	log_error("vulkan %s: none of the %u devices of this host is it (vulkaninfo --summary lists them)",
		  wanted->node, n);
	return -1;
}

/* Can it export a DMA-buf at all? */
static int check_extensions(const struct wanted *wanted, VkPhysicalDevice device)
{
	VkExtensionProperties *all;
	uint32_t n = 0, i;
	size_t e = 0;

	vkEnumerateDeviceExtensionProperties(device, NULL, &n, NULL);
	all = calloc(n + 1, sizeof(*all));
	if (!all || vkEnumerateDeviceExtensionProperties(device, NULL, &n, all) < 0)
		n = 0;
	for (e = 0; e < COUNT(extensions); e++) {
		for (i = 0; i < n; i++)
			if (!strcmp(all[i].extensionName, extensions[e]))
				break;
		if (i == n)
			break;
	}
	free(all);
	if (e == COUNT(extensions))
		return 0;
	log_error("vulkan %s: its driver has no %s: it cannot export DMA-bufs (lavapipe: from Mesa 25 on, with /dev/udmabuf)",
		  wanted->node, extensions[e]);
	return -1;
}

/* One of the types that the buffer may have. */
static int choose_type(const struct wanted *wanted, VkPhysicalDevice device, uint32_t allowed,
		       uint32_t *type)
{
	VkPhysicalDeviceMemoryProperties memory;
	uint32_t i;

	vkGetPhysicalDeviceMemoryProperties(device, &memory);
	for (i = 0; i < memory.memoryTypeCount; i++) {
		if (!(allowed & (1u << i)))
			continue;
		if (wanted->type == ANY_TYPE ?
		    (memory.memoryTypes[i].propertyFlags & wanted->flags) == wanted->flags :
		    wanted->type == i) {
			*type = i;
			return 0;
		}
	}
	log_error("vulkan %s: none of its %u memory types, of which mask 0x%x can be exported, is it",
		  wanted->node, memory.memoryTypeCount, allowed);
	return -1;
}

/* Allocate for this buffer, and export: the fd, or -1 after a log line. */
static int export_memory(const struct wanted *wanted, VkPhysicalDevice phys, VkDevice device,
			 VkBuffer buffer)
{
	VkMemoryDedicatedAllocateInfo dedicated = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
		.buffer = buffer,
	};
	VkExportMemoryAllocateInfo export = {
		.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
		.pNext = &dedicated,
		.handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
	};
	VkMemoryAllocateInfo alloc = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .pNext = &export,
	};
	VkMemoryGetFdInfoKHR get = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
		.handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
	};
	PFN_vkGetMemoryFdKHR get_fd;
	VkMemoryRequirements needs;
	VkResult ret;
	int fd = -1;

	vkGetBufferMemoryRequirements(device, buffer, &needs);
	if (choose_type(wanted, phys, needs.memoryTypeBits, &alloc.memoryTypeIndex) < 0)
		return -1;
	alloc.allocationSize = needs.size;
	ret = vkAllocateMemory(device, &alloc, NULL, &get.memory);
	if (ret != VK_SUCCESS) {
		log_error("vulkan %s: cannot allocate %llu bytes of memory type %u (VkResult %d)",
			  wanted->node, (unsigned long long)needs.size, alloc.memoryTypeIndex,
			  ret);
		return -1;
	}
	get_fd = (PFN_vkGetMemoryFdKHR)vkGetDeviceProcAddr(device, "vkGetMemoryFdKHR");
	ret = get_fd ? get_fd(device, &get, &fd) : VK_ERROR_EXTENSION_NOT_PRESENT;
	if (ret != VK_SUCCESS)
		log_error("vulkan %s: cannot export memory type %u as a DMA-buf (VkResult %d)",
			  wanted->node, alloc.memoryTypeIndex, ret);
	vkFreeMemory(device, get.memory, NULL);
	return ret == VK_SUCCESS ? fd : -1;
}

static int alloc_on(const struct wanted *wanted, VkPhysicalDevice phys, uint64_t size)
{
	const float priority = 1.0f;
	VkDeviceQueueCreateInfo queue = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
		.queueCount = 1, .pQueuePriorities = &priority,
	};
	VkDeviceCreateInfo create = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
		.queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
		.enabledExtensionCount = COUNT(extensions),
		.ppEnabledExtensionNames = extensions,
	};
	VkExternalMemoryBufferCreateInfo external = {
		.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
		.handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
	};
	VkBufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .pNext = &external,
		.size = size,
		.usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT |
			 VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
	};
	VkBuffer buffer;
	VkDevice device;
	VkResult ret;
	int fd = -1;

	ret = vkCreateDevice(phys, &create, NULL, &device);
	if (ret != VK_SUCCESS) {
		log_error("vulkan %s: cannot open the device (VkResult %d)", wanted->node, ret);
		return -1;
	}
	ret = vkCreateBuffer(device, &info, NULL, &buffer);
	if (ret == VK_SUCCESS) {
		fd = export_memory(wanted, phys, device, buffer);
		vkDestroyBuffer(device, buffer, NULL);
	} else {
		log_error("vulkan %s: cannot make a buffer of %llu bytes (VkResult %d)",
			  wanted->node, (unsigned long long)size, ret);
	}
	vkDestroyDevice(device, NULL);
	return fd;
}

static int vulkan_alloc(const char *node, uint64_t size)
{
	VkApplicationInfo app = {
		.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
		.pApplicationName = "dmapat-gpu-proc", .apiVersion = VK_API_VERSION_1_1,
	};
	VkInstanceCreateInfo create = {
		.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app,
	};
	VkPhysicalDevice phys;
	VkInstance instance;
	struct wanted wanted;
	VkResult ret;
	int fd = -1;

	if (parse_node(node, &wanted) < 0)
		return -1;
	ret = vkCreateInstance(&create, NULL, &instance);
	if (ret != VK_SUCCESS) {
		log_error("vulkan %s: there is no Vulkan driver on this host (VkResult %d)", node,
			  ret);
		return -1;
	}
	if (find_device(&wanted, instance, &phys) == 0 && check_extensions(&wanted, phys) == 0)
		fd = alloc_on(&wanted, phys, size);
	vkDestroyInstance(instance, NULL);
	return fd;
}

const struct allocator alloc_vulkan = {
	.kind = "vulkan",
	.node_help = "DEVICE[:TYPE]: number or part of the name of a Vulkan device, number or\n"
		     "                             properties (host-visible+...) of a memory type",
	.alloc = vulkan_alloc,
	.cpu_access = dmabuf_cpu_access,
};
