// Batches from stored images: a thread makes a few numbers of one image. Each thread draws its image's random
// numbers again (ten rounds of Philox), which costs less than sharing them.
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
            std::int32_t* y) {
  const int height = s.height, width = s.width, channels = s.channels, size = height * width * channels;
  const int shift = augmentation.shift, cutout = augmentation.cutout, span = 2 * shift + 1;
  const std::int64_t image = block_index();
  const std::int32_t row = index[image];
  const Philox::Block r = augmentation_numbers(row, key);
  const int down = static_cast<int>((r[1] >> 16) % span) - shift;
  const int right = static_cast<int>((r[1] & 0xFFFFu) % span) - shift;
  const int top = static_cast<int>((r[2] >> 16) % height) - cutout / 2;
  const int left = static_cast<int>((r[2] & 0xFFFFu) % width) - cutout / 2;
  const bool mirrored = augmentation.flip && (r[0] & 1u) != 0;
  const std::uint8_t* from = images + (gathered ? image : row) * size;
  const int first = block_index_y() * threads_per_block + thread_index(),
            step = gridDim.y * threads_per_block;
  for (int e = first; e < size; e += step) {
    const int pixel = e / channels, c = e - pixel * channels, i = pixel / width, j = pixel - i * width;
    const int h = i + down, w = j + right;
    const bool cut = i >= top && i < top + cutout && j >= left && j < left + cutout;
    const bool inside = h >= 0 && h < height && w >= 0 && w < width;
    float value = 0;
    if (inside && !cut) {
      const float stored = from[(h * width + (mirrored ? width - 1 - w : w)) * channels + c];
      value = stored * (1.0f / (255.0f * norm.deviation[c])) - norm.mean[c] / norm.deviation[c];
    }
    x[image * size + e] = value;
  }
  if (first == 0) y[image] = labels[row];
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
  constexpr std::int64_t of_a_thread = 4, most_parts = 1024;
  const std::int64_t parts = ceil_divide(s[1] * s[2] * s[3], of_a_thread * threads_per_block);
  launch(op.name, augment, {s[0], parts < most_parts ? parts : most_parts}, threads_per_block, 0, stream(),
         BatchShape{s[0], s[1], s[2], s[3]}, op.images.data<std::uint8_t>(), integers(op.labels),
         integers(op.index), op.norm, op.augmentation, op.key, op.gathered, floats(op.x),
         op.y.data<std::int32_t>());
}

void GpuBackend::compute(const ShrinkImages& op, void*) {
  const Shape &large = op.x.shape(), &small = op.y.shape();
  const std::int64_t n = op.y.elements();
  launch(op.name, shrink, blocks_for(n), threads_per_block, 0, stream(),
         BatchShape{large[0], large[1], large[2], large[3]}, floats(op.x), small[1], small[2], floats(op.y),
         n);
}

}  // namespace adwp::ADWP_GPU
