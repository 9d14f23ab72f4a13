// Readers of the file formats; each gives one split. Internal to data/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/data_set.h"
#include "data/image_file.h"

namespace adwp::data {

enum class Split { train, test };

struct LabelledImages {
  ImageSet images;
  std::vector<std::string> classes;
};

LabelledImages read_cifar(const std::string& directory, bool hundred, Split split);
LabelledImages read_idx(const std::string& directory, Split split);
// DIR/train/CLASS/*.png|jpg|jpeg; images brought to `size` (0: the size of the first one).
LabelledImages read_folder(const std::string& directory, Split split, std::int64_t size);
LabelledImages make_synthetic(std::int64_t count, Split split);

LabelledImages read_split(const DataSpec& spec, Split split);

// The whole file. Throws Error when it cannot be read or is larger than `most` bytes.
std::vector<std::uint8_t> read_file(const std::string& path, std::size_t most);

// One image (height, width, channels) to size x size: the mean over the pixels each target pixel
// covers when shrinking, bilinear when growing.
std::vector<std::uint8_t> resize(const std::uint8_t* image, std::int64_t height, std::int64_t width,
                                 std::int64_t channels, std::int64_t size);

// Limits that no honest data set meets and that keep a hostile one from costing memory or time.
inline constexpr std::size_t most_file_bytes = std::size_t{400} << 20;  // a PNG of most_pixels
inline constexpr std::int64_t most_images = 10'000'000;
inline constexpr std::int64_t most_classes = 10'000;
inline constexpr std::int64_t most_side = 4096;
inline constexpr std::int64_t most_set_bytes = std::int64_t{32} << 30;

// Throws Error unless so many images fit into `most_set_bytes`. To be asked before they are made room for.
void require_room(std::int64_t count, std::int64_t height, std::int64_t width, std::int64_t channels);

}  // namespace adwp::data
