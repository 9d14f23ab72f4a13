// Batches from stored images: normalisation, flip, shift and cutout; smaller images of a batch.
#include <algorithm>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"

namespace adwp::cpu {

void CpuBackend::compute(const LoadBatch& op, void*) {
  const Shape& out = op.x.shape();
  const std::int64_t height = out[1], width = out[2], channels = out[3];
  const std::int64_t image = height * width * channels;
  const std::uint8_t* stored = op.images.data<std::uint8_t>();
  const std::int32_t* rows = op.index.data<std::int32_t>();
  float factor[4], offset[4];
  for (std::int64_t c = 0; c < channels; ++c) {
    factor[c] = 1.0f / (255.0f * op.norm.deviation[c]);
    offset[c] = -op.norm.mean[c] / op.norm.deviation[c];
  }
  const std::int64_t span = 2 * op.augmentation.shift + 1;

  parallel_for(out[0], grain_for(image), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t row = rows[b];
      const Philox::Block r = augmentation_numbers(rows[b], op.key);
      const bool flip = op.augmentation.flip && (r[0] & 1u) != 0;
      const std::int64_t down = (r[1] >> 16) % span - op.augmentation.shift;
      const std::int64_t right = (r[1] & 0xFFFFu) % span - op.augmentation.shift;
      const std::int64_t cut_top = (r[2] >> 16) % height - op.augmentation.cutout / 2;
      const std::int64_t cut_left = (r[2] & 0xFFFFu) % width - op.augmentation.cutout / 2;

      const std::uint8_t* from = stored + (op.gathered ? b : row) * image;
      float* to = op.x.data<float>() + b * image;
      for (std::int64_t i = 0; i < height; ++i) {
        const std::int64_t h = i + down;
        float* line = to + i * width * channels;
        if (h < 0 || h >= height) {
          std::fill_n(line, width * channels, 0.0f);
          continue;
        }
        for (std::int64_t j = 0; j < width; ++j) {
          const std::int64_t w = j + right;
          for (std::int64_t c = 0; c < channels; ++c) {
            const bool inside = w >= 0 && w < width;
            const std::int64_t column = flip ? width - 1 - w : w;
            line[j * channels + c] =
                inside ? from[(h * width + column) * channels + c] * factor[c] + offset[c] : 0.0f;
          }
        }
      }
      const std::int64_t side = op.augmentation.cutout;
      for (std::int64_t i = std::max<std::int64_t>(cut_top, 0); i < std::min(cut_top + side, height); ++i) {
        const std::int64_t left = std::max<std::int64_t>(cut_left, 0);
        const std::int64_t count = std::min(cut_left + side, width) - left;
        std::fill_n(to + (i * width + left) * channels, std::max<std::int64_t>(count, 0) * channels, 0.0f);
      }
      op.y.data<std::int32_t>()[b] = op.labels.data<std::int32_t>()[row];
    }
  });
}

void CpuBackend::compute(const ShrinkImages& op, void*) {
  const Shape &large = op.x.shape(), &small = op.y.shape();
  const std::int64_t height = large[1], width = large[2], channels = large[3];
  const float area = height * width;
  parallel_for(small[0] * small[1], grain_for(width * channels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t i = line % small[1];
      const float* from = op.x.data<float>() + line / small[1] * height * width * channels;
      float* to = op.y.data<float>() + line * small[2] * channels;
      for (std::int64_t e = 0; e < small[2] * channels; ++e) {
        const std::int64_t j = e / channels;
        float sum = 0;
        for (std::int64_t h = i * height / small[1]; h * small[1] < (i + 1) * height; ++h) {
          for (std::int64_t w = j * width / small[2]; w * small[2] < (j + 1) * width; ++w) {
            const float part = overlap(h, height, i, small[1]) * overlap(w, width, j, small[2]);
            sum += part * from[(h * width + w) * channels + e % channels];
          }
        }
        to[e] = sum / area;
      }
    }
  });
}

}  // namespace adwp::cpu
