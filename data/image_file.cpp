#include "data/image_file.h"

#include <algorithm>
#include <mutex>
#include <string_view>

#include "data/decoders/decoder.h"
#include "data/readers.h"
#include "framework/core/error.h"
#include "framework/io/file_kind.h"

namespace adwp::data {
namespace {

bool begins(Bytes file, std::string_view with, std::size_t at = 0) {
  return file.size() >= at + with.size() &&
         std::equal(with.begin(), with.end(), file.begin() + at,
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

using namespace std::string_view_literals;

bool is_text(Bytes head) {
  return std::all_of(head.begin(), head.end(), [](std::uint8_t b) {
    return (b >= 0x20 && b < 0xF5) || b == '\n' || b == '\r' || b == '\t';
  });
}

Picture decode_by_content(Bytes file, bool decodes) {
#ifdef ADWP_HAS_JPEG
  if (begins(file, "\xFF\xD8"sv)) return decode_jpeg(file, decodes);
#endif
#ifdef ADWP_HAS_PNG
  if (begins(file, "\x89PNG"sv)) return decode_png(file, decodes);
#endif
  if (begins(file, "RIFF"sv) && begins(file, "WEBP"sv, 8)) {
#ifdef ADWP_HAS_WEBP
    return decode_webp(file, decodes);
#else
    throw BadImage("it is a WebP, which this program was built without (libwebp-dev); convert it to PNG");
#endif
  }
  if (begins(file, "\xFF\xD8"sv) || begins(file, "\x89PNG"sv) || begins(file, "GIF8"sv) ||
      begins(file, "BM"sv)) {
    return decode_other(file, decodes);
  }
  throw BadImage("it is " +
                 kind_of_file({file.begin(), file.begin() + std::min<std::size_t>(file.size(), 512)}));
}

// The place that pixel (y, x) of an upright image has in the stored one of that height and width (EXIF 2.3,
// tag Orientation).
std::size_t stored_place(int orientation, std::int64_t y, std::int64_t x, std::int64_t height,
                         std::int64_t width) {
  const bool turned = orientation >= 5;  // rows and columns are exchanged
  const bool flips_rows = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool flips_columns = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  std::int64_t row = turned ? x : y, column = turned ? y : x;
  if (flips_rows) row = height - 1 - row;
  if (flips_columns) column = width - 1 - column;
  return row * width + column;
}

void turn_upright(Picture& picture) {
  if (picture.orientation == 1) return;
  const std::int64_t height = picture.height, width = picture.width;
  if (picture.orientation >= 5) std::swap(picture.height, picture.width);
  if (picture.pixels.empty()) return;
  std::vector<std::uint8_t> upright(picture.pixels.size());
  for (std::int64_t y = 0; y < picture.height; ++y) {
    for (std::int64_t x = 0; x < picture.width; ++x) {
      const auto from = picture.pixels.begin() + 3 * stored_place(picture.orientation, y, x, height, width);
      std::copy(from, from + 3, upright.begin() + 3 * (y * picture.width + x));
    }
  }
  picture.pixels = std::move(upright);
}

std::vector<std::uint8_t> grey(const std::vector<std::uint8_t>& rgb) {  // Rec. 601, in 16 bits
  std::vector<std::uint8_t> result(rgb.size() / 3);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = (19595 * rgb[3 * i] + 38470 * rgb[3 * i + 1] + 7471 * rgb[3 * i + 2] + 0x8000) >> 16;
  }
  return result;
}

// Large images are decoded one at a time: their memory is told as that of one.
std::mutex one_large_image;

Picture read_picture(const std::filesystem::path& path, bool decodes, Orientation orientation) {
  const std::vector<std::uint8_t> file = read_file(path.string(), most_file_bytes);
  try {
    Picture picture = decode_by_content(file, false);
    if (decodes) {
      std::unique_lock alone(one_large_image, std::defer_lock);
      if (picture.height * picture.width > most_pixels / 10) alone.lock();
      picture = decode_by_content(file, true);
      if (orientation == Orientation::apply) turn_upright(picture);
      return picture;
    }
    if (orientation == Orientation::apply) turn_upright(picture);
    return picture;
  } catch (const BadImage& bad) {
    fail("data", "cannot use {}: {}", path.string(), bad.what());
  }
}

}  // namespace

void require_decodable(std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1) throw BadImage("it has no pixels");
  if (height > most_pixels / width) {
    throw BadImage(fmt::format("it has {} x {} pixels, expected at most {} million; make it smaller", width,
                               height, most_pixels / 1'000'000));
  }
}

std::string kind_of_file(const std::vector<std::uint8_t>& head) {
  const std::string known = io::known_kind({reinterpret_cast<const char*>(head.data()), head.size()});
  if (!known.empty()) return known;
  return is_text(head) ? "text, not an image" : "not an image: neither JPEG, PNG, WebP, BMP nor GIF";
}

DecodedImage decode_image(const std::filesystem::path& path, int channels, Orientation orientation) {
  Picture picture = read_picture(path, true, orientation);
  return {picture.height, picture.width, channels == 1 ? grey(picture.pixels) : std::move(picture.pixels)};
}

DecodedImage measure_image(const std::filesystem::path& path, Orientation orientation) {
  const Picture picture = read_picture(path, false, orientation);
  return {picture.height, picture.width, {}};
}

std::vector<std::uint8_t> read_image(const std::filesystem::path& path, int channels, std::int64_t size,
                                     Orientation orientation) {
  DecodedImage image = decode_image(path, channels, orientation);
  if (image.height == size && image.width == size) return std::move(image.pixels);
  return resize(image.pixels.data(), image.height, image.width, channels, size);
}

std::string image_decoders() {
  std::string names;
#ifdef ADWP_HAS_JPEG
  names += "libjpeg, ";
#endif
#ifdef ADWP_HAS_PNG
  names += "libpng, ";
#endif
#ifdef ADWP_HAS_WEBP
  names += "libwebp, ";
#endif
  return names + "stb_image";
}

}  // namespace adwp::data
