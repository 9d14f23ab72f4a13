// BMP and GIF, and JPEG and PNG where their libraries are missing, through stb_image.
#include <cstdlib>
#include <memory>

#include "data/decoders/decoder.h"
#include "data/jpeg_check.h"

namespace {

// stb_image makes room for as much as a PNG's compressed stream gives, whatever the image's size. What one
// allocation may take is set by the image at hand. It comes zeroed: of a damaged JPEG, tables and pixels are
// used that were never there, and a file must read the same each time.
thread_local std::size_t most_bytes = 0;

void* allocate(std::size_t bytes) { return bytes <= most_bytes ? std::calloc(bytes, 1) : nullptr; }
void* reallocate(void* old, std::size_t bytes) {
  return bytes <= most_bytes ? std::realloc(old, bytes) : nullptr;
}

}  // namespace

#define STBI_ASSERT(condition)  // some do not hold for damaged files; the code behind them copes
#define STBI_MALLOC(bytes) allocate(bytes)
#define STBI_REALLOC(old, bytes) reallocate(old, bytes)
#define STBI_FREE(old) std::free(old)
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_MAX_DIMENSIONS (1 << 20)
#define STBI_NO_STDIO
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>

namespace adwp::data {
namespace {

constexpr std::size_t header_bytes = std::size_t{1} << 20;  // enough to decode what is no pixel

}  // namespace

Picture decode_other(Bytes file, bool decodes) {
  const int length = file.size();
  int width = 0, height = 0, stored_channels = 0;
  most_bytes = header_bytes;
  if (file[0] == 0xFF) {
    if (const std::string_view fault = jpeg_fault(file); !fault.empty()) throw BadImage(std::string(fault));
  }
  if (!stbi_info_from_memory(file.data(), length, &width, &height, &stored_channels)) {
    throw BadImage(stbi_failure_reason());
  }
  require_decodable(height, width);
  Picture picture{.height = height, .width = width};
  if (!decodes) return picture;
  // At most 4 channels of 16 bits, a filter byte a row, in up to 7 passes; twice, as the buffer doubles.
  most_bytes = header_bytes + std::size_t{2 * 8} * (width + 8) * (height + 8);
  const std::unique_ptr<stbi_uc, void (*)(void*)> data(
      stbi_load_from_memory(file.data(), length, &width, &height, &stored_channels, 3), stbi_image_free);
  if (!data) throw BadImage(std::string("it is damaged (") + stbi_failure_reason() + ")");
  picture.pixels.assign(data.get(), data.get() + std::size_t{3} * width * height);
  return picture;
}

}  // namespace adwp::data
