// Images with labels on the host, and what a program is told to load.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "framework/backend/specs.h"

namespace adwp::data {

// synthetic[:N] | cifar10:DIR | cifar100:DIR | folder:DIR | idx:DIR, with ?limit=N&size=PIXELS.
struct DataSpec {
  enum class Kind { synthetic, cifar10, cifar100, folder, idx } kind = Kind::synthetic;
  std::string directory;                   // of all but synthetic
  std::int64_t synthetic_images = 10'000;  // training images; a fifth of that for testing
  std::int64_t limit = 0;                  // at most so many training images, class by class; 0: all
  std::int64_t size = 0;                   // resize to size x size pixels; 0: as stored
  std::string text;                        // as given
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

// What may be used for choosing: the training split, divided in two. The test split is loaded
// elsewhere (test_split.h), by programs that choose nothing.
struct TrainingData {
  std::string name;
  std::vector<std::string> classes;
  ImageSet train, validation;
  PixelNorm norm;  // per channel, measured on `train`
};

// `validation_fraction` of each class, rounded, at least one image, goes to the validation split;
// which ones depends only on `seed`. Throws Error naming the file or folder that is wrong.
TrainingData load_training_data(const DataSpec& spec, std::uint64_t seed, double validation_fraction);

// 16 hexadecimal digits over classes, images and labels of both splits: whether data sets are the same.
std::string fingerprint(const TrainingData& data);

}  // namespace adwp::data
