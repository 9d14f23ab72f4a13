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

// A little-endian number; zero beyond the end.
std::uint32_t number(Bytes file, std::size_t at, int bytes) {
  std::uint32_t value = 0;
  for (int i = bytes; i-- > 0;) value = value << 8 | (at + i < file.size() ? file[at + i] : 0);
  return value;
}

// What stb_image reads as black is refused: rows that the file lacks.
void require_whole_bmp(Bytes file) {
  const std::size_t pixels = number(file, 10, 4), header = number(file, 14, 4);
  const bool old = header == 12;  // OS/2's, of 16-bit sides
  const std::size_t width = number(file, 18, old ? 2 : 4), bits = number(file, old ? 24 : 28, 2);
  const std::size_t height =
      old ? number(file, 20, 2)
          : std::abs(static_cast<std::int64_t>(static_cast<std::int32_t>(number(file, 22, 4))));
  const std::uint32_t compression = old ? 0 : number(file, 30, 4);
  if (compression == 1 || compression == 2) {
    throw BadImage("it is a BMP compressed by run lengths, which is not read; convert it to PNG");
  }
  require_decodable(height, width);
  if (file.size() < pixels || file.size() - pixels < (width * bits + 31) / 32 * 4 * height) {
    throw BadImage("it is a truncated BMP: pixels are missing; copy or download it again");
  }
}

// A GIF's blocks up to the end of the first picture's data.
void require_whole_gif(Bytes file) {
  enum Block { extension = 0x21, picture = 0x2C };
  const auto table_bytes = [](int flags) {
    return (flags & 0x80) != 0 ? std::size_t{3} << ((flags & 7) + 1) : 0;
  };
  std::size_t at = 13 + table_bytes(number(file, 10, 1));
  bool whole = false;
  for (bool found = false; !found && at < file.size();) {
    const int block = file[at];
    if (block != extension && block != picture) return;  // the decoder says what is wrong
    found = block == picture;
    at += found ? 11 + table_bytes(number(file, at + 9, 1)) : 2;
    std::size_t length = 1;  // of a part of the block's data; the last one has none
    while (length > 0 && at < file.size()) {
      length = file[at];
      at += 1 + length;
    }
    whole = found && length == 0;
  }
  if (!whole) {
    throw BadImage("it is a truncated GIF: pixels are missing; copy or download it again");
  }
}

}  // namespace

Picture decode_other(Bytes file, bool decodes) {
  const int length = file.size();
  int width = 0, height = 0, stored_channels = 0;
  most_bytes = header_bytes;
  if (file[0] == 0xFF) {
    if (const std::string_view fault = jpeg_fault(file); !fault.empty()) throw BadImage(std::string(fault));
  }
  if (file[0] == 'B') require_whole_bmp(file);
  if (file[0] == 'G') require_whole_gif(file);
  if (!stbi_info_from_memory(file.data(), length, &width, &height, &stored_channels)) {
    throw BadImage(std::string("it is damaged, or of a kind that is not read (") + stbi_failure_reason() +
                   ")");
  }
  height = std::abs(height);  // a BMP's is negative where its first row is the upper one
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
