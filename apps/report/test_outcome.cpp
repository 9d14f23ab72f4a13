#include "apps/report/report.h"

#include <algorithm>
#include <map>

#include "data/readers.h"
#include "framework/core/error.h"
#include "nas/network/inference.h"

#define STB_IMAGE_WRITE_STATIC  // tests have a copy of their own
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t most_side = 64;  // pixels of a picture

struct Mistake {
  std::int64_t image;
  std::int64_t predicted;
  double probability;
};

std::string picture_of(const data::ImageSet& images, std::int64_t index) {
  std::int64_t height = images.height, width = images.width;
  const auto begin = images.pixels.begin() + index * images.image_bytes();
  std::vector<std::uint8_t> pixels(begin, begin + images.image_bytes());
  if (std::max(height, width) > most_side) {
    pixels = data::resize(pixels.data(), height, width, images.channels, most_side);
    height = width = most_side;
  }
  std::vector<unsigned char> png;
  const auto append = [](void* to, void* bytes, int count) {
    const auto* first = static_cast<const unsigned char*>(bytes);
    auto* all = static_cast<std::vector<unsigned char>*>(to);
    all->insert(all->end(), first, first + count);
  };
  const int written = stbi_write_png_to_func(append, &png, width, height, images.channels, pixels.data(), 0);
  require(written != 0, "report", "cannot encode a picture of {} x {}", width, height);
  return base64(png);
}

}  // namespace

std::string base64(std::span<const unsigned char> bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0u);
    for (std::size_t j = 0; j < 4; ++j) text += j <= count ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

Json test_outcome(const data::ImageSet& images, std::span<const float> logits,
                  const std::vector<std::string>& classes, std::size_t most_mistakes) {
  require(std::ssize(logits) == images.count() * std::ssize(classes), "report",
          "{} logits for {} images of {} classes", logits.size(), images.count(), classes.size());
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> counts;  // (true, predicted)
  std::vector<Mistake> mistakes;
  for (std::int64_t i = 0; i < images.count(); ++i) {
    const auto row = logits.subspan(i * classes.size(), classes.size());
    const std::int64_t predicted = std::max_element(row.begin(), row.end()) - row.begin();
    const std::int64_t truth = images.labels[i];
    ++counts[{truth, predicted}];
    if (predicted == truth) continue;
    mistakes.push_back({i, predicted, nas::Inference::softmax(row)[predicted]});
  }
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return a.probability > b.probability; });
  if (mistakes.size() > most_mistakes) mistakes.resize(most_mistakes);

  Json outcome{{"images", images.count()}, {"classes", classes}};
  outcome["confusion"] = Json::array();
  for (const auto& [pair, count] : counts) outcome["confusion"].push_back({pair.first, pair.second, count});
  outcome["mistakes"] = Json::array();
  for (const Mistake& m : mistakes) {
    outcome["mistakes"].push_back({{"true", images.labels[m.image]},
                                   {"predicted", m.predicted},
                                   {"probability", m.probability},
                                   {"picture", picture_of(images, m.image)}});
  }
  return outcome;
}

}  // namespace adwp::apps
