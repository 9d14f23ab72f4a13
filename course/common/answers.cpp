#include "course/common/answers.h"

#include <toml++/toml.h>
#include <fstream>
#include <iterator>

#include "course/common/report.h"

namespace adwp::course {

std::string read_answer(const std::string& folder, const std::string& file) {
  std::ifstream in(folder + "/" + file);
  expect(in.good(), "{}: there is no such file in {}", file, folder);
  return {std::istreambuf_iterator<char>(in), {}};
}

Answers::Answers(const std::string& folder, const std::string& file) : file_(file) {
  const auto add = [&](const std::string& section, const toml::table& table) {
    for (const auto& [key, value] : table) {
      const auto number = value.value<double>();
      if (!value.is_table()) {
        entries_.push_back({section, std::string(key.str()), value.value_or<std::string>(""),
                            number.value_or(0), number.has_value()});
      }
    }
  };
  try {
    const toml::table all = toml::parse(read_answer(folder, file));
    add("", all);
    for (const auto& [key, value] : all) {
      if (value.is_table()) add(std::string(key.str()), *value.as_table());
    }
  } catch (const toml::parse_error& error) {
    wrong("{}, line {}: {}", file, error.source().begin.line, error.description());
  }
}

const Answers::Entry& Answers::at(const std::string& section, const std::string& key) const {
  for (const Entry& entry : entries_) {
    if (entry.section == section && entry.key == key) return entry;
  }
  wrong("{}: {}{} is missing", file_, section.empty() ? "" : "[" + section + "] ", key);
}

double Answers::number(const std::string& section, const std::string& key) const {
  const Entry& entry = at(section, key);
  const std::string name = section.empty() ? key : "[" + section + "] " + key;
  expect(entry.is_number, "{}: {} is no number", file_, name);
  expect(entry.number != 0, "{}: {} is 0, which is no answer yet", file_, name);
  return entry.number;
}

std::string Answers::text(const std::string& section, const std::string& key) const {
  const Entry& entry = at(section, key);
  expect(!entry.text.empty(), "{}: {} is empty, which is no answer yet", file_,
         section.empty() ? key : "[" + section + "] " + key);
  return entry.text;
}

}  // namespace adwp::course
