// toml++ bounds how deep values are nested, and not how many parts a dotted key has, each of which is a table
// within the last: text from outside is asked before it is parsed.
#pragma once

#include <string_view>

namespace adwp::io {

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
