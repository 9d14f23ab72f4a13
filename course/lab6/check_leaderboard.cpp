#include "course/lab6/check_leaderboard.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "course/common/report.h"
#include "framework/io/atomic_file.h"

namespace adwp::course {
namespace {

constexpr const char* header = "place,name,data_sets,accuracy,random_halving,gain";

template <typename Number>
bool read_number(const std::string& text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [at, fault] = std::from_chars(text.data(), end, number);
  return fault == std::errc() && at == end;
}

// False where the line is no entry. Place and gain are not read: they follow from the rest.
bool read_entry(const std::string& line, Entry& entry) {
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == ',') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (fields.size() != 6 || fields[1].empty()) return false;
  entry.name = fields[1];
  const auto is_share = [](double value) { return value >= 0 && value <= 1; };
  return read_number(fields[2], entry.data_sets) && read_number(fields[3], entry.accuracy) &&
         read_number(fields[4], entry.random_halving) && is_share(entry.accuracy) &&
         is_share(entry.random_halving);
}

}  // namespace

std::int64_t Entry::gain() const { return std::llround(accuracy * 1e4) - std::llround(random_halving * 1e4); }

std::vector<Entry> read_leaderboard(const std::string& path) {
  std::vector<Entry> entries;
  if (!std::filesystem::exists(path)) return entries;
  std::istringstream text(io::read_text(path));
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line == header) continue;
    Entry entry;
    expect(read_entry(line, entry), "{}, line {}: got '{}', expected {}; mend the line or delete it", path,
           number, line.substr(0, 80), header);
    entries = with_entry(std::move(entries), entry);
  }
  return entries;
}

std::vector<Entry> with_entry(std::vector<Entry> entries, const Entry& entry) {
  std::erase_if(entries,
                [&](const Entry& e) { return e.name == entry.name && e.data_sets == entry.data_sets; });
  entries.push_back(entry);
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.data_sets != b.data_sets ? a.data_sets < b.data_sets : a.gain() > b.gain();
  });
  return entries;
}

std::size_t place_of(const std::vector<Entry>& entries, std::size_t i) {
  return 1 + std::count_if(entries.begin(), entries.end(), [&](const Entry& e) {
           return e.data_sets == entries[i].data_sets && e.gain() > entries[i].gain();
         });
}

void write_leaderboard(const std::string& path, const std::vector<Entry>& entries) {
  std::string text = std::string(header) + "\n";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& e = entries[i];
    text += fmt::format("{},{},{},{:.4f},{:.4f},{:.4f}\n", place_of(entries, i), e.name, e.data_sets,
                        e.accuracy, e.random_halving, e.gain() * 1e-4);
  }
  io::write_atomically(path, text);
}

}  // namespace adwp::course
