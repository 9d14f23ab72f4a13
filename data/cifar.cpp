// CIFAR-10 and CIFAR-100 in their binary form (Krizhevsky, 2009): records of one or two label bytes
// and 3072 bytes of pixels, channel by channel.
#include "data/readers.h"
#include "framework/core/error.h"

namespace adwp::data {
namespace {

constexpr std::size_t most_records = 100'000;  // the largest published file has 50,000
constexpr std::int64_t side = 32, channels = 3, pixels = side * side;

// Names of classes, and where they came from.
struct Names {
  std::vector<std::string> classes;
  std::string source;
};

void append(const std::string& path, bool hundred, const Names& names, ImageSet& set) {
  const std::int64_t classes = std::ssize(names.classes);
  const std::size_t label_bytes = hundred ? 2 : 1;  // CIFAR-100: coarse, then fine
  const std::size_t record = label_bytes + channels * pixels;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    fail("data", "no such file, got {}; {}", path, what_lies_in(std::filesystem::path(path).parent_path()));
  }
  const std::vector<std::uint8_t> bytes = read_file(path, most_records * record);
  if (bytes.empty() || bytes.size() % record != 0) {
    fail("data", "{} is damaged, got {} bytes, expected a multiple of {}", path, bytes.size(), record);
  }
  set.pixels.reserve(set.pixels.size() + bytes.size());
  for (std::size_t start = 0; start < bytes.size(); start += record) {
    const std::uint8_t label = bytes[start + label_bytes - 1];
    if (label >= classes) {
      fail("data", "{}: got label {}, expected 0 to {}: {} {} classes", path, label, classes - 1,
           names.source, classes);
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

// Those of the file that comes with the data, which may hold another data set in this form; else the
// published ones. (CIFAR-100's have numbers: without the file, who reads them would have to trust our
// memory.)
Names names_in(const std::string& directory, bool hundred) {
  for (const char* file : {hundred ? "fine_label_names.txt" : "batches.meta.txt", "classes.txt"}) {
    const std::string path = directory + "/" + file;
    Names names{read_names(path), path + " names"};
    if (names.classes.size() > 256) {
      fail("data", "{} names too many classes, got {}, expected at most 256", path, names.classes.size());
    }
    if (!names.classes.empty()) return names;
  }
  Names names{{}, hundred ? "CIFAR-100 has" : "CIFAR-10 has"};
  if (!hundred) {
    names.classes = {"airplane", "automobile", "bird",  "cat",  "deer",
                     "dog",      "frog",       "horse", "ship", "truck"};
  }
  for (int i = 0; hundred && i < 100; ++i) names.classes.push_back("class" + std::to_string(i));
  return names;
}

}  // namespace

Listing list_cifar(const std::string& directory, bool hundred, Split split) {
  const Names names = names_in(directory, hundred);
  ImageSet set{.height = side, .width = side, .channels = channels};
  if (hundred) {
    append(directory + (split == Split::train ? "/train.bin" : "/test.bin"), true, names, set);
  } else if (split == Split::test) {
    append(directory + "/test_batch.bin", false, names, set);
  } else {
    for (int i = 1; i <= 5; ++i)
      append(directory + "/data_batch_" + std::to_string(i) + ".bin", false, names, set);
  }
  return listing_of(std::move(set), names.classes);
}

}  // namespace adwp::data
