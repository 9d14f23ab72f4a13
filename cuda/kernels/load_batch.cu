// Batches from stored images: a thread makes one number of one image. Each draws its image's random numbers
// again (ten rounds of Philox), which costs less than sharing them.
#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

struct BatchShape {
  std::int64_t batch, height, width, channels;
};

__global__ void __launch_bounds__(threads_per_block)
    augment(BatchShape s, const std::uint8_t* images, const std::int32_t* labels, const std::int32_t* index,
            PixelNorm norm, Augmentation augmentation, AugmentKey key, bool gathered, float* x,
            std::int32_t* y, std::int64_t n) {
  const std::int64_t image = s.height * s.width * s.channels, span = 2 * augmentation.shift + 1;
  for (std::int64_t e = first_index(); e < n; e += index_step()) {
    const std::int64_t b = e / image, c = e % s.channels;
    const std::int64_t j = e / s.channels % s.width, i = e / s.channels / s.width % s.height;
    const std::int32_t row = index[b];
    const Philox::Block r = augmentation_numbers(row, key);
    const std::int64_t h = i + (r[1] >> 16) % span - augmentation.shift;
    const std::int64_t w = j + (r[1] & 0xFFFFu) % span - augmentation.shift;
    const std::int64_t top = (r[2] >> 16) % s.height - augmentation.cutout / 2;
    const std::int64_t left = (r[2] & 0xFFFFu) % s.width - augmentation.cutout / 2;
    const bool cut = i >= top && i < top + augmentation.cutout && j >= left && j < left + augmentation.cutout;
    const bool inside = h >= 0 && h < s.height && w >= 0 && w < s.width;
    float value = 0;
    if (inside && !cut) {
      const std::int64_t column = augmentation.flip && (r[0] & 1u) != 0 ? s.width - 1 - w : w;
      const float stored = images[(gathered ? b : row) * image + (h * s.width + column) * s.channels + c];
      value = stored * (1.0f / (255.0f * norm.deviation[c])) - norm.mean[c] / norm.deviation[c];
    }
    x[e] = value;
    if (e % image == 0) y[b] = labels[row];
  }
}

// A thread makes one number of a small image.
__global__ void __launch_bounds__(threads_per_block)
    shrink(BatchShape s, const float* x, std::int64_t rows, std::int64_t columns, float* y, std::int64_t n) {
  const std::int64_t image = s.height * s.width * s.channels;
  for (std::int64_t e = first_index(); e < n; e += index_step()) {
    const std::int64_t c = e % s.channels, j = e / s.channels % columns;
    const std::int64_t i = e / s.channels / columns % rows;
    const float* from = x + e / (rows * columns * s.channels) * image + c;
    float sum = 0;
    for (std::int64_t h = i * s.height / rows; h * rows < (i + 1) * s.height; ++h) {
      for (std::int64_t w = j * s.width / columns; w * columns < (j + 1) * s.width; ++w) {
        const float part = overlap(h, s.height, i, rows) * overlap(w, s.width, j, columns);
        sum += part * from[(h * s.width + w) * s.channels];
      }
    }
    y[e] = sum / static_cast<float>(s.height * s.width);
  }
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const LoadBatch& op, void*) {
  const Shape& s = op.x.shape();
  const std::int64_t n = op.x.elements();
  launch(op.name, augment, blocks_for(n), threads_per_block, 0, stream(), BatchShape{s[0], s[1], s[2], s[3]},
         op.images.data<std::uint8_t>(), integers(op.labels), integers(op.index), op.norm, op.augmentation,
         op.key, op.gathered, floats(op.x), op.y.data<std::int32_t>(), n);
}

void GpuBackend::compute(const ShrinkImages& op, void*) {
  const Shape &large = op.x.shape(), &small = op.y.shape();
  const std::int64_t n = op.y.elements();
  launch(op.name, shrink, blocks_for(n), threads_per_block, 0, stream(),
         BatchShape{large[0], large[1], large[2], large[3]}, floats(op.x), small[1], small[2], floats(op.y),
         n);
}

}  // namespace adwp::ADWP_GPU
