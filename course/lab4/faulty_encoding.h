// An encoding with a fault: two different architectures of a space can get one code. Leave this file as it
// is.
#pragma once

#include <algorithm>

#include "course/lab4/lab.h"

namespace lab {

// Appends `count` numbers: 1 at `index`, else 0; all 0 where the index is -1.
inline void one_hot(std::vector<float>& code, std::size_t count, std::ptrdiff_t index) {
  for (std::size_t i = 0; i < count; ++i) code.push_back(static_cast<std::ptrdiff_t>(i) == index ? 1 : 0);
}

template <typename T>
std::ptrdiff_t index_of(const std::vector<T>& list, const T& value) {
  const auto found = std::find(list.begin(), list.end(), value);
  return found == list.end() ? -1 : found - list.begin();
}

inline std::vector<float> faulty_encode(const adwp::nas::SearchSpace& space,
                                        const adwp::nas::Architecture& architecture) {
  std::vector<float> code;
  for (std::size_t s = 0; s < space.stages.size(); ++s) {
    const adwp::nas::StageSpace& range = space.stages[s];
    const adwp::nas::Stage& stage = architecture.stages[s];
    const int depth = static_cast<int>(stage.blocks.size());
    one_hot(code, range.widths.size(), index_of(range.widths, stage.width));
    one_hot(code, range.max_depth, depth - 1);
    for (int b = 0; b < range.max_depth; ++b) {
      const adwp::nas::Block block = b < depth ? stage.blocks[b] : adwp::nas::Block{};
      one_hot(code, space.operations.size(), b < depth ? index_of(space.operations, block.operation) : -1);
      code.push_back(block.residual ? 1 : 0);
      one_hot(code, 3, static_cast<int>(block.join));
      code.push_back(block.from / range.max_depth);
    }
  }
  one_hot(code, space.head_widths.size(), index_of(space.head_widths, architecture.head_width));
  return code;
}

}  // namespace lab
