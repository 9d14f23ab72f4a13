// What chance does to a batch. A thread makes one number, and draws for itself what its image's threads
// share: cheaper than to hand it on.
#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

struct BatchShape {
  std::int64_t batch, height, width, channels;
};

// The place of element e of a batch of images.
struct Place {
  __device__ Place(const BatchShape& s, std::int64_t e)
      : image(e / (s.height * s.width * s.channels)),
        row(e / s.channels / s.width % s.height),
        column(e / s.channels % s.width) {}
  std::int64_t image, row, column;
};

__global__ void __launch_bounds__(threads_per_block)
    mix(BatchShape s, const float* x, const std::int32_t* labels, const std::int32_t* index, Mixing mixing,
        AugmentKey key, float* y, std::int32_t* others, float* share, std::int64_t n) {
  const std::int64_t image = s.height * s.width * s.channels;
  for (std::int64_t e = first_index(); e < n; e += index_step()) {
    const Place at(s, e);
    const std::int64_t other = s.batch - 1 - at.image;
    const Mixture mixture = draw_mixture(index[at.image], key, mixing, s.height, s.width);
    const float own = x[e], partner = x[other * image + e % image];
    float value = own;
    if (mixture.cut) {
      value = mixture.box.holds(at.row, at.column) ? partner : own;
    } else if (mixture.share != 1) {
      value = mixture.share * own + (1 - mixture.share) * partner;
    }
    y[e] = value;
    if (e % image == 0) {
      others[at.image] = labels[other];
      share[at.image] = mixture.share;
    }
  }
}

__global__ void __launch_bounds__(threads_per_block)
    erase(BatchShape s, const std::int32_t* index, float probability, AugmentKey key, float* x,
          std::int64_t n) {
  for (std::int64_t e = first_index(); e < n; e += index_step()) {
    const Place at(s, e);
    const Box box = draw_erased(index[at.image], key, probability, s.height, s.width);
    if (box.holds(at.row, at.column)) x[e] = 0;
  }
}

__global__ void __launch_bounds__(threads_per_block)
    fill_mask(float keep, bool by_row, DropKey key, float* mask, std::int64_t columns, std::int64_t n) {
  for (std::int64_t e = first_index(); e < n; e += index_step()) {
    mask[e] = draw_kept(by_row ? e / columns : e, key, keep);
  }
}

BatchShape shape_of(const Tensor& x) {
  const Shape& s = x.shape();
  return {s[0], s[1], s[2], s[3]};
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const MixImages& op, void*) {
  const std::int64_t n = op.x.elements();
  launch(op.name, mix, blocks_for(n), threads_per_block, 0, stream(), shape_of(op.x), floats(op.x),
         integers(op.labels), integers(op.index), op.mixing, op.key, floats(op.y),
         op.others.data<std::int32_t>(), floats(op.share), n);
}

void GpuBackend::compute(const EraseBoxes& op, void*) {
  const std::int64_t n = op.x.elements();
  launch(op.name, erase, blocks_for(n), threads_per_block, 0, stream(), shape_of(op.x), integers(op.index),
         op.probability, op.key, floats(op.x), n);
}

void GpuBackend::compute(const DrawMask& op, void*) {
  const std::int64_t n = op.mask.elements();
  launch(op.name, fill_mask, blocks_for(n), threads_per_block, 0, stream(), op.keep, op.by_row, op.key,
         floats(op.mask), op.mask.shape()[3], n);
}

}  // namespace adwp::ADWP_GPU
