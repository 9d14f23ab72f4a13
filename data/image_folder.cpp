// DIR/train/CLASS/*.png|jpg|jpeg and DIR/test/CLASS/...
#include <algorithm>
#include <exception>
#include <filesystem>
#include <thread>

#include "data/readers.h"
#include "framework/core/error.h"

namespace adwp::data {
namespace {

namespace fs = std::filesystem;

bool is_image(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
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
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code no_directory;
    const bool wanted = folders ? entries->is_directory(no_directory) : is_image(entries->path());
    if (wanted) paths.push_back(entries->path());
  }
  if (error) fail("data", "cannot read the folder {}: {}", folder.string(), error.message());
  std::sort(paths.begin(), paths.end());
  return paths;
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
    const std::int32_t label = result.classes.size();
    result.classes.push_back(folder.filename().string());
    files.insert(files.end(), images.begin(), images.end());
    set.labels.insert(set.labels.end(), images.size(), label);
    if (std::ssize(files) > most_images || label >= most_classes) {
      fail("data", "{} is too large, got {} images in {} classes", root.string(), files.size(), label + 1);
    }
  }
  if (files.empty()) fail("data", "{} holds no class folders with images", root.string());

  const DecodedImage first = decode_image(files.front(), 3);
  const std::int64_t side =
      size > 0 ? size : std::min<std::int64_t>(std::max(first.height, first.width), 512);
  set.height = set.width = side;
  set.channels = 3;
  require_room(std::ssize(files), side, side, 3);
  set.pixels.resize(files.size() * set.image_bytes());
  on_all_cores(files.size(), [&](std::size_t i) {
    const std::vector<std::uint8_t> pixels = read_image(files[i], 3, side);
    std::copy(pixels.begin(), pixels.end(), set.pixels.begin() + i * set.image_bytes());
  });
  return result;
}

}  // namespace adwp::data
