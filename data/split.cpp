#include "data/split.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "framework/core/error.h"
#include "framework/core/random.h"

namespace adwp::data {

std::vector<std::vector<std::int32_t>> chosen_by_class(const Listing& listing, std::int64_t limit,
                                                       std::uint64_t seed) {
  const std::int64_t classes = listing.classes.size();
  std::vector<std::vector<std::int32_t>> members(classes);
  for (std::size_t n = 0; n < listing.labels.size(); ++n) members[listing.labels[n]].push_back(n);
  for (std::int64_t c = 0; c < classes; ++c) {
    std::vector<std::int32_t>& indices = members[c];
    Random(seed, Purpose::split, c).shuffle(indices);
    if (limit == 0) continue;
    const std::int64_t share = limit / classes + (c < limit % classes ? 1 : 0);
    indices.resize(std::min<std::size_t>(indices.size(), share));
  }
  return members;
}

namespace {

// Of which images copies there are, and on which side of the split they stand.
class Copies {
 public:
  Copies(const std::vector<std::vector<std::int32_t>>& members, const std::vector<std::uint64_t>& hashes)
      : hashes_(hashes), class_(hashes.size()), held_(hashes.size(), false) {
    for (std::size_t c = 0; c < members.size(); ++c) {
      for (const std::int32_t image : members[c]) class_[image] = c;
    }
    for (std::size_t n = 0; n < hashes.size(); ++n) of_[hashes[n]].push_back(n);
  }

  bool held(std::int32_t image) const { return held_[image]; }
  void hold(std::int32_t image) {
    for (const std::int32_t copy : of_.at(hashes_[image])) held_[copy] = true;
  }
  // How many there are in a class, the image itself with them.
  std::int64_t in_class(std::int32_t image, std::int32_t of_class) const {
    const std::vector<std::int32_t>& all = of_.at(hashes_[image]);
    return std::count_if(all.begin(), all.end(), [&](std::int32_t copy) { return class_[copy] == of_class; });
  }
  std::int64_t duplicates() const { return std::ssize(hashes_) - std::ssize(of_); }

 private:
  const std::vector<std::uint64_t>& hashes_;
  std::vector<std::int32_t> class_;  // of each image
  std::unordered_map<std::uint64_t, std::vector<std::int32_t>> of_;
  std::vector<bool> held_;
};

}  // namespace

SplitImages split_by_class(const std::vector<std::vector<std::int32_t>>& members,
                           const std::vector<std::uint64_t>& hashes, const std::vector<std::string>& classes,
                           std::uint64_t seed, double validation_fraction) {
  Copies copies(members, hashes);
  for (std::size_t c = 0; c < members.size(); ++c) {
    const std::vector<std::int32_t>& images = members[c];
    if (images.size() < 2) {
      fail("data",
           "class '{}' is too small to be split, got {} image{}, expected 2 or more, one of them to validate "
           "on; give it more, raise ?limit, or leave the class out",
           classes[c], images.size(), images.size() == 1 ? "" : "s");
    }
    const std::int64_t wanted =
        std::clamp<std::int64_t>(std::lround(validation_fraction * images.size()), 1, std::ssize(images) - 1);
    std::int64_t held = std::count_if(images.begin(), images.end(), [&](auto n) { return copies.held(n); });
    for (const std::int32_t image : images) {
      if (held >= wanted) break;
      if (copies.held(image)) continue;
      const std::int64_t more = copies.in_class(image, c);
      if (held + more >= std::ssize(images)) continue;  // the class would have nothing left to train on
      copies.hold(image);
      held += more;
    }
  }
  SplitImages split{.duplicates = copies.duplicates()};
  for (const std::vector<std::int32_t>& images : members) {
    for (const std::int32_t image : images)
      (copies.held(image) ? split.validation : split.train).push_back(image);
  }
  if (split.validation.empty() || split.train.empty()) {
    fail("data", "cannot hold out a validation split: the images of each class are copies of each other");
  }
  // Classes mixed, so that every batch of a sequential pass holds all of them.
  const std::uint64_t many = members.size();
  Random(seed, Purpose::split, many).shuffle(split.train);
  Random(seed, Purpose::split, many + 1).shuffle(split.validation);
  return split;
}

}  // namespace adwp::data
