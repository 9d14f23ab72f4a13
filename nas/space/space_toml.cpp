// A search space as a TOML file; the form is documented in docs/search_space.md.
#include <fmt/core.h>

#include <toml++/toml.h>
#include <algorithm>
#include <initializer_list>
#include <sstream>

#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/nesting.h"
#include "nas/space/search_space.h"

namespace adwp::nas {
namespace {

constexpr std::size_t most_bytes = 1 << 20;  // a space is some kilobytes

[[noreturn]] void reject(const std::string& path, const toml::source_region& at, const std::string& what) {
  fail_usage("search space", "{}:{}: {}", path, at.begin.line, what);
}

// A table read key by key; unknown keys are errors.
class Table {
 public:
  Table(const toml::table& table, const std::string& path, std::initializer_list<std::string_view> keys)
      : table_(table), path_(path) {
    for (const auto& [key, value] : table) {
      if (std::find(keys.begin(), keys.end(), key.str()) == keys.end()) {
        reject(path, key.source(), fmt::format("unknown key '{}'", key.str()));
      }
    }
  }

  const toml::node& get(std::string_view key) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) reject(path_, table_.source(), fmt::format("key '{}' is missing", key));
    return *node;
  }
  bool has(std::string_view key) const { return table_.contains(key); }
  template <typename T>
  T value(std::string_view key, const char* kind) const {
    const auto value = get(key).value_exact<T>();
    if (!value) reject(path_, get(key).source(), fmt::format("'{}' must be {}", key, kind));
    return *value;
  }
  int integer(std::string_view key) const {
    const auto value = this->value<std::int64_t>(key, "an integer");
    return std::clamp<std::int64_t>(value, -1'000'000, 1'000'000);
  }
  template <typename T>
  std::vector<T> array(std::string_view key, const char* kind) const {
    const toml::array* array = get(key).as_array();
    if (array == nullptr || array->size() > 1024) {
      reject(path_, get(key).source(), fmt::format("'{}' must be an array of {}", key, kind));
    }
    std::vector<T> values;
    for (const toml::node& node : *array) {
      const auto value = node.value_exact<T>();
      if (!value) reject(path_, node.source(), fmt::format("'{}' must hold {}", key, kind));
      values.push_back(*value);
    }
    return values;
  }
  std::vector<int> integers(std::string_view key) const {
    std::vector<int> result;
    for (std::int64_t value : array<std::int64_t>(key, "integers")) {
      result.push_back(std::clamp<std::int64_t>(value, -1'000'000, 1'000'000));
    }
    return result;
  }

 private:
  const toml::table& table_;
  const std::string& path_;
};

constexpr std::pair<Join, const char*> join_names[] = {
    {Join::none, "none"}, {Join::add, "add"}, {Join::concat, "concat"}};
constexpr std::pair<Activation, const char*> activation_names[] = {
    {Activation::relu, "relu"}, {Activation::silu, "silu"}, {Activation::hard_swish, "hard_swish"}};

template <typename T, std::size_t N>
T choice(const std::pair<T, const char*> (&names)[N], const std::string& text, const std::string& what) {
  for (const auto& [value, name] : names) {
    if (text == name) return value;
  }
  fail_usage("search space", "unknown {}, got '{}'", what, text);
}

template <typename T, std::size_t N>
std::string text_of(const std::pair<T, const char*> (&names)[N], T value) {
  for (const auto& [known, name] : names) {
    if (known == value) return name;
  }
  return "?";
}

// true: each block may, as it likes.
Residual read_residual(const Table& table) {
  if (table.get("residual").is_boolean()) {
    return table.value<bool>("residual", "") ? Residual::free : Residual::never;
  }
  const std::string text = table.value<std::string>("residual", "true, false or 'always'");
  if (text != "always") fail_usage("search space", "unknown residual, got '{}', expected always", text);
  return Residual::always;
}

StageSpace read_stage(const toml::table& table, const std::string& path) {
  const Table reader(table, path, {"widths", "depth", "stride"});
  StageSpace stage;
  stage.widths = reader.integers("widths");
  const std::vector<int> depth = reader.integers("depth");
  if (depth.size() != 2) reject(path, reader.get("depth").source(), "'depth' must be [least, most]");
  stage.min_depth = depth[0];
  stage.max_depth = depth[1];
  stage.stride = reader.integer("stride");
  return stage;
}

}  // namespace

SearchSpace SearchSpace::from_toml(const std::string& path) {
  toml::table root;
  try {
    const std::string text = io::read_text(path, most_bytes);
    if (io::toml_nests_deeply(text)) {
      fail_usage("search space", "{}: a line with {} dots or more, expected keys of fewer parts", path,
                 io::most_key_parts);
    }
    root = toml::parse(text);
  } catch (const toml::parse_error& error) {
    reject(path, error.source(), std::string(error.description()));
  }
  const Table reader(root, path,
                     {"name", "stem_width", "stem_stride", "stage", "operations", "joins", "residual",
                      "head_widths", "activation"});
  SearchSpace space;
  space.name = reader.value<std::string>("name", "a string");
  space.stem_width = reader.integer("stem_width");
  space.stem_stride = reader.integer("stem_stride");
  const toml::array* stages = reader.get("stage").as_array();
  if (stages == nullptr) reject(path, reader.get("stage").source(), "stages are written [[stage]]");
  for (const toml::node& node : *stages) {
    if (!node.is_table()) reject(path, node.source(), "stages are written [[stage]]");
    space.stages.push_back(read_stage(*node.as_table(), path));
  }
  for (const std::string& text : reader.array<std::string>("operations", "strings")) {
    space.operations.push_back(Operation::from_text(text));
  }
  for (const std::string& text : reader.array<std::string>("joins", "strings")) {
    space.joins.push_back(choice(join_names, text, "join"));
  }
  space.residual = read_residual(reader);
  space.head_widths = reader.integers("head_widths");
  space.activation =
      choice(activation_names, reader.value<std::string>("activation", "a string"), "activation");
  space.validate();
  return space;
}

std::string SearchSpace::to_toml() const {
  toml::array operation_texts, join_texts, heads, stage_tables;
  for (const Operation& operation : operations) operation_texts.push_back(operation.text());
  for (Join join : joins) join_texts.push_back(text_of(join_names, join));
  for (int width : head_widths) heads.push_back(width);
  for (const StageSpace& stage : stages) {
    toml::array widths;
    for (int width : stage.widths) widths.push_back(width);
    stage_tables.push_back(toml::table{{"widths", widths},
                                       {"depth", toml::array{stage.min_depth, stage.max_depth}},
                                       {"stride", stage.stride}});
  }
  toml::table root{{"name", name},
                   {"stem_width", stem_width},
                   {"stem_stride", stem_stride},
                   {"stage", stage_tables},
                   {"operations", operation_texts},
                   {"joins", join_texts},
                   {"residual", residual == Residual::free},
                   {"head_widths", heads},
                   {"activation", text_of(activation_names, activation)}};
  if (residual == Residual::always) root.insert_or_assign("residual", "always");
  std::ostringstream text;
  text << root << "\n";
  return text.str();
}

}  // namespace adwp::nas
