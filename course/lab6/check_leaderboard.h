// leaderboard.csv: who searched how well, a line for each name and choice of data sets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace adwp::course {

struct Entry {
  std::string name;                         // no comma, no quotation mark
  std::uint64_t data_sets = 1;              // the number that chose them
  double accuracy = 0, random_halving = 0;  // means over the data sets, 0 to 1

  // In hundredths of a point, as the file has it: what places go by.
  std::int64_t gain() const;
};

// What stands at `path`; nothing where there is no file. Lines may come from several files put together.
// Throws Wrong with the number of a line that is no entry.
std::vector<Entry> read_leaderboard(const std::string& path);

// With `entry` in the place of an earlier one of the same name and data sets. Those of the same data sets
// stand together, the greatest gain first; of equal ones the one that was there before.
std::vector<Entry> with_entry(std::vector<Entry> entries, const Entry& entry);

// The place of entry `i` among those of the same data sets, from 1; equal gains share one: 1, 2, 2, 4.
std::size_t place_of(const std::vector<Entry>& entries, std::size_t i);

void write_leaderboard(const std::string& path, const std::vector<Entry>& entries);

}  // namespace adwp::course
