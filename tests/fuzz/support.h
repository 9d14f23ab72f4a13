// What the fuzz targets share.
//
// A target hands bytes to one parser. The only way out, besides success, is an adwp::Error in one line of
// text; any other exception, a sanitizer's report, a timeout, or too much memory is a finding.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "framework/core/error.h"
#include "tests/support/temporary_directory.h"

namespace adwp::fuzz {

// A finding: what a parser promises, and does not keep.
inline void expect(bool kept, std::string_view promise) {
  if (kept) return;
  std::fprintf(stderr, "finding: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}

// Whether `parse` took its input. What it says of a bad one must fit on a line of a terminal.
template <typename Parse>
bool accepts(Parse&& parse) {
  try {
    parse();
    return true;
  } catch (const Error& error) {
    const std::string_view text = error.what();
    expect(text.starts_with('[') && text.size() < 10'000, "an error is `[where] what` of bounded length");
    expect(std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }),
           "an error is one line, without control characters");
    return false;
  }
}

// For those who read files: a folder of this process.
inline const std::filesystem::path& folder() {
  static const test::TemporaryDirectory directory;
  return directory.path();
}

inline std::string write_file(const std::string& name, std::string_view bytes) {
  const std::string path = (folder() / name).string();
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}

// An input of several parts, cut off from the front.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  std::string_view take(std::size_t bytes) {
    const std::string_view part = rest_.substr(0, bytes);
    rest_.remove_prefix(part.size());
    return part;
  }
  std::size_t number(std::size_t bytes) {  // little-endian
    std::size_t value = 0, shift = 0;
    for (char c : take(bytes)) value |= std::size_t{static_cast<unsigned char>(c)} << shift, shift += 8;
    return value;
  }

 private:
  std::string_view rest_;
};

}  // namespace adwp::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
