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
               const PixelNorm& norm, const Augmentation& augmentation, std::uint64_t seed, Sampling sampling)
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
  if (sampling != Sampling::balanced || arena.counting()) return;
  const std::vector<std::int32_t> labels = images.labels.to_host<std::int32_t>();
  classes_.resize(*std::max_element(labels.begin(), labels.end()) + 1);
  for (std::size_t n = 0; n < labels.size(); ++n) classes_[labels[n]].push_back(n);
  std::erase_if(classes_, [](const auto& members) { return members.empty(); });
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

namespace {

// As many images as there are, of each class equally many (one more of some, others in each epoch). Within a
// class each comes once before any comes again.
std::vector<std::int32_t> balanced_order(const std::vector<std::vector<std::int32_t>>& classes,
                                         std::int64_t count, std::int64_t epoch, Random random) {
  std::vector<std::int32_t> order;
  const std::int64_t many = classes.size();
  for (std::int64_t c = 0; c < many; ++c) {
    const std::int64_t share = count / many + ((c + epoch) % many < count % many ? 1 : 0);
    std::vector<std::int32_t> members = classes[c];
    for (std::int64_t taken = 0; taken < share; ++taken) {
      const std::size_t at = taken % members.size();
      if (at == 0) random.shuffle(members);
      order.push_back(members[at]);
    }
  }
  random.shuffle(order);
  return order;
}

}  // namespace

void Loader::begin_epoch(std::int64_t epoch) {
  key_.epoch = epoch;
  const Random random(key_.seed, Purpose::shuffle, key_.epoch);
  const std::vector<std::int32_t> order = classes_.empty()
                                              ? permutation(random, images_.count())
                                              : balanced_order(classes_, images_.count(), epoch, random);
  order_.copy_from_host(std::span<const std::int32_t>(order));
}

std::int64_t Loader::batch_size(std::int64_t i) const {
  return std::min(batch_, images_.count() - i * batch_);
}

Tensor Loader::numbers(std::int64_t i) const {
  require(i >= 0 && i < batches_, "loader", "no such batch, got {}, expected 0 to {}", i, batches_ - 1);
  return order_.view(i * batch_, Shape{batch_size(i)});
}

void Loader::load(std::int64_t i, const Tensor& x, const Tensor& y) {
  backend_.compute(LoadBatch{images_.pixels, images_.labels, numbers(i), norm_, augmentation_, key_, x, y});
}

void Loader::load_changed(std::int64_t i, const Tensor& changed, const Tensor& x, const Tensor& y) {
  backend_.compute(TrivialAugment{images_.pixels, numbers(i), key_, changed});
  backend_.compute(LoadBatch{changed, images_.labels, numbers(i), norm_, augmentation_, key_, x, y, true});
}

void Loader::erase(std::int64_t i, float probability, const Tensor& x) {
  backend_.compute(EraseBoxes{numbers(i), probability, key_, x});
}

void Loader::mix(std::int64_t i, const Mixing& mixing, const Tensor& x, const Tensor& labels, const Tensor& y,
                 const Tensor& others, const Tensor& share) {
  backend_.compute(MixImages{x, labels, numbers(i), mixing, key_, y, others, share});
}

}  // namespace adwp::data
