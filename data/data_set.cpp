#include "data/data_set.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <set>
#include <unordered_set>

#include <fmt/ranges.h>

#include "data/readers.h"
#include "data/split.h"
#include "data/test_split.h"
#include "framework/core/error.h"
#include "framework/core/fnv.h"
#include "framework/io/atomic_file.h"

namespace adwp::data {
namespace {

// The images with these numbers, in order.
ImageSet pick(const ImageSet& from, const std::vector<std::int32_t>& images) {
  ImageSet set{.height = from.height, .width = from.width, .channels = from.channels};
  set.pixels.reserve(images.size() * from.image_bytes());
  for (const std::int32_t image : images) {
    const auto begin = from.pixels.begin() + image * from.image_bytes();
    set.pixels.insert(set.pixels.end(), begin, begin + from.image_bytes());
    set.labels.push_back(from.labels[image]);
  }
  return set;
}

PixelNorm measure(const ImageSet& set) {
  PixelNorm norm;
  std::vector<double> sum(set.channels), square(sum);
  for (std::size_t i = 0; i < set.pixels.size(); ++i) {
    const double value = set.pixels[i] / 255.0;
    const std::size_t channel = i % set.channels;
    sum[channel] += value;
    square[channel] += value * value;
  }
  const double values = set.pixels.size(), count = values / set.channels;
  for (std::size_t c = 0; c < sum.size(); ++c) {
    const double mean = sum[c] / count;
    norm.mean[c] = mean;
    norm.deviation[c] = std::max(std::sqrt(std::max(square[c] / count - mean * mean, 0.0)), 1e-3);
  }
  return norm;
}

// Names of classes, the first of many.
std::string some_of(const std::vector<std::string>& classes) {
  constexpr std::size_t most = 8;
  if (classes.size() <= most) return fmt::format("{}", fmt::join(classes, ", "));
  return fmt::format("{}, ... ({} classes)", fmt::join(classes.begin(), classes.begin() + most, ", "),
                     classes.size());
}

void require_classes(const DataSpec& spec, const std::vector<Inventory::Class>& classes) {
  for (const Inventory::Class& c : classes) {
    if (c.images == 0) {
      fail("data",
           "{}: class '{}' has no training image, expected 2 or more; give it some or take it from the data "
           "set",
           spec.text, c.name);
    }
  }
}

// With ?skip-bad there may be none.
void require_readable(const ReadImages& read, std::size_t wanted) {
  if (read.indices.empty()) {
    fail("data", "none of {} images can be decoded; inspect --data says why of each", wanted);
  }
}

}  // namespace

std::string what_lies_in(const std::filesystem::path& folder) {
  constexpr std::size_t most = 6;
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return fmt::format("{}: {}", folder.string(), error.message());
  if (names.empty()) return fmt::format("{} is empty", folder.string());
  std::sort(names.begin(), names.end());
  const std::size_t shown = std::min(names.size(), most);
  return fmt::format("{} holds {}{}", folder.string(), fmt::join(names.begin(), names.begin() + shown, ", "),
                     names.size() > shown ? fmt::format(" and {} more", names.size() - shown) : "");
}

std::vector<std::uint8_t> read_file(const std::string& path, std::size_t most) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    fail("data", "cannot use {}: {}", path, io::why_no_file(path));
  }
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  if (size > most) fail("data", "cannot use {}, got {} bytes, expected at most {}", path, size, most);
  return io::read_bytes(path, most);
}

void require_room(std::int64_t count, std::int64_t height, std::int64_t width, std::int64_t channels) {
  const std::int64_t image = height * width * channels;  // sides are bounded: no overflow
  if (image > 0 && count > most_set_bytes / image) {
    fail(
        "data",
        "the data set is too large, got {} images of {} x {} pixels, expected at most {} GiB; give a smaller "
        "?limit=N or ?size=PIXELS",
        count, height, width, most_set_bytes >> 30);
  }
}

Listing list_split(const DataSpec& spec, Split split) {
  switch (spec.kind) {
    case DataSpec::Kind::synthetic:
      return list_synthetic(split == Split::train ? spec.synthetic_images
                                                  : std::max<std::int64_t>(spec.synthetic_images / 5, 10),
                            split);
    case DataSpec::Kind::cifar10:
      return list_cifar(spec.directory, false, split);
    case DataSpec::Kind::cifar100:
      return list_cifar(spec.directory, true, split);
    case DataSpec::Kind::folder:
      return list_folder(spec, split);
    case DataSpec::Kind::idx:
      return list_idx(spec.directory, split);
  }
  fail("data", "unknown kind of data set");
}

TrainingData load_training_data(const DataSpec& spec, std::uint64_t seed, double validation_fraction,
                                const Reading& reading) {
  Listing listing = list_split(spec, Split::train);
  require_classes(spec, listing.inventory.classes);
  TrainingData data;
  data.name = spec.text;
  data.classes = listing.classes;
  data.inventory = std::move(listing.inventory);
  std::vector<std::int32_t> chosen;  // what the limit cut away is not read
  for (const auto& members : chosen_by_class(listing, spec.limit, seed)) {
    chosen.insert(chosen.end(), members.begin(), members.end());
  }
  const ReadImages read = listing.read(chosen, spec.size, data.inventory, reading);
  require_readable(read, chosen.size());
  std::vector<std::vector<std::int32_t>> members(data.classes.size());
  for (std::int64_t n = 0; n < read.images.count(); ++n) members[read.images.labels[n]].push_back(n);
  const SplitImages split =
      split_by_class(members, pixel_hashes(read.images), data.classes, seed, validation_fraction);
  data.train = pick(read.images, split.train);
  data.validation = pick(read.images, split.validation);
  data.duplicates = split.duplicates;
  data.norm = measure(data.train);
  return data;
}

bool has_test_split(const DataSpec& spec) {
  std::error_code ignored;
  // A link to nowhere counts: whoever made it wanted a test split, and is told.
  return spec.kind != DataSpec::Kind::folder ||
         std::filesystem::exists(std::filesystem::symlink_status(spec.directory + "/test", ignored));
}

TestData load_test_split(const DataSpec& spec, const TrainingData& training, const Reading& reading) {
  if (!has_test_split(spec)) {
    fail("data", "no test split, expected {}/test; {}", spec.directory, what_lies_in(spec.directory));
  }
  Listing listing = list_split(spec, Split::test);
  TestData test;
  test.inventory = std::move(listing.inventory);
  std::vector<std::int32_t> of_training(listing.classes.size());
  for (std::size_t c = 0; c < listing.classes.size(); ++c) {
    const auto found = std::find(training.classes.begin(), training.classes.end(), listing.classes[c]);
    if (found == training.classes.end() && test.inventory.classes[c].images > 0) {
      fail("data",
           "{}: the test split has a class that the training split lacks, got '{}', expected one of {}",
           spec.text, listing.classes[c], some_of(training.classes));
    }
    of_training[c] = found - training.classes.begin();
  }
  std::vector<std::int32_t> all(listing.labels.size());
  std::iota(all.begin(), all.end(), 0);
  ReadImages read = listing.read(all, training.train.height, test.inventory, reading);
  require_readable(read, all.size());
  test.images = std::move(read.images);
  std::set<std::int32_t> there;
  for (std::int32_t& label : test.images.labels) there.insert(label = of_training[label]);
  for (std::size_t c = 0; c < training.classes.size(); ++c) {
    if (!there.contains(c)) test.missing.push_back(training.classes[c]);
  }
  std::unordered_set<std::uint64_t> known;
  for (const ImageSet* set : {&training.train, &training.validation}) {
    for (const std::uint64_t hash : pixel_hashes(*set)) known.insert(hash);
  }
  for (const std::uint64_t hash : pixel_hashes(test.images)) test.duplicates += known.contains(hash);
  return test;
}

std::string fingerprint(const TrainingData& data) {
  std::uint64_t hash = fnv1a_start;
  for (const std::string& name : data.classes) hash = fnv1a(name + "\n", hash);
  for (const ImageSet* set : {&data.train, &data.validation}) {
    hash = fnv1a(fmt::format("{} {} {} {}\n", set->count(), set->height, set->width, set->channels), hash);
    hash = fnv1a(std::as_bytes(std::span(set->labels)), hash);
    hash = fnv1a(std::as_bytes(std::span(set->pixels)), hash);
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace adwp::data
