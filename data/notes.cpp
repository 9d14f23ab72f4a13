// What a person should know of a data set.
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "data/data_set.h"
#include "data/test_split.h"
#include "framework/core/error.h"

namespace adwp::data {
namespace {

constexpr std::size_t most_named = 4;  // of reasons, sizes, classes
constexpr std::int64_t unequal = 3;    // the largest class over the smallest, from which it is said

// "8 .txt, 4 hidden": the most frequent first.
template <typename Key>
std::string counted(const std::map<Key, std::int64_t>& counts, auto&& text) {
  std::vector<std::pair<Key, std::int64_t>> order(counts.begin(), counts.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> parts;
  for (const auto& [key, count] : order) {
    if (parts.size() == most_named) {
      parts.push_back(fmt::format("{} more kinds", order.size() - most_named));
      break;
    }
    parts.push_back(text(key, count));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

void add_left_out(const Inventory& inventory, const char* split, std::vector<std::string>& notes) {
  if (inventory.left_out.empty()) return;
  notes.push_back(fmt::format("{} split: {}; inspect --data lists them", split, text_of(inventory.left_out)));
}

void add_sizes(const Inventory& inventory, std::int64_t side, const char* split,
               std::vector<std::string>& notes) {
  if (inventory.sizes.empty()) return;
  const auto& [height, width] = inventory.sizes.begin()->first;
  if (inventory.sizes.size() == 1) {
    if (height == side && width == side) return;
    notes.push_back(fmt::format("{} split: images of {} x {}; all are brought to {} x {}", split, width,
                                height, side, side));
    return;
  }
  const std::string sizes = counted(inventory.sizes, [](const auto& size, std::int64_t count) {
    return fmt::format("{} of {} x {}", count, size.second, size.first);
  });
  notes.push_back(fmt::format("{} split: images of several sizes, {}; all are brought to {} x {}", split,
                              sizes, side, side));
}

}  // namespace

std::string text_of(const std::vector<Inventory::LeftOut>& left_out) {
  if (left_out.empty()) return "";
  std::map<std::string, std::int64_t> counts;
  for (const Inventory::LeftOut& file : left_out) ++counts[file.reason];
  const std::string reasons = counted(counts, [](const std::string& reason, std::int64_t count) {
    return fmt::format("{} {}", count, reason);
  });
  return fmt::format("left out {} file{} or folder{}: {}", left_out.size(), left_out.size() == 1 ? "" : "s",
                     left_out.size() == 1 ? "" : "s", reasons);
}

std::vector<std::string> notes_on(const TrainingData& data) {
  std::vector<std::string> notes;
  add_left_out(data.inventory, "training", notes);
  add_sizes(data.inventory, data.train.height, "training", notes);
  if (data.duplicates > 0) {
    notes.push_back(
        fmt::format("{} of {} training images equal another in every pixel; equal ones are kept on one "
                    "side of the validation split",
                    data.duplicates, data.train.count() + data.validation.count()));
  }
  const auto& classes = data.inventory.classes;
  if (classes.size() == 1) {
    notes.push_back(
        fmt::format("one class, '{}': there is nothing to learn; in folder:DIR each folder in "
                    "DIR/train is a class, with all that is below it",
                    classes[0].name));
  }
  const auto [least, most] = std::minmax_element(
      classes.begin(), classes.end(), [](const auto& a, const auto& b) { return a.images < b.images; });
  if (least != classes.end() && most->images >= unequal * least->images) {
    notes.push_back(
        fmt::format("classes differ in size, from {} images ('{}') to {} ('{}'); --balanced trains on "
                    "them equally often",
                    least->images, least->name, most->images, most->name));
  }
  return notes;
}

std::vector<std::string> notes_on(const TestData& test, std::int64_t classes) {
  std::vector<std::string> notes;
  add_left_out(test.inventory, "test", notes);
  add_sizes(test.inventory, test.images.height, "test", notes);
  if (!test.missing.empty()) {
    const std::vector<std::string> named(test.missing.begin(),
                                         test.missing.begin() + std::min(test.missing.size(), most_named));
    notes.push_back(fmt::format("test split: no image of {} of {} classes ({}{}); it is tested on the others",
                                test.missing.size(), classes, fmt::join(named, ", "),
                                test.missing.size() > most_named ? ", ..." : ""));
  }
  if (test.duplicates > 0) {
    notes.push_back(
        fmt::format("{} of {} test images equal a training image in every pixel: the test accuracy is "
                    "too high by what they give",
                    test.duplicates, test.images.count()));
  }
  return notes;
}

}  // namespace adwp::data
