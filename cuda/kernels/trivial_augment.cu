// Batches of stored images, each changed by one operation: a block makes one image.
#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"
#include "framework/backend/trivial_augment.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernel ------------------------------------------------------------------------------------------

// A thread counts the pixels of one value, without atomics. Three in fourteen images are counted.
__global__ void __launch_bounds__(threads_per_block)
    change_images(ImageShape shape, const std::uint8_t* images, const std::int32_t* index, AugmentKey key,
                  std::uint8_t* y) {
  SHARED(std::int32_t, counts, [256]);
  SHARED(std::uint8_t, tables, [4][256]);
  const std::int64_t pixels = shape.height * shape.width, image = pixels * shape.channels;
  const std::int64_t b = blockIdx.x;
  const TrivialChange change = draw_trivial(index[b], key);
  const std::uint8_t* from = images + index[b] * image;
  for (std::int64_t c = 0; change.counts() && c < shape.channels; ++c) {
    for (std::int64_t v = threadIdx.x; v < 256; v += threads_per_block) {
      std::int32_t count = 0;
      for (std::int64_t p = 0; p < pixels; ++p) {
        if (counted(change, from + p * shape.channels, shape.channels, c) == v) ++count;
      }
      counts[v] = count;
    }
    __syncthreads();
    for (std::int64_t v = threadIdx.x; v < 256; v += threads_per_block) {
      tables[c][v] = recounted(change, v, counts);
    }
    __syncthreads();
  }
  for (std::int64_t e = threadIdx.x; e < image; e += threads_per_block) {
    const std::int64_t c = e % shape.channels, j = e / shape.channels % shape.width;
    const std::int64_t i = e / shape.channels / shape.width;
    y[b * image + e] = changed(change, from, i, j, c, shape, tables[c]);
  }
}

}  // namespace

// --- operator ----------------------------------------------------------------------------------------

void GpuBackend::compute(const TrivialAugment& op, void*) {
  const Shape& s = op.images.shape();
  launch(op.name, change_images, op.index.elements(), threads_per_block, 0, stream(),
         ImageShape{s[1], s[2], s[3]}, op.images.data<std::uint8_t>(), integers(op.index), op.key,
         op.y.data<std::uint8_t>());
}

}  // namespace adwp::ADWP_GPU
