// How deeply JSON and TOML from outside are nested, asked before they are parsed: their parsers recurse, and
// spend a hundred bytes and more on a value that takes two in the text.
#pragma once

#include <cstddef>
#include <string_view>

namespace adwp::io {

// Are brackets nested deeper than `most_depth`, or are there more than `most_values` values? What stands in
// strings does not count. Of text that is no JSON, what comes before the first mistake is judged correctly,
// and a parser goes no further.
inline bool json_exceeds(std::string_view text, int most_depth, std::size_t most_values) {
  int depth = 0;
  std::size_t values = 1;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;  // whatever it is, it ends no string
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth, ++values;
    if (c == '}' || c == ']') --depth;
    if (c == ',') ++values;
    if (depth > most_depth || values > most_values) return true;
  }
  return false;
}

// toml++ limits how deeply values are nested, but not how many parts a dotted key has, and each part makes a
// table within the last.
inline constexpr int most_key_parts = 24;

// Could a line hold a key of more than `most_parts` parts? Keys end with their line, and two dots in a row
// stand in no key: paths like ../../.. may be as long as they like. Other dots in values count too, for what
// tells a value from a key is the parser, which this guards.
inline bool toml_nests_deeply(std::string_view text, int most_parts = most_key_parts) {
  int dots = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') dots = 0;
    const bool doubled = (i > 0 && text[i - 1] == '.') || (i + 1 < text.size() && text[i + 1] == '.');
    if (text[i] == '.' && !doubled && ++dots >= most_parts) return true;
  }
  return false;
}

}  // namespace adwp::io
