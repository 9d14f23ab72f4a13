// Batches made on the device from stored u8 images; formula: Backend::load_batch.
#pragma once

#include "cuda/runtime/stream.h"
#include "framework/backend/specs.h"

namespace adwp::ADWP_GPU::kernels {

struct BatchShape {
  std::int64_t batch, height, width, channels;
};
void load_batch(Stream stream, const BatchShape& shape, const std::uint8_t* images,
                const std::int32_t* labels, const std::int32_t* index, const PixelNorm& norm,
                const Augmentation& augmentation, const AugmentKey& key, float* x, std::int32_t* y);

}  // namespace adwp::ADWP_GPU::kernels
