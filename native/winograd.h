// The transforms of convolutions by Winograd's algorithm (ramiel/runtime/kernels/winograd.py), between
// images and tiles of them: [tile][place][channel], all f32.

#pragma once

#include <cstdint>

namespace ramiel {

// How an image is divided into tiles, as ramiel/runtime/kernels/winograd_transforms.py declares it.
// Images have their channels side by side; steps are in elements.
struct Tiling {
  int64_t images, height, width, channels;
  int64_t image_step, row_step, pixel_step;
  int64_t top, left;      // where the first tile begins, before the image
  int64_t down, across;   // tiles of an image
  int64_t high, wide;     // pixels from tile to tile
  int64_t rows, columns;  // places of a tile
  int64_t share;          // tiles of a thread; 0: as many for each
  const float* first;     // matrices for a tile's columns and rows:
  const float* second;    // [rows, rows] and [columns, columns]; back, [high, rows], [wide, columns]
  const float* bias;      // for each channel; may be null
  const float* other;     // an image to add; may be null
  float least, most;      // what comes out is kept between them; a NaN stays
};

// Tiles of an image, which may overlap, transformed. Whether what was read is finite.
bool tiles_of(const Tiling& tiling, const float* image, float* tiles, int threads);

// The image of tiles that are transformed back.
void image_of(const Tiling& tiling, const float* tiles, float* image, int threads);

}  // namespace ramiel
