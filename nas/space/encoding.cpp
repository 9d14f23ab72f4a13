#include "nas/space/encoding.h"

#include <algorithm>
#include <cmath>

#include "framework/core/error.h"

namespace adwp::nas {
namespace {

constexpr int roles = static_cast<int>(LayerRole::head) + 1;
constexpr int joins = static_cast<int>(Join::concat) + 1;

// Writes the entries of a code in order; with `names` set, their names instead of values.
class Writer {
 public:
  explicit Writer(std::vector<float>& values) : values_(&values) {}
  explicit Writer(std::vector<std::string>& names) : names_(&names) {}

  void value(const std::string& name, double value) {
    if (names_ != nullptr) names_->push_back(name);
    if (values_ != nullptr) values_->push_back(value);
  }
  // `index` of -1: none of them.
  void one_hot(const std::string& name, std::int64_t count, std::int64_t index) {
    for (std::int64_t i = 0; i < count; ++i) {
      value(names_ != nullptr ? name + "=" + std::to_string(i) : name, i == index ? 1 : 0);
    }
  }

 private:
  std::vector<float>* values_ = nullptr;
  std::vector<std::string>* names_ = nullptr;
};

template <typename T>
std::int64_t index_of(const std::vector<T>& list, const T& value) {
  const auto found = std::find(list.begin(), list.end(), value);
  return found == list.end() ? -1 : found - list.begin();
}

// Channel counts span two decades: their logarithm, about -1 to 1.
double log_channels(std::int64_t channels) { return std::log2(channels) / 4 - 1.25; }

void write_layer(const SearchSpace& space, const LayerSpec& layer, const Block* block, int depth,
                 Writer& out) {
  const int stages = space.stages.size();
  out.one_hot("stage", stages + 1, layer.stage);  // the last: head; none: stem
  out.one_hot("block", space.max_depth(), block ? layer.block : -1);
  out.one_hot("depth", space.max_depth(), block ? depth - 1 : -1);
  out.one_hot("operation", space.operations.size(),
              block ? index_of(space.operations, block->operation) : -1);
  out.one_hot("role", roles, static_cast<int>(layer.role));
  out.one_hot("join", joins, block ? static_cast<int>(block->join) : 0);
  const double widest = space.max_width(std::clamp(layer.stage, 0, stages - 1));
  out.value("out channels / widest", layer.out_channels / widest);
  out.value("in channels / widest", layer.in_channels / widest);
  out.value("log out channels", log_channels(layer.out_channels));
  out.value("log in channels", log_channels(layer.in_channels));
  out.value("kernel / 7", layer.conv.kernel / 7.0);
  out.value("stride - 1", layer.conv.stride - 1);
  out.value("residual", block && block->residual ? 1 : 0);
  out.value("from / deepest", block ? 1.0 * block->from / space.max_depth() : 0);
  out.value("expansion / 6", block ? block->operation.expansion / 6.0 : 0);
  out.value("squeeze-excite", block && block->operation.squeeze_excite ? 1 : 0);
}

void write_network(const SearchSpace& space, const Architecture* architecture, Writer& out) {
  for (std::size_t s = 0; s < space.stages.size(); ++s) {
    const StageSpace& range = space.stages[s];
    const Stage* stage = architecture ? &architecture->stages[s] : nullptr;
    const std::string prefix = "stage" + std::to_string(s) + ".";
    out.one_hot(prefix + "width", range.widths.size(), stage ? index_of(range.widths, stage->width) : -1);
    out.one_hot(prefix + "depth", range.max_depth, stage ? std::ssize(stage->blocks) - 1 : -1);
    for (int b = 0; b < range.max_depth; ++b) {
      const bool there = stage && b < std::ssize(stage->blocks);
      const Block* block = there ? &stage->blocks[b] : nullptr;
      const std::string slot = prefix + "block" + std::to_string(b) + ".";
      out.one_hot(slot + "operation", space.operations.size(),
                  block ? index_of(space.operations, block->operation) : -1);
      if (b == 0) continue;  // the first block has neither residual nor join
      out.value(slot + "residual", block && block->residual ? 1 : 0);
      out.one_hot(slot + "join", joins, block ? static_cast<int>(block->join) : -1);
      const bool joined = block && block->join != Join::none;
      out.one_hot(slot + "from", b, joined ? block->from : -1);
    }
  }
  out.one_hot("head", space.head_widths.size(),
              architecture ? index_of(space.head_widths, architecture->head_width) : -1);
}

}  // namespace

Encoding::Encoding(const SearchSpace& space) : space_(space) {}

std::vector<std::string> Encoding::layer_entry_names() const {
  std::vector<std::string> names;
  Writer writer(names);
  LayerSpec any;
  any.in_channels = any.out_channels = 1;
  write_layer(space_, any, nullptr, 0, writer);
  return names;
}

std::vector<std::string> Encoding::network_entry_names() const {
  std::vector<std::string> names;
  Writer writer(names);
  write_network(space_, nullptr, writer);
  return names;
}

std::int64_t Encoding::layer_entries() const { return layer_entry_names().size(); }
std::int64_t Encoding::network_entries() const { return network_entry_names().size(); }

NetworkCode Encoding::encode(const NetworkPlan& plan) const {
  const Architecture& architecture = plan.architecture;
  if (!space_.contains(architecture)) {
    fail_usage("encoding", "architecture {} is not of the space '{}'", architecture.id(), space_.name);
  }
  NetworkCode code;
  Writer layers(code.layers);
  for (const LayerSpec& layer : plan.layers) {
    const bool in_block = layer.stage >= 0 && layer.stage < std::ssize(architecture.stages);
    const Stage* stage = in_block ? &architecture.stages[layer.stage] : nullptr;
    write_layer(space_, layer, stage ? &stage->blocks[layer.block] : nullptr,
                stage ? stage->blocks.size() : 0, layers);
  }
  code.layer_entries = code.layers.size() / plan.layers.size();
  Writer network(code.network);
  write_network(space_, &architecture, network);
  return code;
}

}  // namespace adwp::nas
