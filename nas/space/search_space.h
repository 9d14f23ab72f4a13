// The macro search space: which architectures there are. A space is data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/random.h"
#include "nas/space/architecture.h"
#include "nas/space/network_plan.h"

namespace adwp::nas {

// Does a block (not block 0, whose shape changes) add its own input to its output?
enum class Residual { never, free, always };

struct StageSpace {
  std::vector<int> widths;  // multiples of 8, ascending
  int min_depth = 1;
  int max_depth = 1;
  int stride = 1;
};

// Upper bounds that a candidate must keep; nothing set: no bound.
struct Limits {
  std::optional<std::int64_t> max_params;
  std::optional<std::int64_t> max_macs;
  std::optional<double> max_latency_us;

  bool admit(const NetworkPlan& plan) const;  // parameters and MACs, not latency
};

struct SearchSpace {
  std::string name;
  int stem_width = 0;
  int stem_stride = 1;
  std::vector<StageSpace> stages;
  std::vector<Operation> operations;  // a projection among them: for first blocks only
  std::vector<Join> joins;            // choices of a block that has an earlier value to join
  Residual residual = Residual::free;
  std::vector<int> head_widths;  // {0}: no head
  Activation activation = Activation::relu;

  static SearchSpace preset(const std::string& name);     // "tiny", "cifar"
  static SearchSpace from_toml(const std::string& path);  // docs: docs/search_space.md
  static SearchSpace open(const std::string& preset_or_path);
  std::string to_toml() const;
  void validate() const;

  Architecture sample(Random& random) const;  // every choice uniform
  // Uniform among those within the limits where they are not rare, else a sample brought within them
  // (within()). Throws a usage Error that names the space's true minimum when nothing is within them.
  Architecture sample(Random& random, const Limits& limits, const Task& task) const;
  // The architecture, changed at random until it is within the limits on parameters and multiply-accumulates;
  // nothing when no change brings it nearer.
  std::optional<Architecture> within(Architecture architecture, const Limits& limits, const Task& task,
                                     Random& random) const;
  // One random choice changed (width, depth, an operation, a residual, a join); never the same.
  Architecture mutate(const Architecture& architecture, Random& random) const;
  // Each stage from one parent or the other, uniformly; blocks recombined at a cut when alike.
  Architecture crossover(const Architecture& a, const Architecture& b, Random& random) const;
  // The part of the space whose stages are no deeper than `share` of the way from their least to their
  // greatest depth; from 0 to 1, each depth takes an equal part of the way.
  SearchSpace shallow(double share) const;
  bool contains(const Architecture& architecture) const;
  Architecture largest() const;  // every choice at its most expensive: sizes the arena
  Architecture smallest() const;
  // Networks that between them show every layer of the space at its largest: for each operation and
  // each way of joining, one of full depth and width with nothing else. They size shared weights and
  // the arena.
  std::vector<Architecture> widest_networks() const;
  double size() const;  // number of architectures

  // Index-free facts that the encoding and the weight sources need.
  std::vector<Operation> operations_at(int block) const;  // those that fit there
  bool may_have_residual(int block, bool residual) const;
  int max_depth() const;
  int max_width(int stage) const;  // of a stage
};

}  // namespace adwp::nas
