#include "tests/support/images.h"

#include <fstream>
#include <vector>

#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>

namespace adwp::test {
namespace {

void put_big_endian(std::ofstream& file, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>(value >> shift & 0xff));
}

}  // namespace

void write_png(const std::filesystem::path& path, int width, int height, int level) {
  std::filesystem::create_directories(path.parent_path());
  const std::vector<unsigned char> pixels(static_cast<std::size_t>(width * height * 3),
                                          static_cast<unsigned char>(level));
  stbi_write_png(path.c_str(), width, height, 3, pixels.data(), width * 3);
}

void write_cifar(const std::filesystem::path& path, int count, int batch) {
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < count; ++i) {
    file.put(static_cast<char>(i % 10));
    for (int c = 0; c < 3; ++c) {
      for (int p = 0; p < 1024; ++p) file.put(static_cast<char>(batch + c));
    }
  }
}

void write_idx(const std::filesystem::path& folder, const std::string& prefix, int count, int height,
               int width) {
  std::ofstream images(folder / (prefix + "-images-idx3-ubyte"), std::ios::binary);
  put_big_endian(images, 0x803);
  for (int extent : {count, height, width}) put_big_endian(images, static_cast<std::uint32_t>(extent));
  for (int i = 0; i < count * height * width; ++i) images.put(static_cast<char>(i % 251));
  std::ofstream labels(folder / (prefix + "-labels-idx1-ubyte"), std::ios::binary);
  put_big_endian(labels, 0x801);
  put_big_endian(labels, static_cast<std::uint32_t>(count));
  for (int i = 0; i < count; ++i) labels.put(static_cast<char>(i % 10));
}

}  // namespace adwp::test
