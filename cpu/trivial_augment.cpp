// Batches of stored images, each changed by one operation.
#include "framework/backend/trivial_augment.h"
#include "cpu/cpu_class.h"
#include "cpu/loops.h"

namespace adwp::cpu {
namespace {

// What the values of channel c become.
void fill_table(const TrivialChange& change, const std::uint8_t* image, const ImageShape& shape,
                std::int64_t c, std::uint8_t* table) {
  std::int32_t counts[256] = {};
  for (std::int64_t p = 0; p < shape.height * shape.width; ++p) {
    ++counts[counted(change, image + p * shape.channels, shape.channels, c)];
  }
  for (std::int64_t v = 0; v < 256; ++v) table[v] = recounted(change, v, counts);
}

}  // namespace

void CpuBackend::compute(const TrivialAugment& op, void*) {
  const Shape& s = op.images.shape();
  const ImageShape shape{s[1], s[2], s[3]};
  const std::int64_t image = s[1] * s[2] * s[3];
  const std::int32_t* index = op.index.data<std::int32_t>();
  parallel_for(op.index.elements(), grain_for(image), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const TrivialChange change = draw_trivial(index[b], op.key);
      const std::uint8_t* from = op.images.data<std::uint8_t>() + index[b] * image;
      std::uint8_t* to = op.y.data<std::uint8_t>() + b * image;
      std::uint8_t tables[4][256];
      for (std::int64_t c = 0; change.counts() && c < shape.channels; ++c) {
        fill_table(change, from, shape, c, tables[c]);
      }
      for (std::int64_t i = 0; i < shape.height; ++i) {
        for (std::int64_t j = 0; j < shape.width; ++j) {
          for (std::int64_t c = 0; c < shape.channels; ++c) {
            to[shape.at(i, j, c)] = changed(change, from, i, j, c, shape, tables[c]);
          }
        }
      }
    }
  });
}

}  // namespace adwp::cpu
