// The kernels that a plan has of its own, for what is too short for a call of PyTorch's.

#pragma once

#include <cstdint>

#include "step.h"

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

// A copy whose f32 numbers are kept within bounds; a NaN stays.
struct Clamp {
  Copy box;
  float low;
  float high;
};

// Arithmetic on boxes of elements: sizes, and strides in elements, the outermost dimension first.
struct Binary {
  enum Operation : int32_t { kAdd, kSubtract, kMultiply, kDivide };
  enum Type : int32_t { kFloat32, kFloat64, kInt32, kInt64 };  // integers are not divided
  int32_t operation;
  int32_t type;
  int32_t dims;
  int64_t sizes[kMostDims];
  int64_t a[kMostDims];
  int64_t b[kMostDims];
  int64_t y[kMostDims];
};

// Each runs on so many threads of the plan's (openmp.h).
void copy(const Step* steps, int64_t count, int threads);  // steps of kCopy
void clamp(const Clamp& box, const char* x, char* y, int threads);
void binary(const Binary& box, const char* a, const char* b, char* y, int threads);
bool all_finite(const Copy& box, const char* x, int threads);  // f32

}  // namespace ramiel
