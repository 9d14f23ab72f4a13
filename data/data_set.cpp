#include "data/data_set.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "data/readers.h"
#include "data/test_split.h"
#include "framework/core/error.h"
#include "framework/core/fnv.h"
#include "framework/core/random.h"
#include "framework/io/atomic_file.h"

namespace adwp::data {
namespace {

void append_image(const ImageSet& from, std::int64_t index, ImageSet& to) {
  const auto begin = from.pixels.begin() + index * from.image_bytes();
  to.pixels.insert(to.pixels.end(), begin, begin + from.image_bytes());
  to.labels.push_back(from.labels[index]);
}

ImageSet empty_like(const ImageSet& set) {
  return {.height = set.height, .width = set.width, .channels = set.channels};
}

ImageSet resized(const ImageSet& set, std::int64_t size) {
  if (size == 0 || (set.height == size && set.width == size)) return set;
  require_room(set.count(), size, size, set.channels);
  ImageSet result{.height = size, .width = size, .channels = set.channels, .labels = set.labels};
  for (std::int64_t n = 0; n < set.count(); ++n) {
    const auto image =
        resize(set.pixels.data() + n * set.image_bytes(), set.height, set.width, set.channels, size);
    result.pixels.insert(result.pixels.end(), image.begin(), image.end());
  }
  return result;
}

// Takes `validation_fraction` of each class away, in an order that the seed decides, after cutting
// each class to its share of the limit.
void split_by_class(const LabelledImages& all, const DataSpec& spec, std::uint64_t seed,
                    double validation_fraction, TrainingData& data) {
  const std::int64_t classes = all.classes.size();
  std::vector<std::vector<std::int32_t>> members(all.classes.size());
  for (std::size_t n = 0; n < all.images.labels.size(); ++n) {
    members[all.images.labels[n]].push_back(n);
  }
  std::vector<std::int32_t> train, validation;
  for (std::int64_t c = 0; c < classes; ++c) {
    std::vector<std::int32_t>& indices = members[c];
    Random(seed, Purpose::split, c).shuffle(indices);
    if (spec.limit > 0) {
      const std::int64_t share = spec.limit / classes + (c < spec.limit % classes ? 1 : 0);
      indices.resize(std::min<std::size_t>(indices.size(), share));
    }
    const std::int64_t held = std::max(1l, std::lround(validation_fraction * indices.size()));
    if (indices.size() < 2 || held >= std::ssize(indices)) {
      fail("data", "class '{}' is too small to be split, got {} images, expected 2 or more", all.classes[c],
           indices.size());
    }
    validation.insert(validation.end(), indices.begin(), indices.begin() + held);
    train.insert(train.end(), indices.begin() + held, indices.end());
  }
  // Classes mixed, so that every batch of a sequential pass holds all of them.
  const std::uint64_t many = classes;
  Random(seed, Purpose::split, many).shuffle(train);
  Random(seed, Purpose::split, many + 1).shuffle(validation);
  data.train = empty_like(all.images);
  data.validation = empty_like(all.images);
  for (std::int32_t index : train) append_image(all.images, index, data.train);
  for (std::int32_t index : validation) append_image(all.images, index, data.validation);
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

}  // namespace

std::vector<std::uint8_t> read_file(const std::string& path, std::size_t most) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    fail("data", "no such file, got {}; check the folder given with --data", path);
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

LabelledImages read_split(const DataSpec& spec, Split split) {
  switch (spec.kind) {
    case DataSpec::Kind::synthetic:
      return make_synthetic(split == Split::train ? spec.synthetic_images
                                                  : std::max<std::int64_t>(spec.synthetic_images / 5, 10),
                            split);
    case DataSpec::Kind::cifar10:
      return read_cifar(spec.directory, false, split);
    case DataSpec::Kind::cifar100:
      return read_cifar(spec.directory, true, split);
    case DataSpec::Kind::folder:
      return read_folder(spec.directory, split, spec.size);
    case DataSpec::Kind::idx:
      return read_idx(spec.directory, split);
  }
  fail("data", "unknown kind of data set");
}

TrainingData load_training_data(const DataSpec& spec, std::uint64_t seed, double validation_fraction) {
  LabelledImages all = read_split(spec, Split::train);
  TrainingData data;
  data.name = spec.text;
  data.classes = all.classes;
  if (spec.size == 0 && all.images.height != all.images.width) {
    fail("data", "images must be square, got {} x {}; give ?size=PIXELS", all.images.height,
         all.images.width);
  }
  split_by_class(all, spec, seed, validation_fraction, data);
  data.train = resized(data.train, spec.size);  // what the limit cut away is not resized
  data.validation = resized(data.validation, spec.size);
  data.norm = measure(data.train);
  return data;
}

void require_test_split(const DataSpec& spec) {
  std::vector<std::string> names;
  switch (spec.kind) {
    case DataSpec::Kind::synthetic:
      break;
    case DataSpec::Kind::cifar10:
      names = {"test_batch.bin"};
      break;
    case DataSpec::Kind::cifar100:
      names = {"test.bin"};
      break;
    case DataSpec::Kind::folder:
      names = {"test"};
      break;
    case DataSpec::Kind::idx:
      names = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
      break;
  }
  for (const std::string& name : names) {
    const std::filesystem::path path = std::filesystem::path(spec.directory) / name;
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
      fail("data", "no test split, expected {}", path.string());
    }
  }
}

ImageSet load_test_split(const DataSpec& spec, const std::vector<std::string>& classes) {
  const LabelledImages test = read_split(spec, Split::test);
  if (test.classes != classes) {
    fail("data", "{}: the test split has other classes than the training split, got {} and {}", spec.text,
         test.classes.size(), classes.size());
  }
  return resized(test.images, spec.size);
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
