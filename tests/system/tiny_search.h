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
nlohmann::json read_json(const std::filesystem::path& path);
// result.json without what a clock says.
nlohmann::json without_times(nlohmann::json json);

}  // namespace adwp::test
