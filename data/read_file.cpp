#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "data/readers.h"
#include "framework/core/error.h"

namespace adwp::data {

std::vector<std::uint8_t> read_file(const std::string& path, std::size_t most) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    fail("data", "no such file, got {}; check the folder given with --data", path);
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size > most) {
    fail("data", "cannot use {}, got {} bytes, expected at most {}", path, size, most);
  }
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!file) fail("data", "cannot read {}: {}", path, std::strerror(errno));
  return bytes;
}

void require_room(std::int64_t count, std::int64_t height, std::int64_t width, std::int64_t channels) {
  const std::int64_t image = height * width * channels;  // sides are bounded: no overflow
  if (image > 0 && count > most_set_bytes / image) {
    fail(
        "data",
        "the data set is too large, got {} images of {} x {} pixels, expected at most {} GiB; give a smaller "
        "?limit=N or ?size=PIXELS",
        count, height, width, most_set_bytes >> 30);
  }
}

}  // namespace adwp::data
