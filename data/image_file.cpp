#include "data/readers.h"

#include <cstdlib>
#include <memory>
#include <string_view>

#include "data/jpeg_check.h"
#include "framework/core/error.h"

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
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_MAX_DIMENSIONS 4096
#define STBI_NO_STDIO
#include <stb/stb_image.h>

namespace adwp::data {
namespace {

constexpr std::size_t header_bytes = std::size_t{1} << 20;  // enough to decode what is no pixel

}  // namespace

DecodedImage decode_image(const std::filesystem::path& path, int channels) {
  const std::vector<std::uint8_t> file = read_file(path.string(), most_file_bytes);
  const int length = file.size();
  int width = 0, height = 0, stored_channels = 0;
  most_bytes = header_bytes;
  const bool png = length > 0 && file[0] == 0x89;
  if (const std::string_view fault = png ? "" : jpeg_fault(file); !fault.empty()) {
    fail("data", "cannot use {}: {}", path.string(), fault);
  }
  if (!stbi_info_from_memory(file.data(), length, &width, &height, &stored_channels) || width < 1 ||
      height < 1 || width > most_side || height > most_side) {
    fail("data", "cannot use {}: not a PNG or JPEG image of at most {} x {} pixels", path.string(), most_side,
         most_side);
  }
  // At most 4 channels of 16 bits, a filter byte a row, in up to 7 passes; twice, as the buffer doubles.
  most_bytes = header_bytes + std::size_t{2 * 8} * (width + 8) * (height + 8);
  const std::unique_ptr<stbi_uc, void (*)(void*)> data(
      stbi_load_from_memory(file.data(), length, &width, &height, &stored_channels, channels),
      stbi_image_free);
  if (!data) {
    const char* reason = stbi_failure_reason();
    fail("data", "cannot decode {}: {}", path.string(), reason == nullptr ? "damaged" : reason);
  }
  const std::size_t bytes = std::size_t{1} * width * height * channels;
  return {height, width, {data.get(), data.get() + bytes}};
}

std::vector<std::uint8_t> read_image(const std::filesystem::path& path, int channels, std::int64_t size) {
  DecodedImage image = decode_image(path, channels);
  if (image.height == size && image.width == size) return std::move(image.pixels);
  return resize(image.pixels.data(), image.height, image.width, channels, size);
}

}  // namespace adwp::data
