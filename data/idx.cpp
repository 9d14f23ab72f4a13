// IDX files, as MNIST has them (LeCun): big-endian magic and extents, then bytes. Images of one
// channel are given three equal ones, so that a network sees the same task as elsewhere.
#include <algorithm>
#include <filesystem>
#include <set>

#ifdef ADWP_HAS_ZLIB
#include <zlib.h>
#endif

#include "data/readers.h"
#include "framework/core/error.h"

namespace adwp::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_idx_bytes = std::size_t{2} << 30;

// DIR/[NAME-](train|t10k|test)-(images|labels)[-.]idxN-ubyte[.gz], as MNIST, EMNIST and their kin come.
std::string find_file(const std::string& directory, Split split, const char* what, int rank) {
  const std::vector<std::string> parts =
      split == Split::train ? std::vector<std::string>{"train"} : std::vector<std::string>{"t10k", "test"};
  const auto fits = [&](const std::string& name) {
    for (const std::string& part : parts) {
      for (const char* joint : {"-", "."}) {
        const std::string stem = fmt::format("{}-{}{}idx{}-ubyte", part, what, joint, rank);
        for (const std::string& whole : {stem, stem + ".gz"}) {
          if (name == whole || name.ends_with("-" + whole)) return true;
        }
      }
    }
    return false;
  };
  std::vector<std::string> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.') && fits(name)) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  const std::string expected = fmt::format("{}/{}-{}-idx{}-ubyte", directory, parts.front(), what, rank);
  if (found.empty()) {
    fail("data", "no such file, got {}[.gz]; {}", expected, what_lies_in(directory));
  }
  if (found.size() == 2 && found[1] == found[0] + ".gz") found.pop_back();  // unpacked beside it
  if (found.size() > 1) {
    fail("data", "{} holds {} and {}, expected one of them; keep each data set in a folder of its own",
         directory, found[0], found[1]);
  }
  return directory + "/" + found.front();
}

#ifdef ADWP_HAS_ZLIB
std::vector<std::uint8_t> read_packed(const std::string& path) {
  const gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) fail("data", "cannot read {}", path);
  std::vector<std::uint8_t> bytes;
  int count = 1;
  while (count > 0 && bytes.size() <= most_idx_bytes) {
    const std::size_t before = bytes.size();
    bytes.resize(before + (std::size_t{1} << 20));
    count = gzread(file, bytes.data() + before, 1 << 20);
    bytes.resize(before + std::max(count, 0));
  }
  const bool whole = gzclose(file) == Z_OK && count == 0;
  if (bytes.size() > most_idx_bytes) fail("data", "cannot use {}: it unpacks to over 2 GiB", path);
  if (!whole) fail("data", "cannot use {}: it is damaged or truncated (gzip)", path);
  return bytes;
}
#endif

std::vector<std::uint8_t> read_bytes(const std::string& path) {
  std::vector<std::uint8_t> bytes = read_file(path, most_idx_bytes);
  if (bytes.size() < 2 || bytes[0] != 0x1F || bytes[1] != 0x8B) return bytes;
#ifdef ADWP_HAS_ZLIB
  return read_packed(path);
#else
  fail("data", "cannot use {}: it is compressed by gzip; gunzip it", path);
#endif
}

std::uint32_t big_endian(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
         std::uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

// The bytes behind the header, whose extents are checked against the file's size.
std::vector<std::uint8_t> read_idx_file(const std::string& path, std::uint32_t rank,
                                        std::vector<std::int64_t>& extents) {
  std::vector<std::uint8_t> bytes = read_bytes(path);
  const std::size_t header = 4 + 4 * rank;
  if (bytes.size() < header || big_endian(bytes, 0) != (0x800u | rank)) {
    const std::vector<std::uint8_t> head(bytes.begin(),
                                         bytes.begin() + std::min<std::size_t>(bytes.size(), 512));
    const bool is_idx =
        bytes.size() >= 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 8 && bytes[2] <= 14;
    fail("data", "{} is not an IDX file of unsigned bytes with {} dimensions; it is {}", path, rank,
         !is_idx ? kind_of_file(head)
                 : fmt::format("one of type 0x{:02x} (0x08: unsigned bytes) with {} dimensions", bytes[2],
                               bytes[3]));
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
    fail("data", "{} is {}, got {} bytes, expected {}; download it again", path,
         bytes.size() < header + product ? "truncated" : "too long", bytes.size(), header + product);
  }
  bytes.erase(bytes.begin(), bytes.begin() + header);
  return bytes;
}

// Grey (count, height, width) on black squares of a multiple of 4 pixels (28 -> 32): stages halve the size
// twice or more.
ImageSet on_squares(const std::vector<std::uint8_t>& grey, const std::vector<std::int64_t>& extents) {
  const std::int64_t count = extents[0], height = extents[1], width = extents[2];
  const std::int64_t side = (std::max(height, width) + 4 + 3) / 4 * 4;
  require_room(count, side, side, 3);
  ImageSet set{.height = side, .width = side, .channels = 3};
  set.pixels.assign(count * side * side * 3, 0);
  const std::int64_t top = (side - height) / 2, left = (side - width) / 2;
  for (std::int64_t n = 0; n < count; ++n) {
    for (std::int64_t h = 0; h < height; ++h) {
      for (std::int64_t w = 0; w < width; ++w) {
        const std::uint8_t value = grey[(n * height + h) * width + w];
        const std::int64_t at = ((n * side + top + h) * side + left + w) * 3;
        std::fill_n(set.pixels.begin() + at, 3, value);
      }
    }
  }
  return set;
}

// The label that classes.txt, with so many names, names first: 0, or 1 where no training image has 0 and the
// highest label is as high as there are names.
std::size_t first_named(const std::string& directory, std::size_t names) {
  std::vector<std::int64_t> extents;
  const auto labels = read_idx_file(find_file(directory, Split::train, "labels", 1), 1, extents);
  if (labels.empty()) return 0;
  const auto [least, most] = std::minmax_element(labels.begin(), labels.end());
  return *least > 0 && names == *most ? 1 : 0;
}

// The class of each label that occurs; labels may start at 1 and have gaps.
std::vector<std::string> names_of(const std::set<std::uint8_t>& labels, const std::string& directory) {
  const std::vector<std::string> names = read_names(directory + "/classes.txt");
  const std::size_t first = names.empty() ? 0 : first_named(directory, names.size());
  std::vector<std::string> classes;
  for (const std::uint8_t label : labels) {
    if (names.empty()) {
      classes.push_back(std::to_string(label));
    } else if (label >= first && label - first < names.size()) {
      classes.push_back(names[label - first]);
    } else {
      fail("data", "{}/classes.txt names {} classes, got label {}; its first line names label {}", directory,
           names.size(), label, first);
    }
  }
  return classes;
}

}  // namespace

Listing list_idx(const std::string& directory, Split split) {
  std::vector<std::int64_t> image_extents, label_extents;
  const std::string path = find_file(directory, split, "images", 3);
  const auto grey = read_idx_file(path, 3, image_extents);
  const auto labels = read_idx_file(find_file(directory, split, "labels", 1), 1, label_extents);
  if (image_extents[0] != label_extents[0] || image_extents[0] == 0 || image_extents[1] < 1 ||
      image_extents[1] > most_side || image_extents[2] < 1 || image_extents[2] > most_side) {
    fail("data",
         "{}: images and labels do not belong together, got {} images of {} x {} and {} "
         "labels",
         path, image_extents[0], image_extents[1], image_extents[2], label_extents[0]);
  }
  // A strip would grow to a square of its length: a small file, and memory without end.
  const std::int64_t shortest = std::min(image_extents[1], image_extents[2]);
  if (shortest < 4 || std::max(image_extents[1], image_extents[2]) > 4 * shortest) {
    fail("data", "{}: got images of {} x {} pixels, expected sides from 4, none over 4 times the other", path,
         image_extents[1], image_extents[2]);
  }
  ImageSet set = on_squares(grey, image_extents);
  const std::set<std::uint8_t> occurring(labels.begin(), labels.end());
  for (const std::uint8_t label : labels) {
    set.labels.push_back(std::distance(occurring.begin(), occurring.find(label)));
  }
  return listing_of(std::move(set), names_of(occurring, directory));
}

}  // namespace adwp::data
