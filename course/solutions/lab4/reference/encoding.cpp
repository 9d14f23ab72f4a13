// Lab 4: the reference solution.
#include "course/lab4/faulty_encoding.h"

namespace lab {

// `from / max_depth` was divided as integers: always 0.
std::vector<float> encode(const adwp::nas::SearchSpace& space, const adwp::nas::Architecture& architecture) {
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
      code.push_back(static_cast<float>(block.from) / range.max_depth);
    }
  }
  one_hot(code, space.head_widths.size(), index_of(space.head_widths, architecture.head_width));
  return code;
}

}  // namespace lab
