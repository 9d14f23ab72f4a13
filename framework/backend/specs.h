// Attributes of the operators that a backend computes (framework/backend/operators.h).
#pragma once

#include <cstdint>
#include <string>

#include "framework/backend/activation.h"
#include "framework/core/random.h"
#include "framework/core/tensor.h"

namespace adwp {

// How a gradient (or any other output that may be summed into) is written.
enum class GradMode { overwrite, accumulate };

struct Target {
  Tensor tensor;
  GradMode mode = GradMode::overwrite;

  bool adds() const { return mode == GradMode::accumulate; }
};

// A square convolution, x (N, H, W, C) with w (K, R, R, C / groups) to y (N, P, Q, K):
//   y[n,p,q,k] = sum_{r,s,c} x[n, p*stride + r - padding, q*stride + s - padding, g(k)+c] w[k,r,s,c]
// groups is 1 (dense) or C (depthwise, K == C).
struct Conv2d {
  std::int64_t kernel = 1;  // R
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  bool depthwise = false;

  bool operator==(const Conv2d&) const = default;
  std::int64_t out_size(std::int64_t in) const { return (in + 2 * padding - kernel) / stride + 1; }
};
enum class ConvPass { forward, dgrad, wgrad };

Shape conv2d_output(const Conv2d& conv, const Shape& x, const Shape& w);  // of y; throws Error
// Of any of its three passes: a multiply-add for each element of y and of its window.
double conv2d_flops(const Conv2d& conv, const Shape& y, const Shape& w);
std::string conv2d_text(const Conv2d& conv, const Shape& x,
                        const Shape& w);  // "3x3 s2 (64, 32, 32, 16) -> 32"

// What becomes of a stored u8 image on its way into a batch; see LoadBatch.
struct Augmentation {
  std::int64_t shift = 0;   // random translation by up to this many pixels, zeros come in
  bool flip = false;        // left-right with probability 1/2
  std::int64_t cutout = 0;  // side of a square set to zero at a random centre; 0: none
};

// The part of input pixel `in` of a line of `ins` in output pixel `out` of one of `outs`, where inputs are
// `outs` long and outputs are `ins` long; inputs out * ins / outs and on have one.
ADWP_HOST_DEVICE inline std::int64_t overlap(std::int64_t in, std::int64_t ins, std::int64_t out,
                                             std::int64_t outs) {
  const std::int64_t begin = in * outs > out * ins ? in * outs : out * ins;
  const std::int64_t end = (in + 1) * outs < (out + 1) * ins ? (in + 1) * outs : (out + 1) * ins;
  return end - begin;
}

// Key of the random numbers of one epoch's augmentation.
struct AugmentKey {
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
};

// Block `number` of the random numbers of a stored image in that epoch, for one purpose.
ADWP_HOST_DEVICE inline Philox::Block image_draws(std::uint32_t image, Purpose purpose, std::uint32_t number,
                                                  const AugmentKey& key) {
  return Philox::generate(
      {image, std::uint32_t(purpose) | number << 8, std::uint32_t(key.epoch), std::uint32_t(key.epoch >> 32)},
      {std::uint32_t(key.seed), std::uint32_t(key.seed >> 32)});
}

// Those of LoadBatch.
ADWP_HOST_DEVICE inline Philox::Block augmentation_numbers(std::uint32_t image, const AugmentKey& key) {
  return image_draws(image, Purpose::augment, 0, key);
}

// Per-channel normalisation of stored pixels: (u8 / 255 - mean) / deviation.
struct PixelNorm {
  float mean[4] = {0, 0, 0, 0};
  float deviation[4] = {1, 1, 1, 1};
};

// One piece of a kernel cut from a table of tiles; a row of the i32 table of Assemble.
//
//   source: tiles of (tile_rows, taps, tile_cols), row by row, `tiles_across` to a row, `pitch`
//   elements from the start of one to the start of the next; the first stands at element `source`
//
//     +---------+---------+     +-------------+
//     | tile 0  | tile 1  |     |             |  rows
//     |       . | .       |     |   piece     |
//     +-------.-+-.-------+ --> |             |   out[target + (row * taps + tap) * target_cols + col]
//     | tile 2. | .tile 3 |     +-------------+       = scale * element + offset  (or += that)
//     |         |         |          cols
//     +---------+---------+
//
// The piece is the plane's upper left corner, (rows, taps, cols). A slice of one larger kernel is the case of
// one tile.
struct TilePiece {
  std::int32_t source, pitch, tiles_across, tile_rows, tile_cols, taps;
  std::int32_t rows, cols, target, target_cols;
  float scale, offset;
};
static_assert(sizeof(TilePiece) == 12 * sizeof(std::int32_t));

// Decoupled weight decay applies to the first `decayed` elements of the flat buffer only.
struct SgdRule {
  float learning_rate;
  float momentum;
  bool nesterov;
  float weight_decay;
  std::int64_t decayed;
  float max_norm;  // clip the gradient to this Euclidean norm; 0: no clipping
};

struct AdamWRule {
  float learning_rate;
  float beta1;
  float beta2;
  float epsilon;
  float weight_decay;
  std::int64_t decayed;
  float max_norm;     // as above
  std::int64_t step;  // counts from 1, for the bias correction
  bool lazy = false;  // elements whose gradient is exactly 0 keep their value and their moments
};

}  // namespace adwp
