// JPEG through libjpeg.
#include <csetjmp>
#include <cstdio>
// libjpeg's header wants FILE and size_t declared before it.
#include <jpeglib.h>
// And the numbers of its messages.
#include <jerror.h>

#include <algorithm>
#include <memory>

#include "data/decoders/decoder.h"
#include "data/jpeg_check.h"

namespace adwp::data {
namespace {

// libjpeg calls error_exit, which must not return, and emit_message for warnings, some of which say that
// pixels are lost.
struct Errors {
  jpeg_error_mgr manager;
  std::jmp_buf failed;
  char message[JMSG_LENGTH_MAX] = {};
};

void fail_to_decode(j_common_ptr jpeg) {
  Errors& errors = *reinterpret_cast<Errors*>(jpeg->err);
  jpeg->err->format_message(jpeg, errors.message);
  std::longjmp(errors.failed, 1);
}

// The rest is harmless: bytes between segments, a missing end where all pixels are there, odd versions.
bool pixels_are_lost(int warning) {
  return warning == JWRN_HIT_MARKER || warning == JWRN_HUFF_BAD_CODE || warning == JWRN_MUST_RESYNC ||
         warning == JWRN_ARITH_BAD_CODE;
}

void take_message(j_common_ptr jpeg, int level) {
  if (level >= 0 || !pixels_are_lost(jpeg->err->msg_code)) return;  // level -1: a warning
  Errors& errors = *reinterpret_cast<Errors*>(jpeg->err);
  std::snprintf(errors.message, sizeof errors.message, "%s",
                jpeg->err->msg_code == JWRN_HIT_MARKER ? "truncated: pixels are missing"
                                                       : "its pixel data are not what was written");
  std::longjmp(errors.failed, 1);
}

// Inverted, as Adobe's programs write CMYK, and everyone reads it.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::int64_t width, std::uint8_t* rgb) {
  for (std::int64_t x = 0; x < width; ++x) {
    const int black = cmyk[4 * x + 3];
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - cmyk[4 * x + c]) * black + 128;
      rgb[3 * x + c] = std::max(0, black - ((product >> 8) + product) / 256);
    }
  }
}

int orientation_of(const jpeg_decompress_struct& jpeg) {
  constexpr std::uint8_t name[] = {'E', 'x', 'i', 'f', 0, 0};
  for (jpeg_saved_marker_ptr marker = jpeg.marker_list; marker != nullptr; marker = marker->next) {
    const Bytes data(marker->data, marker->data_length);
    if (data.size() > sizeof name && std::equal(std::begin(name), std::end(name), data.begin())) {
      return exif_orientation(data.subspan(sizeof name));
    }
  }
  return 1;
}

void read_pixels(jpeg_decompress_struct& jpeg, Picture& picture, std::vector<std::uint8_t>& line) {
  const bool cmyk = jpeg.out_color_space == JCS_CMYK;
  while (jpeg.output_scanline < jpeg.output_height) {
    std::uint8_t* row = picture.pixels.data() + std::size_t{3} * jpeg.output_scanline * picture.width;
    std::uint8_t* target = cmyk ? line.data() : row;
    jpeg_read_scanlines(&jpeg, &target, 1);
    if (cmyk) cmyk_to_rgb(line.data(), picture.width, row);
  }
  jpeg_finish_decompress(&jpeg);
}

// False: errors.message says why not. Objects with a destructor live in the caller: longjmp skips them.
bool decode(Bytes file, bool decodes, jpeg_decompress_struct& jpeg, Errors& errors, Picture& picture,
            std::vector<std::uint8_t>& line) {
  if (setjmp(errors.failed) != 0) return false;
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, file.data(), file.size());
  jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&jpeg, TRUE);
  picture.height = jpeg.image_height;
  picture.width = jpeg.image_width;
  picture.orientation = orientation_of(jpeg);
  if (!decodes || picture.height * picture.width > most_pixels) return true;
  const bool cmyk = jpeg.num_components == 4;
  jpeg.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&jpeg);
  picture.pixels.resize(std::size_t{3} * picture.height * picture.width);
  if (cmyk) line.resize(std::size_t{4} * picture.width);
  read_pixels(jpeg, picture, line);
  return true;
}

}  // namespace

Picture decode_jpeg(Bytes file, bool decodes) {
  if (const std::string_view fault = jpeg_fault(file); !fault.empty()) throw BadImage(std::string(fault));
  Errors errors;
  jpeg_decompress_struct jpeg{};
  jpeg.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = fail_to_decode;
  errors.manager.emit_message = take_message;
  const std::unique_ptr<jpeg_decompress_struct, void (*)(jpeg_decompress_struct*)> owner(
      &jpeg, [](jpeg_decompress_struct* used) { jpeg_destroy_decompress(used); });
  Picture picture;
  std::vector<std::uint8_t> line;
  if (!decode(file, decodes, jpeg, errors, picture, line))
    throw BadImage(std::string("it is a damaged JPEG (") + errors.message + ")");
  require_decodable(picture.height, picture.width);
  return picture;
}

}  // namespace adwp::data
