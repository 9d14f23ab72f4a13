#include "apps/common/toml_values.h"

#include <toml++/toml.h>
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/nesting.h"

namespace adwp::apps {
namespace {

constexpr std::size_t max_bytes = 1 << 20;  // a settings file is some kilobytes

std::string read_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    fail_usage("config", "no such settings file, got '{}', expected a TOML file", path.string());
  }
  if (!std::filesystem::is_regular_file(path, ignored)) {
    fail_usage("config", "cannot read {}: {}; expected a TOML file", path.string(),
               io::why_no_file(path.string()));
  }
  std::ifstream input(path, std::ios::binary);
  std::string contents(max_bytes + 1, '\0');
  input.read(contents.data(), std::ssize(contents));
  const std::size_t bytes = input.gcount();
  if (!input.is_open() || input.bad()) {
    fail_usage("config", "cannot read '{}'; check its permissions", path.string());
  }
  if (bytes > max_bytes) {
    fail_usage("config", "{} is too large, got more than {} bytes, expected a settings file", path.string(),
               max_bytes);
  }
  contents.resize(bytes);
  return contents;
}

TomlValue to_value(const std::string& key, const toml::node& node, std::string where) {
  if (const auto* integer = node.as_integer()) {
    const std::string number = fmt::format("{}", integer->get());
    return {key, TomlValue::Type::integer, number, number, std::move(where)};
  }
  if (const auto* real = node.as_floating_point()) {
    const std::string number = fmt::format("{}", real->get());
    return {key, TomlValue::Type::real, number, number, std::move(where)};
  }
  if (const auto* text = node.as_string()) {
    return {key, TomlValue::Type::text, text->get(), toml_quote(text->get()), std::move(where)};
  }
  if (const auto* boolean = node.as_boolean()) {
    const std::string word = boolean->get() ? "true" : "false";
    return {key, TomlValue::Type::boolean, word, word, std::move(where)};
  }
  fail_usage("config",
             "{}: {} has no use as a setting, got a table, array or date, "
             "expected a number, string or boolean",
             where, key);
}

}  // namespace

std::string toml_quote(const std::string& text) {
  try {
    // JSON's escapes are a subset of those of TOML; only DEL may stand raw in JSON and not in TOML.
    std::string quoted = nlohmann::json(text).dump();
    for (std::size_t at = 0; (at = quoted.find('\x7f', at)) != std::string::npos;) {
      quoted.replace(at, 1, "\\u007f");
    }
    return quoted;
  } catch (const nlohmann::json::type_error&) {
    fail_usage("config", "a setting is not text, got bytes that are not UTF-8, expected UTF-8");
  }
}

std::vector<TomlValue> read_flat_toml(const std::filesystem::path& path) {
  return parse_flat_toml(read_file(path), path.string());
}

std::vector<TomlValue> parse_flat_toml(const std::string& text, const std::string& name) {
  toml::table table;
  try {
    if (io::toml_nests_deeply(text)) {
      fail_usage("config", "{}: a line with {} dots or more, expected keys of fewer parts", name,
                 io::most_key_parts);
    }
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail_usage("config", "{}:{}: not valid TOML: {}", name, error.source().begin.line, error.description());
  }
  std::vector<std::pair<unsigned, TomlValue>> found;
  for (const auto& [key, node] : table) {
    const unsigned line = node.source().begin.line;
    found.emplace_back(line, to_value(std::string(key.str()), node, fmt::format("{}:{}", name, line)));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<TomlValue> values;
  for (auto& [line, value] : found) values.push_back(std::move(value));
  return values;
}

}  // namespace adwp::apps
