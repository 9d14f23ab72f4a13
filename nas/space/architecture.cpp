#include "nas/space/architecture.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "framework/core/error.h"
#include "framework/core/fnv.h"
#include "framework/io/atomic_file.h"
#include "framework/io/json.h"
#include "framework/io/nesting.h"

namespace adwp::nas {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_text = 1 << 20;
// The largest has 4,000; ordered_json looks for a key in all of an object's.
constexpr std::size_t most_values = 10'000;
constexpr int most_blocks = 64;
constexpr int most_stages = 8;
constexpr int most_width = 4096;

template <typename T>
struct Name {
  T value;
  const char* text;
};
constexpr Name<BlockKind> kind_names[] = {{BlockKind::dense, "dense"},
                                          {BlockKind::separable, "separable"},
                                          {BlockKind::inverted_residual, "inverted_residual"},
                                          {BlockKind::projection, "projection"}};
constexpr Name<Join> join_names[] = {{Join::none, "none"}, {Join::add, "add"}, {Join::concat, "concat"}};
constexpr Name<Activation> activation_names[] = {
    {Activation::relu, "relu"}, {Activation::silu, "silu"}, {Activation::hard_swish, "hard_swish"}};

template <typename T, std::size_t N>
const char* text_of(const Name<T> (&names)[N], T value) {
  for (const auto& name : names) {
    if (name.value == value) return name.text;
  }
  fail_usage("architecture", "an unknown choice, number {}", static_cast<int>(value));
}

[[noreturn]] void reject(const std::string& path, const std::string& got, const std::string& expected) {
  fail_usage("architecture", "{}: got {}, expected {}", path, got, expected);
}

// A JSON object read key by key; keys left over are errors.
class Reader {
 public:
  Reader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object.is_object()) reject(path_, short_text(object), "an object");
  }
  std::string path(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  const Json& get(const std::string& key) {
    known_.insert(key);
    const auto found = object_.find(key);
    if (found == object_.end()) reject(path(key), "nothing", "a value");
    return *found;
  }
  int integer(const std::string& key, int low, int high) {
    const Json& value = get(key);
    if (!value.is_number_integer() || value < low || value > high) {
      reject(path(key), short_text(value), fmt::format("an integer from {} to {}", low, high));
    }
    return value.get<int>();
  }
  bool boolean(const std::string& key) {
    const Json& value = get(key);
    if (!value.is_boolean()) reject(path(key), short_text(value), "true or false");
    return value.get<bool>();
  }
  bool has(const std::string& key) const { return object_.contains(key); }
  template <typename T, std::size_t N>
  T choice(const std::string& key, const Name<T> (&names)[N]) {
    const Json& value = get(key);
    std::vector<std::string> texts;
    for (const auto& name : names) {
      if (value == name.text) return name.value;
      texts.emplace_back(name.text);
    }
    reject(path(key), short_text(value), fmt::format("one of {}", fmt::join(texts, ", ")));
  }
  const Json& array(const std::string& key, std::size_t most) {
    const Json& value = get(key);
    if (!value.is_array() || value.empty() || value.size() > most) {
      reject(path(key), short_text(value), fmt::format("an array of 1 to {} entries", most));
    }
    return value;
  }
  void finish() const {
    for (const auto& [key, value] : object_.items()) {
      if (!known_.contains(key)) reject(path(key), "an unknown key", "none of that name");
    }
  }

  static std::string short_text(const Json& value) {
    const std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    return text.size() <= 40 ? text : text.substr(0, 40) + "...";
  }

 private:
  const Json& object_;
  std::string path_;
  std::set<std::string> known_;
};

Block read_block(const Json& json, const std::string& path) {
  Reader reader(json, path);
  Block block;
  block.operation.kind = reader.choice("kind", kind_names);
  block.operation.kernel = reader.integer("kernel", 1, 7);
  block.operation.expansion = reader.integer("expansion", 1, 6);
  block.operation.squeeze_excite = reader.boolean("squeeze_excite");
  if (reader.has("expands_input")) block.operation.expands_input = reader.boolean("expands_input");
  block.residual = reader.boolean("residual");
  block.join = reader.choice("join", join_names);
  block.from = reader.integer("from", 0, most_blocks);
  reader.finish();
  return block;
}

Stage read_stage(const Json& json, const std::string& path) {
  Reader reader(json, path);
  Stage stage;
  stage.width = reader.integer("width", 1, most_width);
  stage.stride = reader.integer("stride", 1, 2);
  const Json& blocks = reader.array("blocks", most_blocks);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    stage.blocks.push_back(read_block(blocks[b], fmt::format("{}.blocks[{}]", path, b)));
  }
  reader.finish();
  return stage;
}

void expect_range(const std::string& path, int value, int low, int high) {
  if (value < low || value > high) {
    reject(path, std::to_string(value), fmt::format("{} to {}", low, high));
  }
}

void validate_block(const Block& block, int index, const std::string& path) {
  const auto& [kind, kernel, expansion, squeeze_excite, expands_input] = block.operation;
  const bool projection = kind == BlockKind::projection;
  if (projection ? kernel != 1 : kernel != 3 && kernel != 5 && kernel != 7) {
    reject(path + ".kernel", std::to_string(kernel), projection ? "1 in a projection" : "one of 3, 5, 7");
  }
  if (!block.operation.fits(index)) reject(path + ".kind", "projection", "another after block 0");
  const bool inverted = kind == BlockKind::inverted_residual;
  expect_range(path + ".expansion", expansion, 1, inverted ? 6 : 1);
  if (squeeze_excite && !inverted) {
    reject(path + ".squeeze_excite", "true", "false outside inverted_residual");
  }
  if (expands_input && !inverted) {
    reject(path + ".expands_input", "true", "false outside inverted_residual");
  }
  if (index == 0 && block.residual) reject(path + ".residual", "true", "false in block 0");
  if (index == 0 && block.join != Join::none) reject(path + ".join", "a join", "none in block 0");
  expect_range(path + ".from", block.from, 0, block.join == Join::none ? 0 : std::max(index - 1, 0));
}

}  // namespace

std::string Operation::text() const {
  switch (kind) {
    case BlockKind::dense:
      return fmt::format("dense{}", kernel);
    case BlockKind::separable:
      return fmt::format("separable{}", kernel);
    case BlockKind::inverted_residual:
      return fmt::format("inverted{}_e{}{}{}", kernel, expansion, expands_input ? "_in" : "",
                         squeeze_excite ? "_se" : "");
    case BlockKind::projection:
      return "projection";
  }
  return "?";
}

Operation Operation::from_text(const std::string& text) {
  static const std::regex form("(dense|separable)([357])|inverted([357])_e([1-6])(_in)?(_se)?");
  if (text == "projection") return {.kind = BlockKind::projection, .kernel = 1};
  std::smatch match;
  if (!std::regex_match(text, match, form)) {
    fail_usage("search space",
               "unknown operation, got '{}', expected for example dense3, separable5, "
               "inverted3_e6, inverted5_e3_se, inverted3_e3_in or projection",
               text);
  }
  if (match[1].matched) {
    return {match[1] == "dense" ? BlockKind::dense : BlockKind::separable, std::stoi(match[2])};
  }
  return {BlockKind::inverted_residual, std::stoi(match[3]), std::stoi(match[4]), match[6].matched,
          match[5].matched};
}

void Architecture::validate() const {
  expect_range("stem.width", stem_width, 1, most_width);
  expect_range("stem.stride", stem_stride, 1, 2);
  expect_range("head.width", head_width, 0, most_width);
  text_of(activation_names, activation);
  expect_range("stages (their number)", stages.size(), 1, most_stages);
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const Stage& stage = stages[s];
    const std::string path = fmt::format("stages[{}]", s);
    expect_range(path + ".width", stage.width, 1, most_width);
    expect_range(path + ".stride", stage.stride, 1, 2);
    expect_range(path + ".blocks (their number)", stage.blocks.size(), 1, most_blocks);
    for (std::size_t b = 0; b < stage.blocks.size(); ++b) {
      validate_block(stage.blocks[b], b, fmt::format("{}.blocks[{}]", path, b));
    }
  }
}

std::string Architecture::to_json() const {
  Json json;
  json["version"] = 1;
  json["stem"] = {{"width", stem_width}, {"stride", stem_stride}};
  json["stages"] = Json::array();
  for (const Stage& stage : stages) {
    Json blocks = Json::array();
    for (const Block& block : stage.blocks) {
      blocks.push_back({{"kind", text_of(kind_names, block.operation.kind)},
                        {"kernel", block.operation.kernel},
                        {"expansion", block.operation.expansion},
                        {"squeeze_excite", block.operation.squeeze_excite},
                        {"residual", block.residual},
                        {"join", text_of(join_names, block.join)},
                        {"from", block.from}});
      // Younger than the hashes of many files: written only where it is true.
      if (block.operation.expands_input) blocks.back()["expands_input"] = true;
    }
    json["stages"].push_back({{"width", stage.width}, {"stride", stage.stride}, {"blocks", blocks}});
  }
  json["head"] = {{"width", head_width}};
  json["activation"] = text_of(activation_names, activation);
  return json.dump();
}

Architecture Architecture::from_json(std::string_view text) {
  if (text.size() > most_text || io::json_exceeds(text, 16, most_values)) {
    fail_usage("architecture", "not an architecture, got {} bytes, expected flat JSON of at most {}",
               text.size(), most_text);
  }
  Json json;
  try {
    json = io::parse_json(text);
  } catch (const io::BadJson& bad) {
    fail_usage("architecture", "{}", bad.what());
  }
  Reader reader(json, "");
  reader.integer("version", 1, 1);
  Architecture architecture;
  {
    Reader stem(reader.get("stem"), "stem");
    architecture.stem_width = stem.integer("width", 1, most_width);
    architecture.stem_stride = stem.integer("stride", 1, 2);
    stem.finish();
  }
  const Json& stages = reader.array("stages", most_stages);
  for (std::size_t s = 0; s < stages.size(); ++s) {
    architecture.stages.push_back(read_stage(stages[s], fmt::format("stages[{}]", s)));
  }
  {
    Reader head(reader.get("head"), "head");
    architecture.head_width = head.integer("width", 0, most_width);
    head.finish();
  }
  architecture.activation = reader.choice("activation", activation_names);
  reader.finish();
  architecture.validate();
  return architecture;
}

Architecture Architecture::from_file(const std::string& path) {
  try {
    return from_json(io::read_text(path, std::size_t{1} << 20));
  } catch (const Error& error) {
    const std::string_view where = "[architecture] ";
    const std::string what = error.what();
    if (!what.starts_with(where)) throw;
    fail_usage("architecture", "{}: {}", path, what.substr(where.size()));
  }
}

std::uint64_t Architecture::hash() const { return fnv1a(to_json()); }

std::string Architecture::id() const { return fmt::format("{:016x}", hash()); }

}  // namespace adwp::nas
