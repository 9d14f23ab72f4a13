// TrivialAugment: its distribution, and every operation against an oracle that follows Pillow in double.
#include "framework/backend/trivial_augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "framework/core/error.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

constexpr AugmentKey key{11, 3};

TEST(TrivialAugment, OperationsStrengthsAndSignsAreUniform) {
  constexpr int many = 42'000;
  std::array<int, trivial_ops> ops{};
  std::array<int, trivial_levels> levels{};
  int positive = 0, signed_ones = 0;
  for (std::uint32_t image = 0; image < many; ++image) {
    const TrivialChange change = draw_trivial(image, key);
    ++ops.at(static_cast<std::size_t>(change.op));
    ++levels.at(static_cast<std::size_t>(change.level));
    EXPECT_EQ(std::abs(change.signed_level), change.level);
    const double angle = 4.5 * static_cast<double>(change.signed_level) * std::acos(-1.0) / 180;
    EXPECT_EQ(change.cosine, std::llround(65536 * std::cos(angle)));
    EXPECT_EQ(change.sine, std::llround(65536 * std::sin(angle)));
    signed_ones += change.level > 0 ? 1 : 0;
    positive += change.signed_level > 0 ? 1 : 0;
  }
  const auto chi_squared = [](const auto& counts) {
    const double expected = 1.0 * many / static_cast<double>(counts.size());
    double sum = 0;
    for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
    return sum;
  };
  // Beyond these in 1 case of 10^5, with 13 and 30 degrees of freedom.
  EXPECT_LT(chi_squared(ops), 48);
  EXPECT_LT(chi_squared(levels), 76);
  EXPECT_NEAR(1.0 * positive / signed_ones, 0.5, 2.5 / std::sqrt(signed_ones));
  EXPECT_NE(draw_trivial(4, {11, 4}).level * 31 + draw_trivial(5, {11, 4}).level,
            draw_trivial(4, {11, 3}).level * 31 + draw_trivial(5, {11, 3}).level);
}

// One image (H, W, C) of bytes.
struct Picture {
  const std::uint8_t* pixels;
  std::int64_t height, width, channels;

  int at(std::int64_t i, std::int64_t j, std::int64_t c) const {
    const bool inside = i >= 0 && i < height && j >= 0 && j < width;
    return inside ? pixels[(i * width + j) * channels + c] : 0;
  }
  int grey(std::int64_t i, std::int64_t j) const {
    if (channels == 1) return at(i, j, 0);
    const double sum = 19595 * at(i, j, 0) + 38470 * at(i, j, 1) + 7471 * at(i, j, 2);
    return static_cast<int>(std::floor(sum / 65536 + 0.5));
  }
  double mean_grey() const {
    double sum = 0;
    for (std::int64_t p = 0; p < height * width; ++p) sum += grey(p / width, p % width);
    return std::floor(sum / static_cast<double>(height * width) + 0.5);
  }
  int blurred(std::int64_t i, std::int64_t j, std::int64_t c) const {
    if (i == 0 || j == 0 || i == height - 1 || j == width - 1) return at(i, j, c);
    double sum = 4.0 * at(i, j, c);
    for (int d = 0; d < 9; ++d) sum += at(i + d / 3 - 1, j + d % 3 - 1, c);
    return static_cast<int>(std::floor(sum / 13 + 0.5));
  }
  std::array<int, 256> histogram(std::int64_t c) const {
    std::array<int, 256> counts{};
    for (std::int64_t p = 0; p < height * width; ++p) {
      ++counts.at(static_cast<std::size_t>(at(p / width, p % width, c)));
    }
    return counts;
  }
};

int whole(double value) { return static_cast<int>(std::floor(std::clamp(value, 0.0, 255.0) + 1e-9)); }

int equalized(const std::array<int, 256>& counts, int value) {
  int last = 255, total = 0, before = 0;
  while (counts.at(static_cast<std::size_t>(last)) == 0) --last;
  for (int v = 0; v < last; ++v) total += counts.at(static_cast<std::size_t>(v));
  const int step = total / 255;
  if (step == 0) return value;
  for (int v = 0; v < value; ++v) before += counts.at(static_cast<std::size_t>(v));
  return std::min(255, (before + step / 2) / step);
}

int stretched(const std::array<int, 256>& counts, int value) {
  const auto first = std::find_if(counts.begin(), counts.end(), [](int n) { return n > 0; });
  const auto last = std::find_if(counts.rbegin(), counts.rend(), [](int n) { return n > 0; });
  const auto low = first - counts.begin(), high = 255 - (last - counts.rbegin());
  if (low == high) return value;
  return whole(255.0 * static_cast<double>(value - low) / static_cast<double>(high - low));
}

// What channel c of pixel (i, j) may be: the source of a turned pixel may lie on an edge between two.
std::set<int> expected(const TrivialChange& change, const Picture& image, std::int64_t i, std::int64_t j,
                       std::int64_t c) {
  const double s = static_cast<double>(change.signed_level), level = static_cast<double>(change.level);
  const double x = static_cast<double>(j) + 0.5, y = static_cast<double>(i) + 0.5;
  const double w = static_cast<double>(image.width), h = static_cast<double>(image.height);
  const int value = image.at(i, j, c);
  const auto pixel = [](double at) { return static_cast<std::int64_t>(std::floor(at + 1e-9)); };
  const auto blend = [&](double other) { return whole(value + 0.033 * s * (value - other)); };
  switch (change.op) {
    case TrivialOp::identity:
      return {value};
    case TrivialOp::shear_x:
      return {image.at(i, pixel(x + 0.033 * s * y), c)};
    case TrivialOp::shear_y:
      return {image.at(pixel(y + 0.033 * s * x), j, c)};
    case TrivialOp::translate_x:
      return {image.at(i, j - static_cast<std::int64_t>(std::trunc(w * s / 30 + 1e-9 * s)), c)};
    case TrivialOp::translate_y:
      return {image.at(i - static_cast<std::int64_t>(std::trunc(h * s / 30 + 1e-9 * s)), j, c)};
    case TrivialOp::rotate: {
      const double angle = 4.5 * s * std::acos(-1.0) / 180, right = x - w / 2, down = y - h / 2;
      std::set<int> values;
      for (const double e : {-1e-3, 1e-3}) {
        for (const double f : {-1e-3, 1e-3}) {
          values.insert(image.at(pixel(std::sin(angle) * right + std::cos(angle) * down + h / 2 + e),
                                 pixel(std::cos(angle) * right - std::sin(angle) * down + w / 2 + f), c));
        }
      }
      return values;
    }
    case TrivialOp::brightness:
      return {blend(0)};
    case TrivialOp::color:
      return {blend(image.grey(i, j))};
    case TrivialOp::contrast:
      return {blend(image.mean_grey())};
    case TrivialOp::sharpness:
      return {blend(image.blurred(i, j, c))};
    case TrivialOp::posterize: {
      const int unit = 1 << static_cast<int>(std::round(level / 5));  // 8 - round(level / 5) bits stay
      return {value / unit * unit};
    }
    case TrivialOp::solarize:
      return {value >= 255 - 8.5 * level ? 255 - value : value};
    case TrivialOp::autocontrast:
      return {stretched(image.histogram(c), value)};
    case TrivialOp::equalize:
      return {equalized(image.histogram(c), value)};
  }
  return {};
}

class TrivialAugmentOperator : public DeviceTest {
 protected:
  // Few values each, so that counts are uneven; some images span a part of the values, some one value.
  static std::vector<std::uint8_t> pictures(const Shape& shape) {
    Random random(7, Purpose::test);
    std::vector<std::uint8_t> stored;
    for (std::int64_t n = 0; n < shape[0]; ++n) {
      const std::uint32_t values = n % 20 == 0 ? 1 : 5 + 7 * static_cast<std::uint32_t>(n % 8);
      const std::uint32_t step = 1 + random.below(254 / values),
                          low = random.below(256 - step * (values - 1));
      for (std::int64_t p = 0; p < shape.elements() / shape[0]; ++p) {
        stored.push_back(
            static_cast<std::uint8_t>(low + step * std::min(random.below(values), random.below(values))));
      }
    }
    return stored;
  }
  Tensor bytes(const Shape& shape, const std::vector<std::uint8_t>& values) {
    return Tensor::from_host(arena(), shape, std::span<const std::uint8_t>(values));
  }
};

TEST_P(TrivialAugmentOperator, EveryOperationIsThatOfTheOracle) {
  for (const Shape& shape : {Shape{220, 24, 20, 3}, Shape{60, 17, 21, 1}}) {
    const std::vector<std::uint8_t> stored = pictures(shape);
    std::vector<std::int32_t> index;
    for (std::int64_t n = shape[0]; n-- > 0;) index.push_back(static_cast<std::int32_t>(n));
    const Tensor y(arena(), shape, DType::u8);
    backend().compute(TrivialAugment{bytes(shape, stored), upload(Shape{shape[0]}, index), key, y});
    const std::vector<std::uint8_t> found = y.to_host<std::uint8_t>();
    const std::int64_t image = shape[1] * shape[2] * shape[3];
    std::set<TrivialOp> met, changes;
    for (std::int64_t e = 0; e < shape.elements(); ++e) {
      const std::int32_t row = index[static_cast<std::size_t>(e / image)];
      const TrivialChange change = draw_trivial(static_cast<std::uint32_t>(row), key);
      const Picture picture{stored.data() + row * image, shape[1], shape[2], shape[3]};
      const std::int64_t i = e % image / shape[3] / shape[2], j = e / shape[3] % shape[2], c = e % shape[3];
      const int value = found[static_cast<std::size_t>(e)];
      ASSERT_TRUE(expected(change, picture, i, j, c).contains(value))
          << "operation " << static_cast<int>(change.op) << ", level " << change.signed_level << ", image "
          << row << " at " << i << ", " << j << ", " << c << ": " << value;
      met.insert(change.op);
      if (value != picture.at(i, j, c)) changes.insert(change.op);
    }
    EXPECT_EQ(met.size(), trivial_ops);
    // Identity changes nothing; grey images have no colour.
    EXPECT_EQ(changes.size(), shape[3] == 3 ? trivial_ops - 1 : trivial_ops - 2);
  }
}

TEST_P(TrivialAugmentOperator, GatheredImagesAreLoadedAsStoredOnesAre) {
  const Shape shape{6, 9, 8, 3};
  const std::vector<std::uint8_t> stored = pictures(shape);
  const std::vector<std::int32_t> index = {5, 0, 0, 3, 1};
  std::vector<std::uint8_t> rows;
  for (const std::int32_t n : index)
    rows.insert(rows.end(), stored.begin() + n * 216, stored.begin() + (n + 1) * 216);
  const Tensor labels = upload(Shape{6}, {5, 4, 3, 2, 1, 0});
  const PixelNorm norm{{0.4f, 0.5f, 0.6f, 0}, {0.2f, 0.3f, 0.25f, 1}};
  const Augmentation augmentation{3, true, 4};
  const Tensor a(arena(), Shape{5, 9, 8, 3}), b(arena(), Shape{5, 9, 8, 3});
  const Tensor y(arena(), Shape{5}, DType::i32), z(arena(), Shape{5}, DType::i32);
  const Tensor numbers = upload(Shape{5}, index), gathered = bytes(Shape{5, 9, 8, 3}, rows);
  backend().compute(LoadBatch{bytes(shape, stored), labels, numbers, norm, augmentation, key, a, y});
  backend().compute(LoadBatch{gathered, labels, numbers, norm, augmentation, key, b, z, true});
  EXPECT_EQ(a.to_host<float>(), b.to_host<float>());
  EXPECT_EQ(y.to_host<std::int32_t>(), z.to_host<std::int32_t>());
  EXPECT_THROW(backend().compute(
                   LoadBatch{bytes(shape, stored), labels, numbers, norm, augmentation, key, b, z, true}),
               Error);
  const Tensor small(arena(), Shape{5, 9, 7, 3}, DType::u8);
  EXPECT_THROW(backend().compute(TrivialAugment{bytes(shape, stored), numbers, key, small}), Error);
}

ADWP_ON_EVERY_DEVICE(TrivialAugmentOperator);

}  // namespace
}  // namespace adwp::test
