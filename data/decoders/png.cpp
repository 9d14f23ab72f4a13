// PNG through libpng, which checks the checksums.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "data/decoders/decoder.h"

namespace adwp::data {
namespace {

struct Source {
  Bytes left;
  bool ended = false;       // more was asked for than there is
  bool has_pixels = false;  // all of them are read
  char message[200] = {};
};

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  Source& source = *static_cast<Source*>(png_get_io_ptr(png));
  if (count > source.left.size()) {
    source.ended = true;
    png_error(png, "truncated");
  }
  std::memcpy(to, source.left.data(), count);
  source.left = source.left.subspan(count);
}

void fail_to_decode(png_structp png, png_const_charp message) {
  Source& source = *static_cast<Source*>(png_get_error_ptr(png));
  std::snprintf(source.message, sizeof source.message, "%s", message);
  png_longjmp(png, 1);
}

// What the decoder may take for one chunk, and what it holds of such that are no pixels.
constexpr png_alloc_size_t most_chunk_bytes = 8 << 20;
constexpr png_uint_32 most_chunks = 1000;

void ask_for_rgb(png_structp png) {
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_gray_to_rgb(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
}

// False: source.message says why not. Objects with a destructor live in the caller: longjmp skips them.
bool decode(png_structp png, png_infop info, bool decodes, Picture& picture, std::vector<png_bytep>& rows) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_chunk_malloc_max(png, most_chunk_bytes);
  png_set_chunk_cache_max(png, most_chunks);
  png_read_info(png, info);
  picture.height = png_get_image_height(png, info);
  picture.width = png_get_image_width(png, info);
  png_uint_32 length = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(png, info, &length, &exif) != 0) picture.orientation = exif_orientation({exif, length});
  if (!decodes || picture.height * picture.width > most_pixels) return true;
  ask_for_rgb(png);
  png_read_update_info(png, info);
  picture.pixels.resize(std::size_t{3} * picture.height * picture.width);
  rows.resize(picture.height);
  for (std::int64_t y = 0; y < picture.height; ++y) {
    rows[y] = picture.pixels.data() + std::size_t{3} * y * picture.width;
  }
  png_read_image(png, rows.data());
  static_cast<Source*>(png_get_io_ptr(png))->has_pixels = true;
  png_read_end(png, info);  // chunks behind the pixels: their checksums, and EXIF
  if (png_get_eXIf_1(png, info, &length, &exif) != 0) picture.orientation = exif_orientation({exif, length});
  return true;
}

}  // namespace

Picture decode_png(Bytes file, bool decodes) {
  Source source{file};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, fail_to_decode,
                                           [](png_structp, png_const_charp) {});
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  if (info == nullptr) throw BadImage("libpng has no memory");
  png_set_read_fn(png, &source, read_bytes);
  Picture picture;
  std::vector<png_bytep> rows;
  // A file may end behind its pixels, as a JPEG may.
  const bool done = decode(png, info, decodes, picture, rows) || (source.has_pixels && source.ended);
  png_destroy_read_struct(&png, &info, nullptr);
  if (!done) throw BadImage(std::string("it is a damaged PNG (") + source.message + ")");
  require_decodable(picture.height, picture.width);
  return picture;
}

}  // namespace adwp::data
