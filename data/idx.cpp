// IDX files, as MNIST has them (LeCun): big-endian magic and extents, then bytes. Images of one
// channel are given three equal ones, so that a network sees the same task as elsewhere.
#include <algorithm>

#include "data/readers.h"
#include "framework/core/error.h"

namespace adwp::data {
namespace {

std::uint32_t big_endian(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
         std::uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

// The bytes behind the header, whose extents are checked against the file's size.
std::vector<std::uint8_t> read_idx_file(const std::string& path, std::uint32_t rank,
                                        std::vector<std::int64_t>& extents) {
  std::vector<std::uint8_t> bytes = read_file(path, std::size_t{2} << 30);
  const std::size_t header = 4 + 4 * rank;
  if (bytes.size() < header || big_endian(bytes, 0) != (0x800u | rank)) {
    fail("data", "{} is not an IDX file of unsigned bytes with {} dimensions", path, rank);
  }
  std::int64_t product = 1;
  extents.clear();
  for (std::uint32_t axis = 0; axis < rank; ++axis) {
    extents.push_back(big_endian(bytes, 4 + 4 * axis));
    if (extents.back() > most_images) fail("data", "{} is damaged, got extent {}", path, extents.back());
    product *= std::max<std::int64_t>(extents.back(), 0);
    if (product > (std::int64_t{2} << 30)) fail("data", "{} is too large", path);
  }
  if (bytes.size() != header + product) {
    fail("data", "{} is truncated, got {} bytes, expected {}", path, bytes.size(), header + product);
  }
  bytes.erase(bytes.begin(), bytes.begin() + header);
  return bytes;
}

}  // namespace

LabelledImages read_idx(const std::string& directory, Split split) {
  const std::string prefix = directory + (split == Split::train ? "/train" : "/t10k");
  std::vector<std::int64_t> image_extents, label_extents;
  const auto grey = read_idx_file(prefix + "-images-idx3-ubyte", 3, image_extents);
  const auto labels = read_idx_file(prefix + "-labels-idx1-ubyte", 1, label_extents);
  if (image_extents[0] != label_extents[0] || image_extents[0] == 0 || image_extents[1] < 1 ||
      image_extents[1] > most_side || image_extents[2] < 1 || image_extents[2] > most_side) {
    fail("data",
         "{}-*: images and labels do not belong together, got {} images of {} x {} and {} "
         "labels",
         prefix, image_extents[0], image_extents[1], image_extents[2], label_extents[0]);
  }
  // A strip would grow to a square of its length: a small file, and memory without end.
  const std::int64_t shortest = std::min(image_extents[1], image_extents[2]);
  if (shortest < 4 || std::max(image_extents[1], image_extents[2]) > 4 * shortest) {
    fail("data", "{}-*: got images of {} x {} pixels, expected sides from 4, none over 4 times the other",
         prefix, image_extents[1], image_extents[2]);
  }
  // Centred on a square of a multiple of 4 pixels (28 -> 32): stages halve the size twice or more.
  const std::int64_t height = image_extents[1], width = image_extents[2];
  const std::int64_t longest = std::max(height, width);
  const std::int64_t side = (longest + 4 + 3) / 4 * 4;
  require_room(image_extents[0], side, side, 3);
  LabelledImages result;
  ImageSet& set = result.images;
  set.height = set.width = side;
  set.channels = 3;
  set.pixels.assign(image_extents[0] * side * side * 3, 0);
  const std::int64_t top = (side - height) / 2, left = (side - width) / 2;
  for (std::int64_t n = 0; n < image_extents[0]; ++n) {
    for (std::int64_t h = 0; h < height; ++h) {
      for (std::int64_t w = 0; w < width; ++w) {
        const std::uint8_t value = grey[(n * height + h) * width + w];
        const std::int64_t at = ((n * side + top + h) * side + left + w) * 3;
        std::fill_n(set.pixels.begin() + at, 3, value);
      }
    }
  }
  set.labels.assign(labels.begin(), labels.end());
  const int classes = *std::max_element(labels.begin(), labels.end()) + 1;
  for (int i = 0; i < classes; ++i) {
    result.classes.push_back(std::to_string(i));
  }
  return result;
}

}  // namespace adwp::data
