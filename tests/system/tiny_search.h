// Searches of a few seconds, and what they leave.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace adwp::test {

using Arguments = std::vector<std::string>;

// Program and settings of a search that runs every phase in seconds.
Arguments tiny_search(const std::string& data, const std::filesystem::path& out);

// Sets options, given as pairs of name and value: those that are there already change.
void add(Arguments& arguments, const Arguments& more);

// A whole file, of checkpoints too.
std::string bytes_of(const std::filesystem::path& path);
// The tensors of a checkpoint, without the header, which tells the arena's peak: threads and other members of
// an ensemble have room of their own there.
std::string tensors_of(const std::filesystem::path& checkpoint);
nlohmann::json read_json(const std::filesystem::path& path);
// result.json without what a clock says.
nlohmann::json without_times(nlohmann::json json);

}  // namespace adwp::test
