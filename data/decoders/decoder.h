// Decoders of image formats: bytes of a file to pixels. Internal to data/; image_file.h is what others use.
//
// Each reads what is shown in the file as it is stored: the first picture of several, transparency left out
// (the colours under it stay), 16 bits a channel cut to 8, colour profiles not applied. Pillow's
// convert("RGB") is the reference (tests/data/check_pictures.py).
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/image_file.h"

namespace adwp::data {

using Bytes = std::span<const std::uint8_t>;

// Why a file cannot be used, without its name.
class BadImage : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws BadImage unless an image of such sides may be decoded.
void require_decodable(std::int64_t height, std::int64_t width);

// Each throws BadImage. `decodes` false: the pixels stay empty, and only the head of the file is looked at.
// Orientation is told, not applied: 1 to 8, as EXIF counts.
struct Picture {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // (height, width, 3)
  int orientation = 1;
};
Picture decode_jpeg(Bytes file, bool decodes);   // libjpeg
Picture decode_png(Bytes file, bool decodes);    // libpng
Picture decode_webp(Bytes file, bool decodes);   // libwebp
Picture decode_other(Bytes file, bool decodes);  // stb_image: BMP and GIF, and what a library is missing for

// The orientation that EXIF data name, a TIFF header first; 1 where they name none.
int exif_orientation(Bytes exif);

}  // namespace adwp::data
