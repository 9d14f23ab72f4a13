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
  const double ratio = static_cast<double>(source_size) / static_cast<double>(size);
  Weights weights;
  if (ratio > 1) {  // the share of [begin, end) that each source pixel covers
    const double begin = static_cast<double>(target) * ratio, end = begin + ratio;
    weights.first = static_cast<std::int64_t>(begin);
    for (std::int64_t i = weights.first; i < source_size && static_cast<double>(i) < end; ++i) {
      const double covered =
          std::min<double>(end, static_cast<double>(i + 1)) - std::max<double>(begin, static_cast<double>(i));
      weights.values.push_back(static_cast<float>(covered / ratio));
    }
    return weights;
  }
  const double centre = (static_cast<double>(target) + 0.5) * ratio - 0.5;
  const double clamped = std::clamp(centre, 0.0, static_cast<double>(source_size - 1));
  weights.first = std::min(static_cast<std::int64_t>(clamped), source_size - 1);
  const auto part = static_cast<float>(clamped - static_cast<double>(weights.first));
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
  result.reserve(static_cast<std::size_t>(size * size * channels));
  for (std::int64_t i = 0; i < size; ++i) {
    const Weights rows = weights_for(i, size, height);
    for (std::int64_t j = 0; j < size; ++j) {
      const Weights& across = columns[static_cast<std::size_t>(j)];
      for (std::int64_t c = 0; c < channels; ++c) {
        float sum = 0;
        for (std::size_t a = 0; a < rows.values.size(); ++a) {
          for (std::size_t b = 0; b < across.values.size(); ++b) {
            const std::int64_t h = rows.first + static_cast<std::int64_t>(a);
            const std::int64_t w = across.first + static_cast<std::int64_t>(b);
            sum +=
                rows.values[a] * across.values[b] * static_cast<float>(image[(h * width + w) * channels + c]);
          }
        }
        result.push_back(static_cast<std::uint8_t>(std::clamp(sum + 0.5f, 0.0f, 255.0f)));
      }
    }
  }
  return result;
}

}  // namespace adwp::data
