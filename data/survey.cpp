#include "data/survey.h"

#include <numeric>
#include <unordered_set>

#include "data/readers.h"
#include "data/test_split.h"
#include "framework/core/error.h"

namespace adwp::data {
namespace {

using Hashes = std::unordered_set<std::uint64_t>;

// `size`: what the images are brought to. `met`: hashes of the images.
SplitSurvey survey_of(const DataSpec& spec, Split split, std::int64_t& size, Hashes& met) {
  Listing listing = list_split(spec, split);
  std::vector<std::int32_t> all(listing.labels.size());
  std::iota(all.begin(), all.end(), 0);
  SplitSurvey result{.split = split == Split::train ? "training" : "test",
                     .inventory = std::move(listing.inventory)};
  const ImageSet images = listing.read(all, size, result.inventory, {}).images;
  size = images.height;
  for (const std::uint64_t hash : pixel_hashes(images)) result.duplicates += !met.insert(hash).second;
  return result;
}

}  // namespace

std::vector<SplitSurvey> survey(DataSpec spec) {
  spec.skip_bad = true;
  std::int64_t size = spec.size;
  Hashes training, test;
  std::vector<SplitSurvey> result{survey_of(spec, Split::train, size, training)};
  if (!has_test_split(spec)) return result;
  result.push_back(survey_of(spec, Split::test, size, test));
  for (const std::uint64_t hash : test) result.back().in_training += training.contains(hash);
  return result;
}

}  // namespace adwp::data
