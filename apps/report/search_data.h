// What a report says of a run of `search`: log.jsonl, search.db and result.json as one JSON object.
#pragma once

#include <nlohmann/json.hpp>

#include "apps/report/run_files.h"

namespace adwp::apps {

// The page is kept below 2 MB: of too many candidates those with the lowest scores are left out, never one of
// the Pareto front or a finalist; `left_out` says how many.
inline constexpr std::size_t most_candidate_bytes = 1'500'000;

nlohmann::ordered_json search_data(const RunFiles& files, std::size_t most_bytes = most_candidate_bytes);

}  // namespace adwp::apps
