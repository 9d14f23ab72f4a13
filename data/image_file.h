// One image file: what it is, its size and its pixels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace adwp::data {

// The largest image that is decoded, in pixels. Those of over a tenth of this are decoded one at a
// time: each takes 3 bytes a pixel, twice that to turn it upright, and what its decoder holds besides.
inline constexpr std::int64_t most_pixels = 100'000'000;

struct DecodedImage {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // (height, width, channels)
};

// Orientation: apply what EXIF says, as viewers do, or leave pixels as they are stored.
enum class Orientation { apply, ignore };

// The pixels of a JPEG, PNG, WebP, BMP or GIF, whatever its name says. `channels`: 1 grey (Rec. 601), 3 RGB.
// Throws an Error that names the file and the reason: it is missing, something else, damaged, or too large.
DecodedImage decode_image(const std::filesystem::path& path, int channels,
                          Orientation orientation = Orientation::apply);

// Height and width alone, from the head of the file. Throws as above.
DecodedImage measure_image(const std::filesystem::path& path, Orientation orientation = Orientation::apply);

// The pixels (size, size, channels) of an image brought to `size` as data sets are (resize, data/readers.h).
std::vector<std::uint8_t> read_image(const std::filesystem::path& path, int channels, std::int64_t size,
                                     Orientation orientation = Orientation::apply);

// What a file is by its first bytes, for messages: "a web page (HTML)", "compressed by gzip", "empty", ...
std::string kind_of_file(const std::vector<std::uint8_t>& head);

// The decoders of this program: "libjpeg, libpng, libwebp, stb_image".
std::string image_decoders();

}  // namespace adwp::data
