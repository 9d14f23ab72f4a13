// nlohmann-json parses recursively: text from outside is asked for its depth before.
#pragma once

#include <string_view>

namespace adwp::io {

// Are brackets nested deeper than `most`? Brackets in strings count too, which errs on the safe side.
inline bool nested_deeper(std::string_view text, int most) {
  int depth = 0;
  for (char c : text) {
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (depth > most) return true;
  }
  return false;
}

}  // namespace adwp::io
