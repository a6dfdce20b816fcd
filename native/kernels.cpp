#include "kernels.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "openmp.h"

namespace ramiel {
namespace {

constexpr int64_t kLeast = 1 << 13;  // elements that a thread is worth waking for
constexpr int64_t kShort = 8;        // elements of a row that is copied with its neighbours

template <typename Box>
int64_t size_of(const Box& box) {
  int64_t elements = 1;
  for (int dim = 0; dim < box.dims; ++dim) elements *= box.sizes[dim];
  return elements;
}

// A thread's rows of a box, from a first one on.
template <typename Box>
Box rows_of(const Box& box, int index, int threads, int64_t* first) {
  Box mine = box;
  // A row may be one element: whole lines of cache of these.
  int64_t rows = box.sizes[0], least = box.dims == 1 ? 16 : 1;
  *first = rows * index / threads / least * least;
  int64_t end = index + 1 == threads ? rows : rows * (index + 1) / threads / least * least;
  mine.sizes[0] = end - *first;
  return mine;
}

// Calls `part(box, first)` on so many threads for boxes of rows, each from a first one on.
template <typename Box, typename Part>
void split_rows(const Box& box, int threads, Part part) {
  int64_t most = std::max<int64_t>(std::min<int64_t>(threads, box.sizes[0]), 1);
  threads = static_cast<int>(std::clamp<int64_t>(size_of(box) / kLeast, 1, most));
  if (threads == 1) return part(box, 0);
  struct Work {
    const Box& box;
    Part& part;
  } work{box, part};
  on_threads(
      threads,
      [](void* given, int index, int count) {
        auto& work = *static_cast<Work*>(given);
        int64_t first = 0;
        Box mine = rows_of(work.box, index, count, &first);
        work.part(mine, first);
      },
      &work);
}

const Copy& box_of(const Step& step) { return *static_cast<const Copy*>(step.third); }

template <typename T>
void copy_row(const char* from, int64_t step_from, char* to, int64_t step_to, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    *reinterpret_cast<T*>(to + i * step_to) = *reinterpret_cast<const T*>(from + i * step_from);
  }
}

void copy_dim(const Copy& box, int dim, const char* from, char* to) {
  int64_t size = box.sizes[dim], step_from = box.from[dim], step_to = box.to[dim];
  if (step_from == box.itemsize && step_to == box.itemsize) {
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

void copy_rows(const Copy& box, int dim, const char* from, char* to) {
  int inner = dim + 1;
  if (inner == box.dims) return copy_dim(box, dim, from, to);
  if (inner + 1 == box.dims && box.sizes[inner] < std::min(kShort, box.sizes[dim])) {
    for (int64_t i = 0; i < box.sizes[inner]; ++i) {
      copy_dim(box, dim, from + i * box.from[inner], to + i * box.to[inner]);
    }
    return;
  }
  for (int64_t i = 0; i < box.sizes[dim]; ++i) {
    copy_rows(box, inner, from + i * box.from[dim], to + i * box.to[dim]);
  }
}

}  // namespace

// All copies are made in one region, each by all threads.
void copy(const Step* steps, int64_t count, int threads) {
  int64_t elements = 0;
  for (int64_t i = 0; i < count; ++i) elements += size_of(box_of(steps[i]));
  struct Work {
    const Step* steps;
    int64_t count;
  } work{steps, count};
  auto part = [](void* given, int index, int threads) {
    auto& work = *static_cast<Work*>(given);
    for (int64_t i = 0; i < work.count; ++i) {
      const Step& step = work.steps[i];
      int64_t first = 0;
      Copy mine = rows_of(box_of(step), index, threads, &first);
      copy_rows(mine, 0, static_cast<const char*>(step.first) + first * mine.from[0],
                static_cast<char*>(step.second) + first * mine.to[0]);
    }
  };
  threads = static_cast<int>(std::clamp<int64_t>(elements / kLeast, 1, threads));
  threads == 1 ? part(&work, 0, 1) : on_threads(threads, part, &work);
}

// The loops, for the vectors of the processor that runs them.
// ThreadSanitizer is not ready yet when they are chosen.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__)
#define FOR_EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_CPU
#endif

namespace {

FOR_EACH_CPU void clamp_row(const float* x, int64_t step_x, float* y, int64_t step_y, int64_t size,
                            float low, float high) {
  auto clamped = [=](float x) {
    float above = x < low ? low : x;
    return above > high ? high : above;
  };
  if (step_x == 1 && step_y == 1) {
    for (int64_t i = 0; i < size; ++i) y[i] = clamped(x[i]);
  } else {
    for (int64_t i = 0; i < size; ++i) y[i * step_y] = clamped(x[i * step_x]);
  }
}

void clamp_rows(const Clamp& clamp, int dim, const char* x, char* y) {
  const Copy& box = clamp.box;
  if (dim + 1 == box.dims) {
    constexpr int64_t kFloat = sizeof(float);
    return clamp_row(reinterpret_cast<const float*>(x), box.from[dim] / kFloat,
                     reinterpret_cast<float*>(y), box.to[dim] / kFloat, box.sizes[dim], clamp.low,
                     clamp.high);
  }
  for (int64_t i = 0; i < box.sizes[dim]; ++i) {
    clamp_rows(clamp, dim + 1, x + i * box.from[dim], y + i * box.to[dim]);
  }
}

// A row of elements at distances of 0 or 1, and for any distances.
template <typename T, typename Operation>
inline __attribute__((always_inline)) void row(const T* a, int64_t step_a, const T* b,
                                               int64_t step_b, T* y, int64_t step_y, int64_t size,
                                               Operation operation) {
  if (step_y == 1 && step_a == 1 && step_b == 1) {
    for (int64_t i = 0; i < size; ++i) y[i] = operation(a[i], b[i]);
  } else if (step_y == 1 && step_a == 1 && step_b == 0) {
    for (T number = *b; size > 0; --size) *y++ = operation(*a++, number);
  } else if (step_y == 1 && step_a == 0 && step_b == 1) {
    for (T number = *a; size > 0; --size) *y++ = operation(number, *b++);
  } else {
    for (int64_t i = 0; i < size; ++i) y[i * step_y] = operation(a[i * step_a], b[i * step_b]);
  }
}

#define ROW(name, type, operation)                                                             \
  FOR_EACH_CPU void name(const char* a, int64_t step_a, const char* b, int64_t step_b, char* y, \
                         int64_t step_y, int64_t size) {                                       \
    row(reinterpret_cast<const type*>(a), step_a, reinterpret_cast<const type*>(b), step_b,    \
        reinterpret_cast<type*>(y), step_y, size,                                              \
        [](type a, type b) __attribute__((always_inline)) { return a operation b; });          \
  }

// Integers that overflow wrap around, which only unsigned ones are sure to.
#define ROWS(name, operation)               \
  ROW(name##_float32, float, operation)     \
  ROW(name##_float64, double, operation)    \
  ROW(name##_int32, uint32_t, operation)    \
  ROW(name##_int64, uint64_t, operation)

ROWS(add, +)
ROWS(subtract, -)
ROWS(multiply, *)
ROW(divide_float32, float, /)
ROW(divide_float64, double, /)

using Row = void (*)(const char*, int64_t, const char*, int64_t, char*, int64_t, int64_t);
// In the order of Binary::Operation and Binary::Type.
const Row kRows[][4] = {
    {add_float32, add_float64, add_int32, add_int64},
    {subtract_float32, subtract_float64, subtract_int32, subtract_int64},
    {multiply_float32, multiply_float64, multiply_int32, multiply_int64},
    {divide_float32, divide_float64, nullptr, nullptr},
};
constexpr int64_t kItemsize[] = {4, 8, 4, 8};

void binary_rows(const Binary& box, int dim, const char* a, const char* b, char* y) {
  int64_t itemsize = kItemsize[box.type];
  if (dim + 1 == box.dims) {
    return kRows[box.operation][box.type](a, box.a[dim], b, box.b[dim], y, box.y[dim],
                                          box.sizes[dim]);
  }
  for (int64_t i = 0; i < box.sizes[dim]; ++i) {
    binary_rows(box, dim + 1, a + i * box.a[dim] * itemsize, b + i * box.b[dim] * itemsize,
                y + i * box.y[dim] * itemsize);
  }
}

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

bool rows_are_finite(const Copy& box, int dim, const char* x) {
  int64_t size = box.sizes[dim], step = box.from[dim];
  if (dim + 1 < box.dims || step != sizeof(float)) {
    for (int64_t i = 0; i < size; ++i, x += step) {
      if (dim + 1 < box.dims ? !rows_are_finite(box, dim + 1, x)
                             : !std::isfinite(*reinterpret_cast<const float*>(x))) {
        return false;
      }
    }
    return true;
  }
  return std::isfinite(sum(reinterpret_cast<const float*>(x), size));
}

}  // namespace

void clamp(const Clamp& clamp, const char* x, char* y, int threads) {
  split_rows(clamp.box, threads, [=](const Copy& box, int64_t first) {
    clamp_rows({box, clamp.low, clamp.high}, 0, x + first * box.from[0], y + first * box.to[0]);
  });
}

void binary(const Binary& box, const char* a, const char* b, char* y, int threads) {
  int64_t itemsize = kItemsize[box.type];
  split_rows(box, threads, [=](const Binary& mine, int64_t first) {
    binary_rows(mine, 0, a + first * mine.a[0] * itemsize, b + first * mine.b[0] * itemsize,
                y + first * mine.y[0] * itemsize);
  });
}

bool all_finite(const Copy& box, const char* x, int threads) {
  std::atomic<bool> finite{true};
  split_rows(box, threads, [x, &finite](const Copy& mine, int64_t first) {
    if (!rows_are_finite(mine, 0, x + first * mine.from[0])) {
      finite.store(false, std::memory_order_relaxed);
    }
  });
  return finite.load();
}

}  // namespace ramiel
