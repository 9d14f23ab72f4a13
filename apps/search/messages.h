// What the ranks of a search send each other: one line of JSON, then bytes, which may be none.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "apps/common/run_log.h"
#include "nas/score/score_model.h"

namespace adwp::apps {

std::string packed(const nlohmann::ordered_json& json, const std::string& bytes = {});
std::pair<nlohmann::ordered_json, std::string> unpacked(const std::string& message);

// What predicting or training a network came to, and the peak of the arena (bytes) where it was done.
nlohmann::ordered_json outcome_json(const nas::Trained& trained, std::size_t peak);

// A file as bytes.
std::string read_checkpoint_file(const std::filesystem::path& path);
// The newest whole checkpoint of a training (CheckpointPair) as bytes; none without one. Says which are
// damaged.
std::string stored_checkpoint(const std::filesystem::path& checkpoint, RunLog& log);

}  // namespace adwp::apps
