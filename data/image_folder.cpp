// DIR/train/CLASS/*.png|jpg|jpeg and DIR/test/CLASS/..., decoded by stb_image.
#include <algorithm>
#include <exception>
#include <filesystem>
#include <memory>
#include <thread>

#include "data/readers.h"
#include "framework/core/error.h"

#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_MAX_DIMENSIONS 4096
#define STBI_NO_STDIO
#include <stb/stb_image.h>

namespace adwp::data {
namespace {

namespace fs = std::filesystem;

bool is_image(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

std::vector<fs::path> sorted_entries(const fs::path& folder, bool folders) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) {
    fail("data", "cannot read the folder {}: {}; expected DIR/train/CLASS/*.png|jpg", folder.string(),
         error.message());
  }
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : entries) {
    if (folders ? entry.is_directory(error) : is_image(entry.path())) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

struct Decoded {
  int height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // (height, width, 3)
};

Decoded decode(const fs::path& path) {
  const std::vector<std::uint8_t> file = read_file(path.string(), most_file_bytes);
  const auto length = static_cast<int>(file.size());
  int width = 0, height = 0, channels = 0;
  if (!stbi_info_from_memory(file.data(), length, &width, &height, &channels) || width < 1 || height < 1 ||
      width > most_side || height > most_side) {
    fail("data", "cannot use {}: not a PNG or JPEG image of at most {} x {} pixels", path.string(), most_side,
         most_side);
  }
  const std::unique_ptr<stbi_uc, void (*)(void*)> data(
      stbi_load_from_memory(file.data(), length, &width, &height, &channels, 3), stbi_image_free);
  if (!data) fail("data", "cannot decode {}: {}", path.string(), stbi_failure_reason());
  return {height, width, {data.get(), data.get() + std::size_t{3} * width * height}};
}

// body(i) for 0 .. n on all cores; the first exception is thrown again.
template <typename Body>
void on_all_cores(std::size_t n, Body&& body) {
  const std::size_t workers = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 16);
  std::vector<std::exception_ptr> errors(workers);
  std::vector<std::thread> threads;
  for (std::size_t worker = 0; worker < workers; ++worker) {
    threads.emplace_back([&, worker] {
      try {
        for (std::size_t i = worker; i < n; i += workers) body(i);
      } catch (...) {
        errors[worker] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace

LabelledImages read_folder(const std::string& directory, Split split, std::int64_t size) {
  const fs::path root = fs::path(directory) / (split == Split::train ? "train" : "test");
  LabelledImages result;
  ImageSet& set = result.images;
  std::vector<fs::path> files;
  for (const fs::path& folder : sorted_entries(root, true)) {
    const std::vector<fs::path> images = sorted_entries(folder, false);
    if (images.empty()) fail("data", "the class folder {} holds no PNG or JPEG", folder.string());
    const auto label = static_cast<std::int32_t>(result.classes.size());
    result.classes.push_back(folder.filename().string());
    files.insert(files.end(), images.begin(), images.end());
    set.labels.insert(set.labels.end(), images.size(), label);
    if (static_cast<std::int64_t>(files.size()) > most_images || label >= most_classes) {
      fail("data", "{} is too large, got {} images in {} classes", root.string(), files.size(), label + 1);
    }
  }
  if (files.empty()) fail("data", "{} holds no class folders with images", root.string());

  const Decoded first = decode(files.front());
  const std::int64_t side =
      size > 0 ? size : std::min<std::int64_t>(std::max(first.height, first.width), 512);
  set.height = set.width = side;
  set.channels = 3;
  set.pixels.resize(files.size() * static_cast<std::size_t>(set.image_bytes()));
  on_all_cores(files.size(), [&](std::size_t i) {
    Decoded image = decode(files[i]);
    if (image.height != side || image.width != side) {
      image.pixels = resize(image.pixels.data(), image.height, image.width, 3, side);
    }
    std::copy(image.pixels.begin(), image.pixels.end(),
              set.pixels.begin() + static_cast<std::ptrdiff_t>(i) * set.image_bytes());
  });
  return result;
}

}  // namespace adwp::data
