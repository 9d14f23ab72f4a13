// CIFAR-10 and CIFAR-100 in their binary form (Krizhevsky, 2009): records of one or two label bytes
// and 3072 bytes of pixels, channel by channel.
#include "data/readers.h"
#include "framework/core/error.h"

namespace adwp::data {
namespace {

constexpr std::size_t most_records = 100'000;  // the largest published file has 50,000
constexpr std::int64_t side = 32, channels = 3, pixels = side * side;

void append(const std::string& path, bool hundred, std::int64_t classes, ImageSet& set) {
  const std::size_t label_bytes = hundred ? 2 : 1;  // CIFAR-100: coarse, then fine
  const std::size_t record = label_bytes + channels * pixels;
  const std::vector<std::uint8_t> bytes = read_file(path, most_records * record);
  if (bytes.empty() || bytes.size() % record != 0) {
    fail("data", "{} is damaged, got {} bytes, expected a multiple of {}", path, bytes.size(), record);
  }
  set.pixels.reserve(set.pixels.size() + bytes.size());
  for (std::size_t start = 0; start < bytes.size(); start += record) {
    const std::uint8_t label = bytes[start + label_bytes - 1];
    if (label >= classes) {
      fail("data", "{} is damaged, got label {}, expected 0 to {}", path, label, classes - 1);
    }
    set.labels.push_back(label);
    const std::uint8_t* planes = bytes.data() + start + label_bytes;
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (std::int64_t c = 0; c < channels; ++c) {
        set.pixels.push_back(planes[c * pixels + pixel]);
      }
    }
  }
}

}  // namespace

LabelledImages read_cifar(const std::string& directory, bool hundred, Split split) {
  LabelledImages result;
  ImageSet& set = result.images;
  set.height = set.width = side;
  set.channels = channels;
  if (hundred) {
    append(directory + (split == Split::train ? "/train.bin" : "/test.bin"), true, 100, set);
    for (int i = 0; i < 100; ++i) result.classes.push_back("class" + std::to_string(i));
    return result;
  }
  result.classes = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  if (split == Split::test) {
    append(directory + "/test_batch.bin", false, 10, set);
  } else {
    for (int i = 1; i <= 5; ++i) {
      append(directory + "/data_batch_" + std::to_string(i) + ".bin", false, 10, set);
    }
  }
  return result;
}

}  // namespace adwp::data
