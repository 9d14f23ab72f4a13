#include "tests/cuda/ptx/fat_binary.h"

#include <cstring>
#include <stdexcept>

namespace adwp::executor {

// A header of 16 bytes (its own size at 6, that of what follows at 8), then entries: kind at 0, size of the
// entry's header at 4, size of its content at 8. Kind 1 is PTX, kind 2 machine code.
std::map<std::uint32_t, std::string> ptx_of(const void* fat_binary) {
  const auto* bytes = static_cast<const unsigned char*>(fat_binary);
  auto number = [&](std::uint64_t at, std::size_t size) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes + at, size);
    return value;
  };
  std::map<std::uint32_t, std::string> texts;
  const std::uint64_t begin = number(6, 2), end = begin + number(8, 8);
  for (std::uint64_t at = begin; at < end;) {
    const std::uint64_t kind = number(at, 2), header = number(at + 4, 4), size = number(at + 8, 8);
    if (kind == 1) {
      const char* text = reinterpret_cast<const char*>(bytes + at + header);
      const std::string whole(text, strnlen(text, size));
      const std::string before = ".target sm_";
      const auto target = whole.find(before);
      if (target == std::string::npos)
        throw std::runtime_error("compressed PTX, expected nvcc --no-compress");
      texts[static_cast<std::uint32_t>(std::stoul(whole.substr(target + before.size())))] = whole;
    }
    at += header + size;
  }
  return texts;
}

}  // namespace adwp::executor
