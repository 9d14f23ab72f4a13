// What a report says of a run of `train`: log.jsonl, test.json, result.json and the last checkpoint as one
// JSON object.
#pragma once

#include <nlohmann/json.hpp>

#include "apps/report/run_files.h"

namespace adwp::apps {

nlohmann::ordered_json train_data(const RunFiles& files);

}  // namespace adwp::apps
