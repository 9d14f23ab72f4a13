// Readers of the file formats; each lists one split, and reads the images that are asked for. Internal to
// data/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "data/data_set.h"
#include "data/image_file.h"

namespace adwp::data {

enum class Split { train, test };

// Images that were read; those that a listing could not read are missing, if it may skip them.
struct ReadImages {
  ImageSet images;
  std::vector<std::int32_t> indices;  // of each image, in the listing
};

// A split whose images are known and perhaps not read yet.
struct Listing {
  std::vector<std::string> classes;
  std::vector<std::int32_t> labels;  // of each image
  Inventory inventory;
  // Reads the images with these indices, in order, and brings them to `size` (0: as stored, or the commonest
  // size of a folder). Notes in the inventory what it met.
  std::function<ReadImages(std::span<const std::int32_t> indices, std::int64_t size, Inventory& inventory,
                           const Reading& reading)>
      read;
};

Listing list_cifar(const std::string& directory, bool hundred, Split split);
Listing list_idx(const std::string& directory, Split split);
// DIR/train/CLASS/** and DIR/test/CLASS/**
Listing list_folder(const DataSpec& spec, Split split);
Listing list_synthetic(std::int64_t count, Split split);

Listing list_split(const DataSpec& spec, Split split);

// Fills in the pixels of an image.
using MakeImage = std::function<void(std::int32_t index, std::uint8_t* pixels)>;

// A listing of images that were read already or, where `make` is given, have no pixels until they are read.
// Names and labels of classes: `classes`, `images.labels`.
Listing listing_of(ImageSet images, std::vector<std::string> classes, MakeImage make = {});

// A class's name in Unicode's normal form C, in which equal names have equal bytes; others are left as they
// are.
std::string normal_name(const std::string& name);

// The lines of a text file (UTF-8) that are not empty, without spaces around them; none when there is no such
// file. Names of classes come so: batches.meta.txt, fine_label_names.txt, classes.txt. Throws an Error that
// names the line of a name that stands twice.
std::vector<std::string> read_names(const std::filesystem::path& path);

// "DIR holds a, b and 3 more", for messages on something that is not there.
std::string what_lies_in(const std::filesystem::path& folder);

// The whole file. Throws Error when it cannot be read or is larger than `most` bytes.
std::vector<std::uint8_t> read_file(const std::string& path, std::size_t most);

// One image (height, width, channels) to size x size: the mean over the pixels each target pixel
// covers when shrinking, bilinear when growing.
std::vector<std::uint8_t> resize(const std::uint8_t* image, std::int64_t height, std::int64_t width,
                                 std::int64_t channels, std::int64_t size);

// 64 bits of each image's pixels: equal images have equal ones, and others, as far as one may hope, do not.
std::vector<std::uint64_t> pixel_hashes(const ImageSet& set);

// Limits that no honest data set meets and that keep a hostile one from costing memory or time.
inline constexpr std::size_t most_file_bytes = std::size_t{400} << 20;  // a PNG of most_pixels
inline constexpr std::int64_t most_images = 10'000'000;
inline constexpr std::int64_t most_classes = 10'000;
inline constexpr std::int64_t most_side = 4096;
inline constexpr std::int64_t most_set_bytes = std::int64_t{32} << 30;

// Throws Error unless so many images fit into `most_set_bytes`. To be asked before they are made room for.
void require_room(std::int64_t count, std::int64_t height, std::int64_t width, std::int64_t channels);

}  // namespace adwp::data
