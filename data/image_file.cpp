#include "data/image_file.h"

#include <memory>

#include "data/readers.h"
#include "framework/core/error.h"

#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_MAX_DIMENSIONS 4096
#define STBI_NO_STDIO
#include <stb/stb_image.h>

namespace adwp::data {

DecodedImage decode_image(const std::filesystem::path& path, int channels) {
  const std::vector<std::uint8_t> file = read_file(path.string(), most_file_bytes);
  const auto length = static_cast<int>(file.size());
  int width = 0, height = 0, stored_channels = 0;
  if (!stbi_info_from_memory(file.data(), length, &width, &height, &stored_channels) || width < 1 ||
      height < 1 || width > most_side || height > most_side) {
    fail("data", "cannot use {}: not a PNG or JPEG image of at most {} x {} pixels", path.string(), most_side,
         most_side);
  }
  const std::unique_ptr<stbi_uc, void (*)(void*)> data(
      stbi_load_from_memory(file.data(), length, &width, &height, &stored_channels, channels),
      stbi_image_free);
  if (!data) fail("data", "cannot decode {}: {}", path.string(), stbi_failure_reason());
  const std::size_t bytes =
      static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * static_cast<std::size_t>(channels);
  return {height, width, {data.get(), data.get() + bytes}};
}

std::vector<std::uint8_t> read_image(const std::filesystem::path& path, int channels, std::int64_t size) {
  DecodedImage image = decode_image(path, channels);
  if (image.height == size && image.width == size) return std::move(image.pixels);
  return resize(image.pixels.data(), image.height, image.width, channels, size);
}

}  // namespace adwp::data
