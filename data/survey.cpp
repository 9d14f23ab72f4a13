#include "data/survey.h"

#include <numeric>
#include <unordered_set>

#include "data/readers.h"
#include "data/test_split.h"
#include "framework/core/error.h"

namespace adwp::data {
namespace {

SplitSurvey survey_of(const DataSpec& spec, Split split) {
  Listing listing = list_split(spec, split);
  std::vector<std::int32_t> all(listing.labels.size());
  std::iota(all.begin(), all.end(), 0);
  SplitSurvey result{.split = split == Split::train ? "training" : "test",
                     .inventory = std::move(listing.inventory)};
  const ImageSet images = listing.read(all, spec.size, result.inventory, {}).images;
  std::unordered_set<std::uint64_t> met;
  for (const std::uint64_t hash : pixel_hashes(images)) result.duplicates += !met.insert(hash).second;
  return result;
}

}  // namespace

std::vector<SplitSurvey> survey(DataSpec spec) {
  spec.skip_bad = true;
  std::vector<SplitSurvey> result{survey_of(spec, Split::train)};
  if (has_test_split(spec)) result.push_back(survey_of(spec, Split::test));
  return result;
}

}  // namespace adwp::data
