// JSON from files that people write.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

namespace adwp::io {

// What is wrong with a text that should be JSON, and where: "line 3, column 7: ...", "stages[1].width stands
// twice".
class BadJson : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws BadJson unless the text is JSON in which no object has a key twice: a parser would take the last one
// without a word, and others the first. Ask json_exceeds (nesting.h) before.
nlohmann::json parse_json(std::string_view text);

}  // namespace adwp::io
