// JSON from outside is asked for its depth and its size before it is parsed: nlohmann-json takes a hundred
// bytes and more for a value that stands in two.
#pragma once

#include <cstddef>
#include <string_view>

namespace adwp::io {

// Are brackets nested deeper than `most_depth`, or are there more than `most_values` values? What stands in
// strings does not count. Of text that is no JSON, what comes before the first mistake is judged right, and
// a parser goes no further.
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

}  // namespace adwp::io
