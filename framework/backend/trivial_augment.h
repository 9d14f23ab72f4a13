// TrivialAugment (Mueller & Hutter, 2021), with the operations and ranges of its wide space: each image is
// changed once, by an operation and a strength drawn uniformly. All of it is computed in whole numbers, so
// that every device makes the same bytes; where an operation rounds, it does as Pillow.
#pragma once

#include <cstdint>

#include "framework/backend/specs.h"

namespace adwp {

enum class TrivialOp {
  identity,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  rotate,
  brightness,
  color,
  contrast,
  sharpness,
  posterize,
  solarize,
  autocontrast,
  equalize,
};
constexpr std::uint32_t trivial_ops = 14, trivial_levels = 31;

struct TrivialChange {
  TrivialOp op = TrivialOp::identity;
  std::int64_t level = 0;             // 0 to 30, of the operation's range
  std::int64_t signed_level = 0;      // level, or -level
  std::int64_t cosine = 0, sine = 0;  // of a rotation, in 1/65536

  // Whether values become others by how often each occurs in the image.
  ADWP_HOST_DEVICE bool counts() const {
    return op == TrivialOp::contrast || op == TrivialOp::autocontrast || op == TrivialOp::equalize;
  }
  ADWP_HOST_DEVICE bool moves() const { return op >= TrivialOp::shear_x && op <= TrivialOp::rotate; }
};

// Fills in cosine and sine: a turn by 4.5 degrees, in 1/2^30, for each level (to 135 degrees). Devices differ
// in what their sine of a double is; these come to the nearest of 1/65536 for all levels.
ADWP_HOST_DEVICE inline void turn(TrivialChange& change) {
  constexpr std::int64_t one = std::int64_t{1} << 30, half = one / 2;
  constexpr std::int64_t cosine = 1070431836, sine = 84244813;  // of 4.5 degrees
  std::int64_t x = one, y = 0;
  for (std::int64_t level = 0; level < change.level; ++level) {
    const std::int64_t turned = (x * cosine - y * sine + half) >> 30;
    y = (y * cosine + x * sine + half) >> 30;
    x = turned;
  }
  const std::int64_t rounded = (y + (1 << 13)) >> 14;
  change.cosine = (x + (1 << 13)) >> 14;
  change.sine = change.signed_level < 0 ? -rounded : rounded;
}

// How an image is changed in that epoch.
ADWP_HOST_DEVICE inline TrivialChange draw_trivial(std::uint32_t image, const AugmentKey& key) {
  const Philox::Block r = image_draws(image, Purpose::augment, 1, key);
  TrivialChange change{.op = static_cast<TrivialOp>(r[0] % trivial_ops), .level = r[1] % trivial_levels};
  change.signed_level = (r[2] & 1u) != 0 ? -change.level : change.level;
  turn(change);
  return change;
}

ADWP_HOST_DEVICE inline std::int64_t floor_of(std::int64_t number, std::int64_t divisor) {
  return number >= 0 ? number / divisor : -((divisor - 1 - number) / divisor);
}

struct ImageShape {
  std::int64_t height = 0, width = 0, channels = 0;

  ADWP_HOST_DEVICE std::int64_t at(std::int64_t i, std::int64_t j, std::int64_t c) const {
    return (i * width + j) * channels + c;
  }
};

struct Pixel {
  std::int64_t row = 0, column = 0;
};

// Where pixel (i, j) of a moved image comes from; it is black if that lies outside. Shears reach 0.99,
// translations the whole side (32 pixels of 32).
ADWP_HOST_DEVICE inline Pixel moved_from(const TrivialChange& change, std::int64_t i, std::int64_t j,
                                         const ImageShape& shape) {
  const std::int64_t s = change.signed_level;
  const std::int64_t x = 2 * j + 1, y = 2 * i + 1;  // the pixel's middle, in halves of a pixel
  switch (change.op) {
    case TrivialOp::shear_x:
      return {i, floor_of(1000 * x + 33 * s * y, 2000)};
    case TrivialOp::shear_y:
      return {floor_of(1000 * y + 33 * s * x, 2000), j};
    case TrivialOp::translate_x:
      return {i, j - shape.width * s / 30};
    case TrivialOp::translate_y:
      return {i - shape.height * s / 30, j};
    case TrivialOp::rotate: {
      const std::int64_t right = x - shape.width, down = y - shape.height;  // from the middle of the image
      return {floor_of(change.sine * right + change.cosine * down + 65536 * shape.height, 131072),
              floor_of(change.cosine * right - change.sine * down + 65536 * shape.width, 131072)};
    }
    default:
      return {i, j};
  }
}

// (1 + s) value - s other, for a strength s = 0.033 signed_level.
ADWP_HOST_DEVICE inline std::uint8_t strengthened(const TrivialChange& change, std::int64_t value,
                                                  std::int64_t other) {
  const std::int64_t s = 33 * change.signed_level, result = (1000 + s) * value - s * other;
  return result < 0 ? 0 : result > 255'000 ? 255 : static_cast<std::uint8_t>(result / 1000);
}

// How bright a pixel is: red, green and blue by their weights; the mean of other channels.
ADWP_HOST_DEVICE inline std::int64_t grey(const std::uint8_t* pixel, std::int64_t channels) {
  if (channels == 3) return (19595 * pixel[0] + 38470 * pixel[1] + 7471 * pixel[2] + 32768) >> 16;
  std::int64_t sum = 0;
  for (std::int64_t c = 0; c < channels; ++c) sum += pixel[c];
  return sum / channels;
}

// What is counted of a pixel for channel c, where counts() is so.
ADWP_HOST_DEVICE inline std::int64_t counted(const TrivialChange& change, const std::uint8_t* pixel,
                                             std::int64_t channels, std::int64_t c) {
  return change.op == TrivialOp::contrast ? grey(pixel, channels) : pixel[c];
}

// What a value of a channel becomes, by the counts (256) of that channel: towards or away from the mean;
// stretched to 0 .. 255; spread so that all occur equally often.
ADWP_HOST_DEVICE inline std::uint8_t recounted(const TrivialChange& change, std::int64_t value,
                                               const std::int32_t* counts) {
  std::int64_t count = 0, sum = 0, below = 0, low = 255, high = 0;
  for (std::int64_t v = 0; v < 256; ++v) {
    if (counts[v] == 0) continue;
    count += counts[v];
    sum += v * counts[v];
    if (v < value) below += counts[v];
    if (v < low) low = v;
    high = v;
  }
  if (change.op == TrivialOp::contrast) return strengthened(change, value, (2 * sum + count) / (2 * count));
  if (value < low || value > high) return 0;  // no pixel has it
  if (change.op == TrivialOp::autocontrast) {
    return static_cast<std::uint8_t>(high == low ? value : (value - low) * 255 / (high - low));
  }
  const std::int64_t step = (count - counts[high]) / 255;
  if (step == 0) return static_cast<std::uint8_t>(value);
  const std::int64_t level = (below + step / 2) / step;
  return static_cast<std::uint8_t>(level > 255 ? 255 : level);
}

// The mean of a pixel, five times, and its neighbours; at the edge the pixel itself.
ADWP_HOST_DEVICE inline std::int64_t blurred(const std::uint8_t* image, std::int64_t i, std::int64_t j,
                                             std::int64_t c, const ImageShape& shape) {
  const std::int64_t value = image[shape.at(i, j, c)];
  if (i == 0 || j == 0 || i == shape.height - 1 || j == shape.width - 1) return value;
  std::int64_t sum = 4 * value;
  for (std::int64_t di = -1; di <= 1; ++di) {
    for (std::int64_t dj = -1; dj <= 1; ++dj) sum += image[shape.at(i + di, j + dj, c)];
  }
  return (2 * sum + 13) / 26;
}

// Channel c of pixel (i, j) of the changed image. `table` (256), of that channel, has recounted() of each
// value; it is read where counts() is so.
ADWP_HOST_DEVICE inline std::uint8_t changed(const TrivialChange& change, const std::uint8_t* image,
                                             std::int64_t i, std::int64_t j, std::int64_t c,
                                             const ImageShape& shape, const std::uint8_t* table) {
  if (change.moves()) {
    const Pixel from = moved_from(change, i, j, shape);
    const bool inside =
        from.row >= 0 && from.row < shape.height && from.column >= 0 && from.column < shape.width;
    return inside ? image[shape.at(from.row, from.column, c)] : 0;
  }
  const std::uint8_t* pixel = image + shape.at(i, j, 0);
  const std::int64_t value = pixel[c];
  if (change.counts()) return table[value];
  switch (change.op) {
    case TrivialOp::brightness:
      return strengthened(change, value, 0);
    case TrivialOp::color:
      return strengthened(change, value, grey(pixel, shape.channels));
    case TrivialOp::sharpness:
      return strengthened(change, value, blurred(image, i, j, c, shape));
    case TrivialOp::posterize:  // to 8 .. 2 bits
      return static_cast<std::uint8_t>(value >> (change.level + 2) / 5 << (change.level + 2) / 5);
    case TrivialOp::solarize:  // from 255 - 8.5 level on
      return static_cast<std::uint8_t>(30 * value >= 255 * (30 - change.level) ? 255 - value : value);
    default:
      return static_cast<std::uint8_t>(value);
  }
}

}  // namespace adwp
