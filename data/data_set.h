// Images with labels on the host, and what a program is told to load.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/image_file.h"
#include "framework/backend/specs.h"

namespace adwp::data {

// synthetic[:N] | cifar10:DIR | cifar100:DIR | folder:DIR | idx:DIR, with
// ?limit=N&size=PIXELS&skip-bad&exif=ignore.
struct DataSpec {
  enum class Kind { synthetic, cifar10, cifar100, folder, idx } kind = Kind::synthetic;
  std::string directory;                   // of all but synthetic
  std::int64_t synthetic_images = 10'000;  // training images; a fifth of that for testing
  std::int64_t limit = 0;                  // at most so many training images, class by class; 0: all
  std::int64_t size = 0;                   // resize to size x size pixels; 0: as stored
  bool skip_bad = false;                   // leave files out that cannot be decoded
  Orientation orientation = Orientation::apply;
  std::string text;  // as given
};
// Throws a usage Error that names what is wrong and the form expected.
DataSpec parse_data_spec(std::string_view text);

// Pixels (N, H, W, C) as u8; one label an image.
struct ImageSet {
  std::int64_t height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;

  std::int64_t count() const { return std::ssize(labels); }
  std::int64_t image_bytes() const { return height * width * channels; }
};

// What was met where a data set lies, for people.
struct Inventory {
  struct Class {
    std::string name;
    std::int64_t images = 0;  // that were found, before any limit
  };
  struct LeftOut {
    std::string path, reason;  // the reason in a few words, the same for all of a kind
    std::string detail = {};   // more of it, of a file that cannot be decoded
  };
  std::vector<Class> classes;
  std::vector<LeftOut> left_out;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t>
      sizes;  // height, width: images that were read
};

// What may be used for choosing: the training split, divided in two. The test split is loaded
// elsewhere (test_split.h), by programs that choose nothing.
struct TrainingData {
  std::string name;
  std::vector<std::string> classes;
  ImageSet train, validation;
  PixelNorm norm;  // per channel, measured on `train`
  Inventory inventory;
  std::int64_t duplicates = 0;  // images that equal an earlier one in every pixel
};

// Told now and then while files are decoded, by one thread: how many images of how many are read.
using Reading = std::function<void(std::int64_t done, std::int64_t total)>;

// `validation_fraction` of each class, rounded, at least one image, goes to the validation split;
// which ones depends only on `seed`. Equal images never stand in both. Throws Error naming the file or folder
// that is wrong.
TrainingData load_training_data(const DataSpec& spec, std::uint64_t seed, double validation_fraction,
                                const Reading& reading = {});

// What a person should know of the data before hours go into them, a line each: what was left out, other
// sizes, copies, classes of unequal size. Nothing for plain data.
std::vector<std::string> notes_on(const TrainingData& data);
// Files left out, by reason: "left out 12 files: 8 .txt, 4 hidden"; empty when there are none.
std::string text_of(const std::vector<Inventory::LeftOut>& left_out);

// 16 hexadecimal digits over classes, images and labels of both splits: whether data sets are the same.
std::string fingerprint(const TrainingData& data);

}  // namespace adwp::data
