// One PNG or JPEG.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace adwp::data {

struct DecodedImage {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // (height, width, channels)
};

// `channels`: 1 grey, 3 RGB. Throws Error naming the file when it is missing, no PNG or JPEG, damaged, or
// larger than 4096 x 4096 pixels.
DecodedImage decode_image(const std::filesystem::path& path, int channels);

// The pixels (size, size, channels) of an image brought to `size` as data sets are (resize, data/readers.h).
std::vector<std::uint8_t> read_image(const std::filesystem::path& path, int channels, std::int64_t size);

}  // namespace adwp::data
