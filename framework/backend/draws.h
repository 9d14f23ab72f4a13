// What chance does to images and activations in training. Everything is drawn from counters, so that a device
// draws it where it is used, any image by itself, and a resumed training draws it again.
#pragma once

#include <cmath>
#include <cstdint>

#include "framework/backend/specs.h"

namespace adwp {

// How images of a batch are mixed two by two: mixup (Zhang et al., 2018) and CutMix (Yun et al., 2019), each
// with a share from Beta(a, a), 0 < a <= 2; 0: not. With both, a coin decides for each image.
struct Mixing {
  float mixup = 0, cutmix = 0;  // a
  float probability = 1;        // that an image is mixed at all

  bool on() const { return probability > 0 && (mixup > 0 || cutmix > 0); }
};

struct Box {  // rows top .. bottom - 1, columns left .. right - 1
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;

  ADWP_HOST_DEVICE bool holds(std::int64_t i, std::int64_t j) const {
    return i >= top && i < bottom && j >= left && j < right;
  }
};

struct Mixture {
  float share = 1;  // of the image itself
  bool cut = false;
  Box box;  // where a cut image shows its partner
};

// Block `number` of the draws for an image in an epoch.
ADWP_HOST_DEVICE inline Philox::Block image_draws(std::uint32_t image, Purpose purpose, std::uint32_t number,
                                                  const AugmentKey& key) {
  return Philox::generate(
      {image, std::uint32_t(purpose) | number << 8, std::uint32_t(key.epoch), std::uint32_t(key.epoch >> 32)},
      {std::uint32_t(key.seed), std::uint32_t(key.seed >> 32)});
}

// In (0, 1): 24 bits, and the middle of their step.
ADWP_HOST_DEVICE inline float unit(std::uint32_t bits) { return ((bits >> 8) + 0.5f) * 0x1p-24f; }

// From Beta(a, a), by rejection (Johnk, 1964): at a <= 2 each of 64 tries is taken with a probability of 1/6
// or more. 1/2 if none is.
ADWP_HOST_DEVICE inline float draw_share(float a, std::uint32_t image, const AugmentKey& key) {
  for (std::uint32_t block = 1; block <= 32; ++block) {
    const Philox::Block r = image_draws(image, Purpose::mix, block, key);
    for (int pair = 0; pair < 4; pair += 2) {
      const float x = std::pow(unit(r[pair]), 1 / a), y = std::pow(unit(r[pair + 1]), 1 / a);
      if (x + y > 0 && x + y <= 1) return x / (x + y);
    }
  }
  return 0.5f;
}

// How an image is mixed in that epoch. A box has (1 - share) of the image's area, a random centre, and ends
// at the image's edges; the share is what is left in fact.
ADWP_HOST_DEVICE inline Mixture draw_mixture(std::uint32_t image, const AugmentKey& key, const Mixing& mixing,
                                             std::int64_t height, std::int64_t width) {
  Mixture mixture;
  const Philox::Block r = image_draws(image, Purpose::mix, 0, key);
  if (!mixing.on() || unit(r[0]) >= mixing.probability) return mixture;
  mixture.cut = mixing.mixup <= 0 || (mixing.cutmix > 0 && (r[1] & 1u) != 0);
  mixture.share = draw_share(mixture.cut ? mixing.cutmix : mixing.mixup, image, key);
  if (!mixture.cut) return mixture;
  const float side = std::sqrt(1 - mixture.share);
  const std::int64_t rows = std::int64_t(height * side), columns = std::int64_t(width * side);
  const std::int64_t top = std::int64_t(r[2] % height) - rows / 2;
  const std::int64_t left = std::int64_t(r[3] % width) - columns / 2;
  Box& box = mixture.box;
  box.top = top > 0 ? top : 0;
  box.left = left > 0 ? left : 0;
  box.bottom = top + rows < height ? top + rows : height;
  box.right = left + columns < width ? left + columns : width;
  mixture.share = 1 - float((box.bottom - box.top) * (box.right - box.left)) / float(height * width);
  return mixture;
}

// Random erasing (Zhong et al., 2020): with that probability a box of 2 to 33 % of the image's area, uniform,
// with sides of 3/10 to 10/3, uniform by logarithm; the first of ten tries that fits. Else an empty box.
ADWP_HOST_DEVICE inline Box draw_erased(std::uint32_t image, const AugmentKey& key, float probability,
                                        std::int64_t height, std::int64_t width) {
  constexpr float least = 0.02f, most = 0.33f, widest = 1.2039728f;  // log(10 / 3)
  if (unit(image_draws(image, Purpose::erase, 0, key)[0]) >= probability) return {};
  for (std::uint32_t attempt = 1; attempt <= 10; ++attempt) {
    const Philox::Block r = image_draws(image, Purpose::erase, attempt, key);
    const float area = (least + (most - least) * unit(r[0])) * height * width;
    const float ratio = std::exp(widest * (2 * unit(r[1]) - 1));
    const std::int64_t rows = std::int64_t(std::sqrt(area * ratio) + 0.5f);
    const std::int64_t columns = std::int64_t(std::sqrt(area / ratio) + 0.5f);
    if (rows < 1 || columns < 1 || rows > height || columns > width) continue;
    const std::int64_t top = r[2] % (height - rows + 1), left = r[3] % (width - columns + 1);
    return {top, left, top + rows, left + columns};
  }
  return {};
}

// What is dropped in one step, and where in the network: `place` numbers the masks of a step.
struct DropKey {
  std::uint64_t seed = 0, step = 0;
  std::uint32_t place = 0;
};

// 1 / keep with the probability `keep`, else 0: on average 1.
ADWP_HOST_DEVICE inline float draw_kept(std::uint32_t element, const DropKey& key, float keep) {
  const Philox::Block r = Philox::generate({element, std::uint32_t(Purpose::drop) | key.place << 8,
                                            std::uint32_t(key.step), std::uint32_t(key.step >> 32)},
                                           {std::uint32_t(key.seed), std::uint32_t(key.seed >> 32)});
  return unit(r[0]) < keep ? 1 / keep : 0.0f;
}

}  // namespace adwp
