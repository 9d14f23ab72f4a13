// Batches, made on the device from images that live there.
#pragma once

#include "data/data_set.h"
#include "framework/backend/backend.h"

namespace adwp::data {

// A data set in the arena: pixels u8 (N, H, W, C), labels i32 (N).
struct DeviceImages {
  Tensor pixels, labels;

  static DeviceImages upload(Arena& arena, const ImageSet& set);
  // Room for `count` images without any: for dry passes.
  static DeviceImages reserve(Arena& arena, std::int64_t count, std::int64_t height, std::int64_t width,
                              std::int64_t channels);
  std::int64_t count() const { return pixels.shape()[0]; }
  // Views of the first `images` of them. Splits are shuffled: those are a random sample. Throws outside 1 to
  // count().
  DeviceImages first(std::int64_t images) const;
};

// How often an epoch shows an image: each once, or each class equally often, whatever its number of images.
enum class Sampling { each_once, balanced };

// Training: shuffled anew each epoch, augmented, an incomplete last batch left out. Everything
// depends only on (seed, epoch, index).
class Loader {
 public:
  // Throws when there are fewer images than one batch. `images` must outlive the loader.
  Loader(Backend& backend, Arena& arena, const DeviceImages& images, std::int64_t batch,
         const PixelNorm& norm, const Augmentation& augmentation, std::uint64_t seed,
         Sampling sampling = Sampling::each_once);

  // Evaluation: in stored order, not augmented, the last batch may be smaller.
  static Loader sequential(Backend& backend, Arena& arena, const DeviceImages& images, std::int64_t batch,
                           const PixelNorm& norm);

  // Makes the order of an epoch and sends it to the device: one copy. Training only.
  void begin_epoch(std::int64_t epoch);

  std::int64_t batches() const { return batches_; }
  std::int64_t batch_size(std::int64_t i) const;
  // Batch i: x (batch_size, H, W, C) f32 normalised, y i32 (batch_size).
  void load(std::int64_t i, const Tensor& x, const Tensor& y);
  // The same of images that TrivialAugment changes first; those are left in `changed` u8 (batch_size, H, W,
  // C). Training only.
  void load_changed(std::int64_t i, const Tensor& changed, const Tensor& x, const Tensor& y);
  // Of batch i, as load() left it: erases boxes in x; mixes x and its labels into y, others and share
  // (framework/backend/operators.h). Training only.
  void erase(std::int64_t i, float probability, const Tensor& x);
  void mix(std::int64_t i, const Mixing& mixing, const Tensor& x, const Tensor& labels, const Tensor& y,
           const Tensor& others, const Tensor& share);

 private:
  struct Sequential {};
  Tensor numbers(std::int64_t i) const;  // of batch i's images among all: i32 (batch_size)
  Loader(Sequential, Backend& backend, Arena& arena, const DeviceImages& images, std::int64_t batch,
         const PixelNorm& norm);

  Backend& backend_;
  DeviceImages images_;
  std::int64_t batch_ = 0, batches_ = 0;
  PixelNorm norm_;
  Augmentation augmentation_;
  AugmentKey key_;
  std::vector<std::vector<std::int32_t>> classes_;  // the images of each; empty unless they are balanced
  Tensor order_;                                    // i32 (N)
};

}  // namespace adwp::data
