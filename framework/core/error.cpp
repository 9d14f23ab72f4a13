#include "framework/core/error.h"

namespace adwp {
namespace {

constexpr std::size_t most_bytes = 8000;  // two paths fit; a longer text holds what a bad file holds

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  for (char c : text) {
    if (line.size() >= most_bytes) return line + fmt::format("... ({} bytes)", text.size());
    const auto code = static_cast<unsigned char>(c);
    if (code == '\n') {
      line += "\\n";
    } else if (code < 0x20 || code == 0x7f) {
      line += fmt::format("\\x{:02x}", code);
    } else {
      line += c;
    }
  }
  return line;
}

}  // namespace adwp
