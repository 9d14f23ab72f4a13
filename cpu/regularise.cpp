// What chance does to a batch: mixed images, erased boxes, masks of what is dropped.
#include <algorithm>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"

namespace adwp::cpu {

void CpuBackend::compute(const MixImages& op, void*) {
  const Shape& s = op.x.shape();
  const std::int64_t line = s[2] * s[3], image = s[1] * line;
  const std::int32_t* index = op.index.data<std::int32_t>();
  parallel_for(s[0], grain_for(image), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t other = s[0] - 1 - b;
      const Mixture mixture = draw_mixture(index[b], op.key, op.mixing, s[1], s[2]);
      const float* own = op.x.data<float>() + b * image;
      const float* partner = op.x.data<float>() + other * image;
      float* to = op.y.data<float>() + b * image;
      if (mixture.cut || mixture.share == 1) {
        std::copy_n(own, image, to);
        const Box& box = mixture.box;
        for (std::int64_t i = box.top; i < box.bottom; ++i) {
          const std::int64_t at = i * line + box.left * s[3];
          std::copy_n(partner + at, (box.right - box.left) * s[3], to + at);
        }
      } else {
        const float share = mixture.share;
        for (std::int64_t i = 0; i < image; ++i) to[i] = share * own[i] + (1 - share) * partner[i];
      }
      op.others.data<std::int32_t>()[b] = op.labels.data<std::int32_t>()[other];
      op.share.data<float>()[b] = mixture.share;
    }
  });
}

void CpuBackend::compute(const EraseBoxes& op, void*) {
  const Shape& s = op.x.shape();
  const std::int64_t line = s[2] * s[3];
  const std::int32_t* index = op.index.data<std::int32_t>();
  for (std::int64_t b = 0; b < s[0]; ++b) {
    const Box box = draw_erased(index[b], op.key, op.probability, s[1], s[2]);
    float* image = op.x.data<float>() + b * s[1] * line;
    for (std::int64_t i = box.top; i < box.bottom; ++i) {
      std::fill_n(image + i * line + box.left * s[3], (box.right - box.left) * s[3], 0.0f);
    }
  }
}

void CpuBackend::compute(const DrawMask& op, void*) {
  const std::int64_t rows = op.mask.shape()[0], columns = op.mask.shape()[3];
  float* out = op.mask.data<float>();
  for (std::int64_t row = 0; row < rows; ++row) {
    float* line = out + row * columns;
    if (op.by_row) {
      std::fill_n(line, columns, draw_kept(row, op.key, op.keep));
    } else {
      for (std::int64_t c = 0; c < columns; ++c) line[c] = draw_kept(row * columns + c, op.key, op.keep);
    }
  }
}

}  // namespace adwp::cpu
