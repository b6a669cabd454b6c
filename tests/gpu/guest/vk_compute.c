// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A compute job on memory that CPU and GPU share: in each iteration the CPU maps it, fills
 * one half, has the GPU compute the other half from it, and checks every byte. The memory is
 * allocated anew now and then, so that one buffer after another goes through all layers.
 * Runs in the Linux guest of tests/gpu, and on any Vulkan 1.1 driver.
 *
 *	vk_compute ITERATIONS [WORDS]
 *
 * Its last line is "N iterations, M mismatches"; exit status 0: N as asked for, M 0.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

#include "vk_compute_shader.h"

#define GROUP_SIZE	64u		/* the shader's local_size_x */
#define DEFAULT_WORDS	4096u
#define MAX_WORDS	(1u << 24)
#define NEW_MEMORY	50u		/* iterations */
#define NR_REPORTS	10u
#define TIMEOUT_NS	(60 * UINT64_C(1000000000))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* A step that must succeed */
#define vk(call)	vk_check(call, #call)

struct job {
	VkInstance instance;
	VkPhysicalDevice gpu;
	VkDevice dev;
	VkQueue queue;
	uint32_t family;
	uint32_t memory_type;

	VkDescriptorSetLayout set_layout;
	VkPipelineLayout layout;
	VkPipeline pipeline;
	VkDescriptorPool sets;
	VkDescriptorSet set;
	VkCommandPool commands;
	VkCommandBuffer cmd;
	VkFence fence;

	uint32_t words;
	VkBuffer in;
	VkBuffer out;
	VkDeviceSize out_offset;
	VkDeviceMemory memory;
};

static void vk_check(VkResult result, const char *call)
{
	if (result == VK_SUCCESS)
		return;
	printf("%.*s: VkResult %d\n", (int)strcspn(call, "("), call, result);
	exit(1);
}

static void fail(const char *why)
{
	printf("%s\n", why);
	exit(1);
}

static void find_gpu(struct job *job)
{
	VkQueueFamilyProperties families[16];
	VkPhysicalDeviceProperties props;
	uint32_t i, n = 1;
	VkResult result;

	result = vkEnumeratePhysicalDevices(job->instance, &n, &job->gpu);
	if ((result != VK_SUCCESS && result != VK_INCOMPLETE) || !n)
		fail("no Vulkan device");
	vkGetPhysicalDeviceProperties(job->gpu, &props);
	printf("device: %s\n", props.deviceName);
	n = ARRAY_SIZE(families);
	vkGetPhysicalDeviceQueueFamilyProperties(job->gpu, &n, families);
	for (i = 0; i < n; i++) {
		if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) {
			job->family = i;
			return;
		}
	}
	fail("the device has no compute queue");
}

static void open_device(struct job *job)
{
	const float priority = 1;
	const VkApplicationInfo app = {
		.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
		.pApplicationName = "vk_compute",
		.apiVersion = VK_API_VERSION_1_1,
	};
	const VkInstanceCreateInfo instance = {
		.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
		.pApplicationInfo = &app,
	};
	VkDeviceQueueCreateInfo queue = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
		.queueCount = 1,
		.pQueuePriorities = &priority,
	};
	const VkDeviceCreateInfo device = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
		.queueCreateInfoCount = 1,
		.pQueueCreateInfos = &queue,
	};

	vk(vkCreateInstance(&instance, NULL, &job->instance));
	find_gpu(job);
	queue.queueFamilyIndex = job->family;
	vk(vkCreateDevice(job->gpu, &device, NULL, &job->dev));
	vkGetDeviceQueue(job->dev, job->family, 0, &job->queue);
}

static void make_pipeline(struct job *job)
{
	const VkDescriptorSetLayoutBinding bindings[] = {
		{ 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL },
		{ 1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL },
	};
	const VkDescriptorSetLayoutCreateInfo set_layout = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
		.bindingCount = ARRAY_SIZE(bindings),
		.pBindings = bindings,
	};
	const VkPushConstantRange constants = {
		VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(uint32_t)
	};
	const VkPipelineLayoutCreateInfo layout = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
		.setLayoutCount = 1,
		.pSetLayouts = &job->set_layout,
		.pushConstantRangeCount = 1,
		.pPushConstantRanges = &constants,
	};
	const VkShaderModuleCreateInfo shader = {
		.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
		.codeSize = sizeof(vk_compute_shader),
		.pCode = vk_compute_shader,
	};
	VkComputePipelineCreateInfo pipeline = {
		.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
		.stage = {
			.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
			.stage = VK_SHADER_STAGE_COMPUTE_BIT,
			.pName = "main",
		},
	};

	vk(vkCreateDescriptorSetLayout(job->dev, &set_layout, NULL, &job->set_layout));
	vk(vkCreatePipelineLayout(job->dev, &layout, NULL, &job->layout));
	vk(vkCreateShaderModule(job->dev, &shader, NULL, &pipeline.stage.module));
	pipeline.layout = job->layout;
	vk(vkCreateComputePipelines(job->dev, VK_NULL_HANDLE, 1, &pipeline, NULL,
				    &job->pipeline));
	vkDestroyShaderModule(job->dev, pipeline.stage.module, NULL);
}

static void make_commands(struct job *job)
{
	const VkDescriptorPoolSize size = { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2 };
	const VkDescriptorPoolCreateInfo sets = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
		.maxSets = 1,
		.poolSizeCount = 1,
		.pPoolSizes = &size,
	};
	VkDescriptorSetAllocateInfo set = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
		.descriptorSetCount = 1,
		.pSetLayouts = &job->set_layout,
	};
	const VkCommandPoolCreateInfo pool = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
		.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
		.queueFamilyIndex = job->family,
	};
	VkCommandBufferAllocateInfo cmd = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
		.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
		.commandBufferCount = 1,
	};
	const VkFenceCreateInfo fence = { .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO };

	vk(vkCreateDescriptorPool(job->dev, &sets, NULL, &job->sets));
	set.descriptorPool = job->sets;
	vk(vkAllocateDescriptorSets(job->dev, &set, &job->set));
	vk(vkCreateCommandPool(job->dev, &pool, NULL, &job->commands));
	cmd.commandPool = job->commands;
	vk(vkAllocateCommandBuffers(job->dev, &cmd, &job->cmd));
	vk(vkCreateFence(job->dev, &fence, NULL, &job->fence));
}

/* Vulkan promises a type that is both. */
static void choose_memory(struct job *job, uint32_t allowed)
{
	const VkMemoryPropertyFlags wanted = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
		VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
	VkPhysicalDeviceMemoryProperties props;
	uint32_t i;

	vkGetPhysicalDeviceMemoryProperties(job->gpu, &props);
	for (i = 0; i < props.memoryTypeCount; i++) {
		if (allowed & 1u << i &&
		    (props.memoryTypes[i].propertyFlags & wanted) == wanted) {
			job->memory_type = i;
			return;
		}
	}
	fail("the device has no memory type that the CPU can map");
}

static void make_memory(struct job *job)
{
	const VkBufferCreateInfo buffer = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
		.size = job->words * sizeof(uint32_t),
		.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
	};
	VkMemoryAllocateInfo memory = { .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO };
	VkDescriptorBufferInfo buffers[] = {
		{ VK_NULL_HANDLE, 0, VK_WHOLE_SIZE }, { VK_NULL_HANDLE, 0, VK_WHOLE_SIZE },
	};
	const VkWriteDescriptorSet write = {
		.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
		.dstSet = job->set,
		.descriptorCount = ARRAY_SIZE(buffers),
		.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
		.pBufferInfo = buffers,
	};
	VkMemoryRequirements need;

	vk(vkCreateBuffer(job->dev, &buffer, NULL, &job->in));
	vk(vkCreateBuffer(job->dev, &buffer, NULL, &job->out));
	vkGetBufferMemoryRequirements(job->dev, job->out, &need);
	job->out_offset = (need.size + need.alignment - 1) / need.alignment * need.alignment;
	choose_memory(job, need.memoryTypeBits);
	memory.allocationSize = job->out_offset + need.size;
	memory.memoryTypeIndex = job->memory_type;
	vk(vkAllocateMemory(job->dev, &memory, NULL, &job->memory));
	vk(vkBindBufferMemory(job->dev, job->in, job->memory, 0));
	vk(vkBindBufferMemory(job->dev, job->out, job->memory, job->out_offset));
	buffers[0].buffer = job->in;
	buffers[1].buffer = job->out;
	/* Two bindings in a row take two buffers. */
	vkUpdateDescriptorSets(job->dev, 1, &write, 0, NULL);
}

static void free_memory(struct job *job)
{
	vkDestroyBuffer(job->dev, job->in, NULL);
	vkDestroyBuffer(job->dev, job->out, NULL);
	vkFreeMemory(job->dev, job->memory, NULL);
}

static void record(struct job *job, uint32_t iteration)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
		.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
	};
	const VkMemoryBarrier to_host = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
		.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
		.dstAccessMask = VK_ACCESS_HOST_READ_BIT,
	};

	vk(vkBeginCommandBuffer(job->cmd, &begin));
	vkCmdBindPipeline(job->cmd, VK_PIPELINE_BIND_POINT_COMPUTE, job->pipeline);
	vkCmdBindDescriptorSets(job->cmd, VK_PIPELINE_BIND_POINT_COMPUTE, job->layout, 0, 1,
				&job->set, 0, NULL);
	vkCmdPushConstants(job->cmd, job->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
			   sizeof(iteration), &iteration);
	vkCmdDispatch(job->cmd, job->words / GROUP_SIZE, 1, 1);
	vkCmdPipelineBarrier(job->cmd, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
			     VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &to_host, 0, NULL, 0, NULL);
	vk(vkEndCommandBuffer(job->cmd));
}

static uint32_t input(uint32_t i, uint32_t iteration)
{
	return (i ^ iteration * 0x9e3779b9u) * 0x85ebca6bu;
}

static uint32_t expected(uint32_t i, uint32_t iteration)
{
	return input(i, iteration) * 2654435761u ^ (i + iteration);
}

/* Returns how many words are not what they must be. */
static uint64_t iterate(struct job *job, uint32_t iteration)
{
	const VkSubmitInfo submit = {
		.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
		.commandBufferCount = 1,
		.pCommandBuffers = &job->cmd,
	};
	uint32_t *in, *out, i;
	uint64_t wrong = 0;
	void *map;

	vk(vkMapMemory(job->dev, job->memory, 0, VK_WHOLE_SIZE, 0, &map));
	in = map;
	out = (uint32_t *)((char *)map + job->out_offset);
	for (i = 0; i < job->words; i++) {
		in[i] = input(i, iteration);
		out[i] = ~expected(i, iteration);
	}
	record(job, iteration);
	vk(vkQueueSubmit(job->queue, 1, &submit, job->fence));
	vk(vkWaitForFences(job->dev, 1, &job->fence, VK_TRUE, TIMEOUT_NS));
	vk(vkResetFences(job->dev, 1, &job->fence));
	for (i = 0; i < job->words; i++)
		wrong += in[i] != input(i, iteration) || out[i] != expected(i, iteration);
	vkUnmapMemory(job->dev, job->memory);
	return wrong;
}

static void close_device(struct job *job)
{
	vkDeviceWaitIdle(job->dev);
	vkDestroyFence(job->dev, job->fence, NULL);
	vkDestroyCommandPool(job->dev, job->commands, NULL);
	vkDestroyDescriptorPool(job->dev, job->sets, NULL);
	vkDestroyPipeline(job->dev, job->pipeline, NULL);
	vkDestroyPipelineLayout(job->dev, job->layout, NULL);
	vkDestroyDescriptorSetLayout(job->dev, job->set_layout, NULL);
	vkDestroyDevice(job->dev, NULL);
	vkDestroyInstance(job->instance, NULL);
}

/* 0: not a number from 1 to @max */
static uint32_t number(const char *text, uint32_t max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	return *text < '0' || *text > '9' || *end || value > max ? 0 : value;
}

int main(int argc, char **argv)
{
	struct job job = { .words = DEFAULT_WORDS };
	uint32_t iterations, i;
	uint64_t mismatches = 0;

	iterations = argc >= 2 ? number(argv[1], UINT32_MAX - 1) : 0;
	if (argc == 3)
		job.words = number(argv[2], MAX_WORDS);
	if (!iterations || argc > 3 || !job.words || job.words % GROUP_SIZE) {
		fprintf(stderr, "usage: vk_compute ITERATIONS [WORDS]; WORDS: a multiple of %u up to %u\n",
			GROUP_SIZE, MAX_WORDS);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_device(&job);
	make_pipeline(&job);
	make_commands(&job);
	for (i = 0; i < iterations; i++) {
		if (i % NEW_MEMORY == 0) {
			if (i)
				free_memory(&job);
			make_memory(&job);
			if (!i)
				printf("memory: type %u, %u words in, %u words out\n",
				       job.memory_type, job.words, job.words);
		}
		mismatches += iterate(&job, i);
		if (iterations >= NR_REPORTS && (i + 1) % (iterations / NR_REPORTS) == 0)
			printf("iteration %u\n", i + 1);
	}
	free_memory(&job);
	close_device(&job);
	printf("%u iterations, %" PRIu64 " mismatches\n", iterations, mismatches);
	return mismatches ? 1 : 0;
}
