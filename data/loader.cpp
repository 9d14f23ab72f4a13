#include "data/loader.h"

#include <algorithm>
#include <numeric>

#include "framework/core/error.h"
#include "framework/core/random.h"

namespace adwp::data {

DeviceImages DeviceImages::upload(Arena& arena, const ImageSet& set) {
  return {Tensor::from_host(arena, Shape{set.count(), set.height, set.width, set.channels},
                            std::span<const std::uint8_t>(set.pixels)),
          Tensor::from_host(arena, Shape{set.count()}, std::span<const std::int32_t>(set.labels))};
}

DeviceImages DeviceImages::reserve(Arena& arena, std::int64_t count, std::int64_t height, std::int64_t width,
                                   std::int64_t channels) {
  return {Tensor(arena, Shape{count, height, width, channels}, DType::u8),
          Tensor(arena, Shape{count}, DType::i32)};
}

DeviceImages DeviceImages::first(std::int64_t images) const {
  require(images > 0 && images <= count(), "images", "got {}, expected 1 to {}", images, count());
  const Shape& all = pixels.shape();
  return {pixels.view(0, Shape{images, all[1], all[2], all[3]}), labels.view(0, Shape{images})};
}

Loader::Loader(Backend& backend, Arena& arena, const DeviceImages& images, std::int64_t batch,
               const PixelNorm& norm, const Augmentation& augmentation, std::uint64_t seed)
    : backend_(backend),
      images_(images),
      batch_(batch),
      batches_(batch > 0 ? images.count() / batch : 0),
      norm_(norm),
      augmentation_(augmentation),
      key_{seed, 0},
      order_(arena, Shape{images.count()}, DType::i32) {
  if (batches_ < 1) {
    fail_usage("loader", "fewer images than one batch, got {} images, batch {}; lower --batch",
               images.count(), batch);
  }
}

Loader::Loader(Sequential, Backend& backend, Arena& arena, const DeviceImages& images, std::int64_t batch,
               const PixelNorm& norm)
    : backend_(backend),
      images_(images),
      batch_(std::max<std::int64_t>(batch, 1)),
      batches_((images.count() + batch_ - 1) / batch_),
      norm_(norm),
      order_(arena, Shape{images.count()}, DType::i32) {
  std::vector<std::int32_t> order(images.count());
  std::iota(order.begin(), order.end(), 0);
  order_.copy_from_host(std::span<const std::int32_t>(order));
}

Loader Loader::sequential(Backend& backend, Arena& arena, const DeviceImages& images, std::int64_t batch,
                          const PixelNorm& norm) {
  return Loader(Sequential{}, backend, arena, images, batch, norm);
}

void Loader::begin_epoch(std::int64_t epoch) {
  key_.epoch = epoch;
  const std::vector<std::int32_t> order =
      permutation(Random(key_.seed, Purpose::shuffle, key_.epoch), images_.count());
  order_.copy_from_host(std::span<const std::int32_t>(order));
}

std::int64_t Loader::batch_size(std::int64_t i) const {
  return std::min(batch_, images_.count() - i * batch_);
}

void Loader::load(std::int64_t i, const Tensor& x, const Tensor& y) {
  require(i >= 0 && i < batches_, "loader", "no such batch, got {}, expected 0 to {}", i, batches_ - 1);
  const Tensor index = order_.view(i * batch_, Shape{batch_size(i)});
  backend_.compute(LoadBatch{images_.pixels, images_.labels, index, norm_, augmentation_, key_, x, y});
}

}  // namespace adwp::data
