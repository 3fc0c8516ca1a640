#pragma once

#include <cstdint>

/// What bounds the kernels, and nothing besides: to measure the peaks of the instruction set in use
/// by. One thread each, in float.
namespace mobileone::kernels {

/// Multiplies and adds in registers, `rounds` times; returns how many floating-point operations
/// that were.
double multiply_add(int64_t rounds);

/// to = from, of `count` elements, a multiple of 64.
void copy(int64_t count, const float* from, float* to);

/// The sum of `count` elements, a multiple of 64, in no certain order.
float sum(int64_t count, const float* values);

}  // namespace mobileone::kernels
