#include "kernels.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "openmp.h"

namespace ramiel {
namespace {

constexpr int64_t kLeast = 1 << 13;  // elements that a thread is worth waking for

// Calls `part(begin, end)` on so many threads for parts of 0..size, which are whole lines of cache
// for floats.
template <typename Part>
void split(int64_t size, int threads, Part part) {
  threads = static_cast<int>(std::clamp<int64_t>(size / kLeast, 1, threads));
  if (threads == 1) return part(int64_t{0}, size);
  struct Work {
    int64_t size;
    Part& part;
  } work{size, part};
  on_threads(
      threads,
      [](void* given, int index, int count) {
        auto& work = *static_cast<Work*>(given);
        int64_t share = ((work.size + count - 1) / count + 15) / 16 * 16;
        int64_t begin = std::min(share * index, work.size);
        int64_t end = std::min(begin + share, work.size);
        if (begin < end) work.part(begin, end);
      },
      &work);
}

template <typename T>
void copy_row(const char* from, int64_t step_from, char* to, int64_t step_to, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    *reinterpret_cast<T*>(to + i * step_to) = *reinterpret_cast<const T*>(from + i * step_from);
  }
}

void copy_rows(const Copy& box, int dim, const char* from, char* to) {
  int64_t size = box.sizes[dim], step_from = box.from[dim], step_to = box.to[dim];
  if (dim + 1 < box.dims) {
    for (int64_t i = 0; i < size; ++i) {
      copy_rows(box, dim + 1, from + i * step_from, to + i * step_to);
    }
  } else if (step_from == box.itemsize && step_to == box.itemsize) {
    std::memcpy(to, from, static_cast<size_t>(size * box.itemsize));
  } else {
    switch (box.itemsize) {
      case 1: return copy_row<uint8_t>(from, step_from, to, step_to, size);
      case 2: return copy_row<uint16_t>(from, step_from, to, step_to, size);
      case 4: return copy_row<uint32_t>(from, step_from, to, step_to, size);
      default: return copy_row<uint64_t>(from, step_from, to, step_to, size);
    }
  }
}

}  // namespace

void copy(const Copy& box, const char* from, char* to, int threads) {
  int64_t row = 1;
  for (int dim = 1; dim < box.dims; ++dim) row *= box.sizes[dim];
  int64_t rows = box.sizes[0];
  threads = static_cast<int>(std::clamp<int64_t>(rows * row / kLeast, 1, std::min<int64_t>(threads, rows)));
  struct Work {
    const Copy& box;
    const char* from;
    char* to;
  } work{box, from, to};
  auto part = [](void* given, int index, int count) {
    auto& work = *static_cast<Work*>(given);
    int64_t rows = work.box.sizes[0];
    int64_t begin = rows * index / count, end = rows * (index + 1) / count;
    Copy mine = work.box;
    mine.sizes[0] = end - begin;
    copy_rows(mine, 0, work.from + begin * mine.from[0], work.to + begin * mine.to[0]);
  };
  if (threads == 1) return part(&work, 0, 1);
  on_threads(threads, part, &work);
}

// The loops, for the vectors of the processor that runs them.
// ThreadSanitizer is not ready yet when they are chosen.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__)
#define FOR_EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_CPU
#endif

namespace {

FOR_EACH_CPU void relu_part(const float* x, float* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = x[i] < 0 ? 0 : x[i];
}

#define BINARY(name, operation)                                                             \
  FOR_EACH_CPU void name(const float* a, const float* b, float* y, int64_t size) {          \
    for (int64_t i = 0; i < size; ++i) y[i] = a[i] operation b[i];                          \
  }                                                                                         \
  FOR_EACH_CPU void name##_number(const float* a, float b, float* y, int64_t size) {        \
    for (int64_t i = 0; i < size; ++i) y[i] = a[i] operation b;                             \
  }

BINARY(add, +)
BINARY(subtract, -)
BINARY(multiply, *)
BINARY(divide, /)

// A sum of numbers is a number, unless it overflows: then Python looks more closely.
FOR_EACH_CPU float sum(const float* x, int64_t size) {
  float sums[64] = {};
  int64_t i = 0;
  for (; i + 64 <= size; i += 64) {
    for (int j = 0; j < 64; ++j) sums[j] += x[i + j];
  }
  for (; i < size; ++i) sums[0] += x[i];
  float total = 0;
  for (float part : sums) total += part;
  return total;
}

using Operation = void (*)(const float*, const float*, float*, int64_t);
using OperationOfNumber = void (*)(const float*, float, float*, int64_t);
// In the order of Binary.
const Operation kOperations[] = {add, subtract, multiply, divide};
const OperationOfNumber kOperationsOfNumber[] = {add_number, subtract_number, multiply_number,
                                                 divide_number};

}  // namespace

void relu(const float* x, float* y, int64_t size, int threads) {
  split(size, threads,
        [=](int64_t begin, int64_t end) { relu_part(x + begin, y + begin, end - begin); });
}

void binary(Binary what, const float* a, const float* b, float* y, int64_t size, int threads) {
  Operation operation = kOperations[static_cast<int>(what)];
  split(size, threads, [=](int64_t begin, int64_t end) {
    operation(a + begin, b + begin, y + begin, end - begin);
  });
}

void binary(Binary what, const float* a, float b, float* y, int64_t size, int threads) {
  OperationOfNumber operation = kOperationsOfNumber[static_cast<int>(what)];
  split(size, threads, [=](int64_t begin, int64_t end) {
    operation(a + begin, b, y + begin, end - begin);
  });
}

bool all_finite(const float* x, int64_t size, int threads) {
  std::atomic<bool> finite{true};
  split(size, threads, [x, &finite](int64_t begin, int64_t end) {
    if (!std::isfinite(sum(x + begin, end - begin))) {
      finite.store(false, std::memory_order_relaxed);
    }
  });
  return finite.load();
}

}  // namespace ramiel
