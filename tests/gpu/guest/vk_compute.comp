#version 450
// SPDX-License-Identifier: GPL-2.0-or-later
// A word in, a word out: what vk_compute.c's expected() computes.
layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer words_in { uint word_in[]; };
layout(std430, binding = 1) writeonly buffer words_out { uint word_out[]; };
layout(push_constant) uniform constants { uint iteration; };

void main()
{
	uint i = gl_GlobalInvocationID.x;

	word_out[i] = word_in[i] * 2654435761u ^ (i + iteration);
}
