// Reading and writing the flat TOML files that hold settings.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace adwp::apps {

struct TomlValue {
  enum class Type { integer, real, text, boolean };
  std::string key;
  Type type;
  std::string raw;      // text as it is; numbers and booleans as they are printed
  std::string literal;  // the value as TOML
  std::string where;    // FILE:LINE
};

// `text` as a TOML basic string, quotes included. Throws a usage Error if it is not UTF-8.
std::string toml_quote(const std::string& text);

// The keys of a TOML file in the order of its lines. Throws a usage Error, with the line, for a
// file that cannot be read, is no TOML, or holds anything but numbers, strings and booleans at the
// top.
std::vector<TomlValue> read_flat_toml(const std::filesystem::path& path);
// The same for the text of a file; errors call it `name`.
std::vector<TomlValue> parse_flat_toml(const std::string& text, const std::string& name);

}  // namespace adwp::apps
