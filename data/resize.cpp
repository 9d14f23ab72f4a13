#include <algorithm>
#include <cmath>

#include "data/readers.h"

namespace adwp::data {
namespace {

// How much each source pixel counts for one target pixel, along one axis.
struct Weights {
  std::int64_t first = 0;
  std::vector<float> values;
};

Weights weights_for(std::int64_t target, std::int64_t size, std::int64_t source_size) {
  const double ratio = 1.0 * source_size / size;
  Weights weights;
  if (ratio > 1) {  // the share of [begin, end) that each source pixel covers
    const double begin = target * ratio, end = begin + ratio;
    weights.first = begin;
    for (std::int64_t i = weights.first; i < source_size && i < end; ++i) {
      const double covered = std::min<double>(end, i + 1) - std::max<double>(begin, i);
      weights.values.push_back(covered / ratio);
    }
    return weights;
  }
  const double centre = (target + 0.5) * ratio - 0.5;
  const double clamped = std::clamp<double>(centre, 0, source_size - 1);
  weights.first = std::min<std::int64_t>(clamped, source_size - 1);
  const float part = clamped - weights.first;
  weights.values = {1 - part};
  if (weights.first + 1 < source_size) weights.values.push_back(part);
  return weights;
}

}  // namespace

std::vector<std::uint8_t> resize(const std::uint8_t* image, std::int64_t height, std::int64_t width,
                                 std::int64_t channels, std::int64_t size) {
  std::vector<Weights> columns;
  for (std::int64_t j = 0; j < size; ++j) columns.push_back(weights_for(j, size, width));
  std::vector<std::uint8_t> result;
  result.reserve(size * size * channels);
  for (std::int64_t i = 0; i < size; ++i) {
    const Weights rows = weights_for(i, size, height);
    for (std::int64_t j = 0; j < size; ++j) {
      const Weights& across = columns[j];
      for (std::int64_t c = 0; c < channels; ++c) {
        float sum = 0;
        for (std::size_t a = 0; a < rows.values.size(); ++a) {
          for (std::size_t b = 0; b < across.values.size(); ++b) {
            const std::int64_t h = rows.first + a;
            const std::int64_t w = across.first + b;
            sum += rows.values[a] * across.values[b] * image[(h * width + w) * channels + c];
          }
        }
        result.push_back(std::clamp(sum + 0.5f, 0.0f, 255.0f));
      }
    }
  }
  return result;
}

}  // namespace adwp::data
