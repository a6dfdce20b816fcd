#include "winograd.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "openmp.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define FOR_X86 1
#endif
#define INLINE inline __attribute__((always_inline))

namespace ramiel {
namespace {

// So many channels at a time: a vector of AVX-512, two of AVX2.
constexpr int kLanes = 16;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

constexpr int kMost = 64;  // places of a tile: 4 x 4 results of a kernel of 5 x 5

// Some channels of a pixel; zeros for a pixel beyond the image.
INLINE void load(const float* from, int count, Lanes* to) {
  if (from && count == kLanes) {
    *to = *reinterpret_cast<const Lanes*>(from);
  } else {
    *to = Lanes{};
    if (from) std::memcpy(to, from, count * sizeof(float));
  }
}

INLINE void store(const Lanes* from, int count, float* to) {
  if (count == kLanes) {
    *reinterpret_cast<Lanes*>(to) = *from;
  } else {
    std::memcpy(to, from, count * sizeof(float));
  }
}

// Multiplies each of `count` vectors, of IN elements with a step between them, by a matrix [OUT, IN].
template <int OUT, int IN>
INLINE void multiply(const float* matrix, const Lanes* x, int step_x, int next_x, Lanes* y,
                     int step_y, int next_y, int count) {
  for (int i = 0; i < count; ++i, x += next_x, y += next_y) {
    for (int out = 0; out < OUT; ++out) {
      Lanes sum = x[0] * matrix[out * IN];
      for (int in = 1; in < IN; ++in) sum += x[in * step_x] * matrix[out * IN + in];
      y[out * step_y] = sum;
    }
  }
}

INLINE void multiply(int out, int in, const float* matrix, const Lanes* x, int step_x, int next_x,
                     Lanes* y, int step_y, int next_y, int count) {
#define CASE(OUT, IN) \
  case OUT * 16 + IN: \
    return multiply<OUT, IN>(matrix, x, step_x, next_x, y, step_y, next_y, count);
  switch (out * 16 + in) {
    CASE(1, 1)
    CASE(4, 4)
    CASE(6, 6)
    CASE(8, 8)
    CASE(10, 10)
    CASE(2, 4)
    CASE(2, 6)
    CASE(2, 8)
    CASE(4, 6)
    CASE(4, 8)
    CASE(4, 10)
  }
#undef CASE
}

// The pixels of a tile, row by row, null beyond the image.
template <typename Float>
INLINE void pixels_of(const Tiling& t, int64_t tile, int64_t rows, int64_t columns, Float* image,
                      Float** pixels) {
  int64_t y = tile / t.across % t.down * t.high - t.top;
  int64_t x = tile % t.across * t.wide - t.left;
  image += tile / t.across / t.down * t.image_step;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      bool is_inside = 0 <= y + i && y + i < t.height && 0 <= x + j && x + j < t.width;
      *pixels++ = is_inside ? image + (y + i) * t.row_step + (x + j) * t.pixel_step : nullptr;
    }
  }
}

INLINE bool transform(const Tiling& t, const float* image, float* tiles, int64_t tile, int64_t end) {
  int rows = static_cast<int>(t.rows), columns = static_cast<int>(t.columns), all = rows * columns;
  const float* pixels[kMost];
  Lanes read[kMost], between[kMost], sum{};
  for (; tile < end; ++tile) {
    pixels_of(t, tile, rows, columns, image, pixels);
    for (int64_t c = 0; c < t.channels; c += kLanes) {
      int count = static_cast<int>(std::min<int64_t>(t.channels - c, kLanes));
      for (int i = 0; i < all; ++i) {
        load(pixels[i] ? pixels[i] + c : nullptr, count, &read[i]);
        sum += read[i];
      }
      multiply(rows, rows, t.first, read, columns, 1, between, columns, 1, columns);
      multiply(columns, columns, t.second, between, 1, columns, read, 1, columns, rows);
      float* to = tiles + tile * all * t.channels + c;
      for (int i = 0; i < all; ++i) store(&read[i], count, to + i * t.channels);
    }
  }
  float total = 0;
  for (int i = 0; i < kLanes; ++i) total += sum[i];
  return std::isfinite(total);
}

INLINE bool transform_back(const Tiling& t, const float* tiles, float* image, int64_t tile,
                           int64_t end) {
  int rows = static_cast<int>(t.rows), columns = static_cast<int>(t.columns), all = rows * columns;
  int high = static_cast<int>(t.high), wide = static_cast<int>(t.wide);
  float* pixels[kMost];
  Lanes read[kMost], between[kMost], bias;
  for (; tile < end; ++tile) {
    pixels_of(t, tile, high, wide, image, pixels);
    for (int64_t c = 0; c < t.channels; c += kLanes) {
      int count = static_cast<int>(std::min<int64_t>(t.channels - c, kLanes));
      const float* from = tiles + tile * all * t.channels + c;
      for (int i = 0; i < all; ++i) load(from + i * t.channels, count, &read[i]);
      multiply(high, rows, t.first, read, columns, 1, between, columns, 1, columns);
      multiply(wide, columns, t.second, between, 1, columns, read, 1, wide, high);
      load(t.bias ? t.bias + c : nullptr, count, &bias);
      for (int i = 0; i < high * wide; ++i) {
        if (!pixels[i]) continue;
        Lanes value = read[i] + bias;
        if (t.other) {
          Lanes other;
          load(t.other + (pixels[i] - image) + c, count, &other);
          value += other;
        }
        value = value < t.least ? Lanes{} + t.least : value;
        value = value > t.most ? Lanes{} + t.most : value;
        store(&value, count, pixels[i] + c);
      }
    }
  }
  return true;
}

// Each of the transforms, for the vectors of the processor that runs it.
#define TRANSFORM(name)                                                                       \
  bool name##_any(const Tiling& t, const float* x, float* y, int64_t begin, int64_t end) {    \
    return name(t, x, y, begin, end);                                                         \
  }                                                                                           \
  VERSION(name, avx2, "avx2,fma")                                                             \
  VERSION(name, avx512, "avx512f")
#ifdef FOR_X86
#define VERSION(name, suffix, features)                                                       \
  __attribute__((target(features))) bool name##_##suffix(const Tiling& t, const float* x,     \
                                                         float* y, int64_t begin,             \
                                                         int64_t end) {                       \
    return name(t, x, y, begin, end);                                                         \
  }
#else
#define VERSION(name, suffix, features)
#endif

TRANSFORM(transform)
TRANSFORM(transform_back)

using Transform = bool (*)(const Tiling&, const float*, float*, int64_t, int64_t);

#ifdef FOR_X86
#define BEST_OF(name)                                                                         \
  (__builtin_cpu_supports("avx512f")                                  ? name##_avx512         \
   : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? name##_avx2            \
                                                                      : name##_any)
#else
#define BEST_OF(name) name##_any
#endif

// Transforms all tiles on so many threads. Whether each of them says so.
bool divide(const Tiling& tiling, const float* x, float* y, int threads, Transform transform) {
  struct Work {
    const Tiling& tiling;
    const float* x;
    float* y;
    Transform transform;
    std::atomic<bool> all{true};
  } work{tiling, x, y, transform};
  auto part = [](void* given, int index, int count) {
    auto& work = *static_cast<Work*>(given);
    int64_t total = work.tiling.images * work.tiling.down * work.tiling.across;
    int64_t share = work.tiling.share ? work.tiling.share : (total + count - 1) / count;
    int64_t begin = std::min(share * index, total);
    int64_t end = index + 1 == count ? total : std::min(begin + share, total);
    if (begin < end && !work.transform(work.tiling, work.x, work.y, begin, end)) {
      work.all.store(false, std::memory_order_relaxed);
    }
  };
  threads == 1 ? part(&work, 0, 1) : on_threads(threads, part, &work);
  return work.all.load();
}

}  // namespace

bool tiles_of(const Tiling& tiling, const float* image, float* tiles, int threads) {
  static const Transform best = BEST_OF(transform);
  return divide(tiling, image, tiles, threads, best);
}

void image_of(const Tiling& tiling, const float* tiles, float* image, int threads) {
  static const Transform best = BEST_OF(transform_back);
  divide(tiling, tiles, image, threads, best);
}

}  // namespace ramiel

// What runs in Python calls them by these.
#define RAMIEL_API extern "C" __attribute__((visibility("default")))

RAMIEL_API int ramiel_tiles_of(const ramiel::Tiling* tiling, const float* image, float* tiles,
                               int threads) {
  return ramiel::tiles_of(*tiling, image, tiles, threads);
}

RAMIEL_API int ramiel_image_of(const ramiel::Tiling* tiling, const float* tiles, float* image,
                               int threads) {
  ramiel::image_of(*tiling, tiles, image, threads);
  return true;
}
