// Augmentation: a thread makes one number of one image. Each draws its image's random numbers again
// (ten rounds of Philox), which costs less than sharing them.
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
            PixelNorm norm, Augmentation augmentation, AugmentKey key, float* x, std::int32_t* y,
            std::int64_t n) {
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
      const float stored = images[row * image + (h * s.width + column) * s.channels + c];
      value = stored * (1.0f / (255.0f * norm.deviation[c])) - norm.mean[c] / norm.deviation[c];
    }
    x[e] = value;
    if (e % image == 0) y[b] = labels[row];
  }
}

}  // namespace

// --- operator ----------------------------------------------------------------------------------------

void GpuBackend::compute(const LoadBatch& op, void*) {
  const Shape& s = op.x.shape();
  const std::int64_t n = op.x.elements();
  launch(op.name, augment, blocks_for(n), threads_per_block, 0, stream(), BatchShape{s[0], s[1], s[2], s[3]},
         op.images.data<std::uint8_t>(), integers(op.labels), integers(op.index), op.norm, op.augmentation,
         op.key, floats(op.x), op.y.data<std::int32_t>(), n);
}

}  // namespace adwp::ADWP_GPU
