// The kernels that a plan has of its own, for what is too short for a call of PyTorch's.

#pragma once

#include <cstdint>

namespace ramiel {

constexpr int kMostDims = 8;

// A copy of a box of elements, as ramiel/runtime/replay/native.py declares it: sizes and strides in
// bytes, the outermost dimension first.
struct Copy {
  int32_t dims;
  int32_t itemsize;
  int64_t sizes[kMostDims];
  int64_t from[kMostDims];
  int64_t to[kMostDims];
};

enum class Binary : int32_t { kAdd, kSubtract, kMultiply, kDivide };

// Each runs on so many threads of the plan's (openmp.h).
void copy(const Copy& box, const char* from, char* to, int threads);
void relu(const float* x, float* y, int64_t size, int threads);  // a NaN stays one
void binary(Binary what, const float* a, const float* b, float* y, int64_t size, int threads);
void binary(Binary what, const float* a, float b, float* y, int64_t size, int threads);
bool all_finite(const float* x, int64_t size, int threads);

}  // namespace ramiel
