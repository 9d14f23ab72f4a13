// A problem of ten shapes on 32 x 32 colour images, made from a seed.
//
// Only the shape decides the class: disc, ring, square, frame, triangle, plus, two bars, half disc, four
// dots, star. Position, size, rotation, both colours, the background's gradient, small distractors
// and noise are random, so that no pixel says much by itself: a linear classifier stays far below
// 60 %, a small convolutional network passes 90 % (tests/data/synthetic_test.cpp).
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "data/readers.h"
#include "framework/core/random.h"

namespace adwp::data {
namespace {

constexpr std::int64_t side = 32;
constexpr const char* names[] = {"disc", "ring",     "square",    "frame",     "triangle",
                                 "plus", "two_bars", "half_disc", "four_dots", "star"};
constexpr std::int32_t classes = 10;
constexpr std::uint64_t data_seed = 20200301;  // the set is the same for everyone

struct Colour {
  float r, g, b;
};

float brightness(const Colour& c) { return (c.r + c.g + c.b) / 3; }

// Each channel from 0 to `most`.
Colour random_colour(Random& random, float most) {
  return {most * random.uniform(), most * random.uniform(), most * random.uniform()};
}

float box(float x, float y, float half_width, float half_height) {
  return std::max(std::abs(x) - half_width, std::abs(y) - half_height);
}

// Signed distance to the shape of unit size at (x, y); negative inside.
float shape_distance(std::int32_t shape, float x, float y) {
  const float radius = std::hypot(x, y);
  switch (shape) {
    case 0:
      return radius - 0.85f;
    case 1:
      return std::abs(radius - 0.75f) - 0.2f;
    case 2:
      return box(x, y, 0.75f, 0.75f);
    case 3:
      return std::max(box(x, y, 0.85f, 0.85f), -box(x, y, 0.45f, 0.45f));
    case 4:
      return std::max({y - 0.6f, -0.5f * y + 0.866f * x - 0.5f, -0.5f * y - 0.866f * x - 0.5f});
    case 5:
      return std::min(box(x, y, 0.95f, 0.28f), box(x, y, 0.28f, 0.95f));
    case 6:
      return std::min(box(x, y - 0.5f, 0.9f, 0.24f), box(x, y + 0.5f, 0.9f, 0.24f));
    case 7:
      return std::max(radius - 0.95f, y);
    case 8:
      return std::hypot(std::abs(x) - 0.55f, std::abs(y) - 0.55f) - 0.33f;
    default: {
      const float angle = std::atan2(y, x);
      return radius - (0.62f + 0.33f * std::cos(5.0f * angle));
    }
  }
}

// How much of a pixel lies inside, with a soft edge of about a pixel.
float coverage(float signed_pixels) { return std::clamp(0.5f - signed_pixels, 0.0f, 1.0f); }

void blend(Colour& pixel, const Colour& colour, float share) {
  pixel.r += share * (colour.r - pixel.r);
  pixel.g += share * (colour.g - pixel.g);
  pixel.b += share * (colour.b - pixel.b);
}

struct Blob {
  float x, y, radius;
  Colour colour;
};

void draw(std::int32_t shape, Random random, std::uint8_t* out) {
  const Colour low = random_colour(random, 0.6f), high = random_colour(random, 0.6f);
  const float ground = std::max(brightness(low), brightness(high));
  Colour ink = random_colour(random, 1);
  for (int i = 0; i < 20 && brightness(ink) < ground + 0.2f; ++i) ink = random_colour(random, 1);
  const float tilt = 2 * std::numbers::pi_v<float> * random.uniform();
  const float turn = (random.uniform() - 0.5f) * 0.8f;  // radians: most things stand upright
  const float size = 7.0f + 5.0f * random.uniform();    // pixels from the centre to the rim
  const float centre_x = 16 + (random.uniform() - 0.5f) * 2 * (15 - size);
  const float centre_y = 16 + (random.uniform() - 0.5f) * 2 * (15 - size);
  std::array<Blob, 3> blobs;
  for (Blob& blob : blobs) {
    blob = {side * random.uniform(), side * random.uniform(), 0.8f + 1.2f * random.uniform(),
            random_colour(random, 1)};
  }
  const float noise = 0.02f + 0.04f * random.uniform();

  const float tilt_x = std::cos(tilt), tilt_y = std::sin(tilt), turn_x = std::cos(turn),
              turn_y = std::sin(turn);
  for (std::int64_t i = 0; i < side; ++i) {
    for (std::int64_t j = 0; j < side; ++j) {
      const float x = j + 0.5f, y = i + 0.5f;
      const float along = ((x - 16) * tilt_x + (y - 16) * tilt_y) / 45 + 0.5f;
      Colour pixel = low;
      blend(pixel, high, along);
      const float dx = (x - centre_x) / size, dy = (y - centre_y) / size;
      const float u = dx * turn_x + dy * turn_y;
      const float v = dy * turn_x - dx * turn_y;
      blend(pixel, ink, coverage(shape_distance(shape, u, v) * size));
      for (const Blob& blob : blobs) {
        blend(pixel, blob.colour, coverage(std::hypot(x - blob.x, y - blob.y) - blob.radius));
      }
      for (float value : {pixel.r, pixel.g, pixel.b}) {
        *out++ = std::clamp(255 * (value + noise * random.normal()), 0.0f, 255.0f);
      }
    }
  }
}

}  // namespace

Listing list_synthetic(std::int64_t count, Split split) {
  ImageSet set;
  set.height = set.width = side;
  set.channels = 3;
  set.labels.resize(count);
  for (std::int64_t n = 0; n < count; ++n) set.labels[n] = n % classes;
  const std::uint64_t stream = split == Split::train ? 0 : std::uint64_t{1} << 32;
  return listing_of(std::move(set), {std::begin(names), std::end(names)},
                    [stream](std::int32_t n, std::uint8_t* pixels) {
                      draw(n % classes, Random(data_seed, Purpose::synthetic, stream + n), pixels);
                    });
}

}  // namespace adwp::data
