// Sampling, mutation and crossover of a search space, and its size.
#include <algorithm>
#include <cmath>

#include "framework/core/error.h"
#include "nas/space/search_space.h"

namespace adwp::nas {
namespace {

template <typename T>
const T& pick(const std::vector<T>& choices, Random& random) {
  return choices[random.below(choices.size())];
}

// What block `index` of a stage may be joined by: nothing, or a kind of join with one of the values
// before its predecessor.
std::vector<std::pair<Join, int>> join_choices(const SearchSpace& space, int index) {
  std::vector<std::pair<Join, int>> choices;
  for (Join join : space.joins) {
    if (join == Join::none) choices.emplace_back(join, 0);
  }
  for (Join join : space.joins) {
    for (int from = 0; join != Join::none && from < index; ++from) choices.emplace_back(join, from);
  }
  return choices;
}

void sample_join(const SearchSpace& space, Block& block, int index, Random& random) {
  block.join = Join::none;
  block.from = 0;
  if (index == 0) return;
  block.join = pick(space.joins, random);
  if (block.join != Join::none) {
    block.from = random.below(index);
  }
}

// Of a residual.
bool has_choice(const SearchSpace& space, int index) {
  return space.may_have_residual(index, false) && space.may_have_residual(index, true);
}

Block sample_block(const SearchSpace& space, int index, Random& random) {
  Block block;
  block.operation = pick(space.operations_at(index), random);
  block.residual = has_choice(space, index) ? random.coin() : space.may_have_residual(index, true);
  sample_join(space, block, index, random);
  return block;
}

// A stage grown or shrunk to `depth`.
void resize(const SearchSpace& space, Stage& stage, int depth, Random& random) {
  while (std::ssize(stage.blocks) > depth) stage.blocks.pop_back();
  while (std::ssize(stage.blocks) < depth) {
    stage.blocks.push_back(sample_block(space, stage.blocks.size(), random));
  }
}

void change_block(const SearchSpace& space, Stage& stage, Random& random) {
  const int index = random.below(stage.blocks.size());
  Block& block = stage.blocks[index];
  switch (random.below(3)) {
    case 0:
      block.operation = pick(space.operations_at(index), random);
      break;
    case 1:
      if (has_choice(space, index)) block.residual = !block.residual;
      break;
    default:
      sample_join(space, block, index, random);
      break;
  }
}

void change_something(const SearchSpace& space, Architecture& architecture, Random& random) {
  const auto s = random.below(space.stages.size());
  const StageSpace& range = space.stages[s];
  Stage& stage = architecture.stages[s];
  switch (random.below(6)) {
    case 0:
      stage.width = pick(range.widths, random);
      break;
    case 1: {
      const std::uint32_t depths = range.max_depth - range.min_depth + 1;
      resize(space, stage, range.min_depth + random.below(depths), random);
      break;
    }
    case 2:
      architecture.head_width = pick(space.head_widths, random);
      break;
    default:
      change_block(space, stage, random);
      break;
  }
}

double block_choices(const SearchSpace& space, int index) {
  const double residuals = has_choice(space, index) ? 2 : 1;
  return space.operations_at(index).size() * residuals * join_choices(space, index).size();
}

}  // namespace

Architecture SearchSpace::sample(Random& random) const {
  Architecture architecture;
  architecture.stem_width = stem_width;
  architecture.stem_stride = stem_stride;
  architecture.activation = activation;
  for (const StageSpace& range : stages) {
    Stage stage{.width = pick(range.widths, random), .stride = range.stride, .blocks = {}};
    const std::uint32_t depths = range.max_depth - range.min_depth + 1;
    resize(*this, stage, range.min_depth + random.below(depths), random);
    architecture.stages.push_back(std::move(stage));
  }
  architecture.head_width = pick(head_widths, random);
  return architecture;
}

Architecture SearchSpace::mutate(const Architecture& architecture, Random& random) const {
  for (int i = 0; i < 1000; ++i) {
    Architecture child = architecture;
    change_something(*this, child, random);
    if (child != architecture) return child;
  }
  return sample(random);  // a space with next to nothing to change
}

Architecture SearchSpace::crossover(const Architecture& a, const Architecture& b, Random& random) const {
  Architecture child = a;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    if (random.coin()) child.stages[s] = b.stages[s];
    // Alike in depth: blocks from a cut on come from the other parent.
    const Stage& other = random.coin() ? a.stages[s] : b.stages[s];
    std::vector<Block>& blocks = child.stages[s].blocks;
    if (other.blocks.size() != blocks.size()) continue;
    const auto cut = random.below(blocks.size() + 1);
    std::copy(other.blocks.begin() + cut, other.blocks.end(), blocks.begin() + cut);
  }
  if (random.coin()) child.head_width = b.head_width;
  return child;
}

double SearchSpace::size() const {
  double product = head_widths.size();
  for (const StageSpace& stage : stages) {
    double depths = 0, blocks = 1;
    for (int depth = 1; depth <= stage.max_depth; ++depth) {
      blocks *= block_choices(*this, depth - 1);
      if (depth >= stage.min_depth) depths += blocks;
    }
    product *= depths * stage.widths.size();
  }
  return product;
}

}  // namespace adwp::nas
