// Listings of images that lie in memory, and names of classes.
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>

#ifdef ADWP_HAS_UTF8PROC
#include <utf8proc.h>
#endif

#include "data/readers.h"
#include "framework/core/error.h"
#include "framework/core/fnv.h"

namespace adwp::data {
namespace {

ReadImages read_from(const ImageSet& set, const MakeImage& make, std::span<const std::int32_t> indices,
                     std::int64_t size, Inventory& inventory) {
  if (size == 0 && set.height != set.width) {
    fail("data", "images must be square, got {} x {}; give ?size=PIXELS", set.height, set.width);
  }
  const std::int64_t side = size > 0 ? size : set.height;
  require_room(std::ssize(indices), side, side, set.channels);
  ReadImages result;
  result.images = {.height = side, .width = side, .channels = set.channels};
  result.images.pixels.reserve(indices.size() * result.images.image_bytes());
  std::vector<std::uint8_t> made(make ? set.image_bytes() : 0);
  for (const std::int32_t index : indices) {
    if (make) make(index, made.data());
    const std::uint8_t* image = make ? made.data() : set.pixels.data() + index * set.image_bytes();
    std::vector<std::uint8_t>& pixels = result.images.pixels;
    if (side == set.height && side == set.width) {
      pixels.insert(pixels.end(), image, image + set.image_bytes());
    } else {
      const auto resized = resize(image, set.height, set.width, set.channels, side);
      pixels.insert(pixels.end(), resized.begin(), resized.end());
    }
    result.images.labels.push_back(set.labels[index]);
  }
  result.indices.assign(indices.begin(), indices.end());
  inventory.sizes[{set.height, set.width}] += std::ssize(indices);
  return result;
}

}  // namespace

Listing listing_of(ImageSet images, std::vector<std::string> classes, MakeImage make) {
  Listing listing;
  listing.labels = images.labels;
  for (const std::string& name : classes) listing.inventory.classes.push_back({name, 0});
  for (const std::int32_t label : images.labels) ++listing.inventory.classes[label].images;
  listing.classes = std::move(classes);
  listing.read = [set = std::make_shared<const ImageSet>(std::move(images)), make = std::move(make)](
                     std::span<const std::int32_t> indices, std::int64_t size, Inventory& inventory,
                     const Reading&) { return read_from(*set, make, indices, size, inventory); };
  return listing;
}

std::string normal_name(const std::string& name) {
#ifdef ADWP_HAS_UTF8PROC
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(name.c_str());
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> normal(utf8proc_NFC(bytes), std::free);
  if (normal) return reinterpret_cast<const char*>(normal.get());
#endif
  return name;
}

std::vector<std::string> read_names(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  const std::vector<std::uint8_t> bytes = read_file(path.string(), std::size_t{1} << 20);
  std::string text(bytes.begin(), bytes.end());
  if (text.find('\0') != text.npos) {
    fail("data", "{}: not a list of names in UTF-8 but {}; save it as UTF-8", path.string(),
         text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") ? "UTF-16" : "with zero bytes");
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);  // what some editors put before UTF-8
  std::vector<std::string> names;
  std::map<std::string, std::size_t> line_of;
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find_first_of("\r\n", at), text.size());
    const std::string whole = text.substr(at, end - at);
    at = end + (text.compare(end, 2, "\r\n") == 0 ? 2 : 1);
    const std::size_t first = whole.find_first_not_of(" \t"), last = whole.find_last_not_of(" \t");
    if (first == whole.npos) continue;
    names.push_back(normal_name(whole.substr(first, last - first + 1)));
    const auto [known, is_new] = line_of.emplace(names.back(), line + 1);
    if (!is_new) {
      fail("data", "{}:{}: '{}' stands in line {} too, expected each class once", path.string(), line + 1,
           names.back(), known->second);
    }
  }
  return names;
}

std::vector<std::uint64_t> pixel_hashes(const ImageSet& set) {
  std::vector<std::uint64_t> hashes(set.count());
  for (std::int64_t n = 0; n < set.count(); ++n) {
    hashes[n] = fnv1a(std::as_bytes(std::span(set.pixels).subspan(n * set.image_bytes(), set.image_bytes())));
  }
  return hashes;
}

}  // namespace adwp::data
